r"""Tokens/s of one run in process, through ``vllm serve``, and by a bare client: the same requests, one after another.

    python -m benchmarks.served --model models/nano/rl --repeats 1 --server \
        "--enforce-eager --no-enable-chunked-prefill --max-num-batched-tokens 4096"   # without a GPU
    python -m benchmarks.served --model /dev/shm/7b --repeats 24 --gpus 2

Every way runs ``plain`` over the same questions with the same seeds. Each start of an engine is a process of its own.
The clients' own processor seconds stand beside the speed; grading is done by other processes and is no part of them.
Each result is printed as soon as it is there. The last line is the ratio of one server to the engine in process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines import open_engines
from k2eval.journal import read_run
from k2eval.run import Runner, Work

TASKS = "nano_math,nano_choice"
ENGINE = {"max_model_len": 4096, "max_num_seqs": 256}
START_S = 600


def main() -> None:
    options = parser().parse_args()
    if options.once:
        print(json.dumps(asyncio.run(once(json.loads(options.once)))), flush=True)
        return
    if options.bare:
        print(json.dumps(asyncio.run(bare(*json.loads(options.bare)))), flush=True)
        return
    speeds: dict[str, float] = {}
    ports = [8100 + number for number in range(options.gpus)]
    urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
    with tempfile.TemporaryDirectory(prefix="k2eval-served-") as scratch:
        out = Path(scratch)

        def measure(name: str, flag: str, content: Any, gpus: int = 1) -> None:
            figures = child(flag, content, gpus)
            speeds[name] = figures["tokens"] / figures["seconds"]
            words = f"{figures['tokens']:,} tokens, {figures['cpu_s']:.1f} s of the client's processor"
            print(f"{name:<44} {speeds[name]:>9,.0f} tokens/s  ({words})", flush=True)
            for note in figures["notes"]:
                print(f"    {note}", flush=True)

        def config(name: str, engine: dict[str, Any]) -> dict[str, Any]:
            return {
                "model": str(options.model), "tasks": TASKS.split(","), "repeats": options.repeats, "seed": 1,
                "out": str(out / name.replace(" ", "-")), "engine": engine,
            }  # fmt: skip

        def served(name: str, **settings: Any) -> tuple[str, str, dict[str, Any]]:
            return (
                name,
                "--once",
                config(name, {"kind": "endpoint", "arguments": {"concurrency": 256, **settings}}),
            )

        def in_process(name: str, **settings: Any) -> tuple[str, str, dict[str, Any]]:
            return name, "--once", config(name, {"kind": "vllm", "arguments": {**ENGINE, **settings}})

        with serving(options.model, ports, out, options.server.split()):
            measure(*served("one server, whole answers", base_url=urls[0]))
            measure("one server, bare client", "--bare", [config("bare", {}), urls[:1], 256])
            measure(*served("one server, streams", base_url=urls[0], stream=True))
            if options.gpus > 1:
                measure(*served("two servers, whole answers", base_url=urls))
                measure(*served("two servers, whole answers, 384 each", base_url=urls, concurrency=384))
                measure("two servers, bare client", "--bare", [config("bare2", {}), urls, 384])
        measure(*in_process("in process"))
        if options.gpus > 1:
            measure(*in_process("in process, data parallel 2", data_parallel_size=2), gpus=2)
            pair = speeds["two servers, whole answers"] / speeds["in process, data parallel 2"]
            print(f"two servers / data parallel 2: {pair:.2f}")
    print(f"one server / in process: {speeds['one server, whole answers'] / speeds['in process']:.2f}")


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--model", type=Path)
    options.add_argument("--repeats", type=int, default=4)
    options.add_argument("--gpus", type=int, choices=(1, 2), default=1)
    options.add_argument("--server", default="", help="more arguments for `vllm serve`, in quotes")
    options.add_argument("--once", help=argparse.SUPPRESS)
    options.add_argument("--bare", help=argparse.SUPPRESS)
    return options


def child(flag: str, content: Any, gpus: int) -> dict[str, Any]:
    """Return the figures of one way, measured by a process of its own that sees so many GPUs."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(str(number) for number in range(gpus))}
    command = [sys.executable, "-m", "benchmarks.served", flag, json.dumps(content)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures


async def once(content: dict[str, Any]) -> dict[str, Any]:
    """Carry out one run and return its figures."""
    config = RunConfig.model_validate(content)
    before = time.process_time()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        summary = await Runner(config, open_engines(config), Console(file=nowhere)).run()
    cpu_s = time.process_time() - before
    run = read_run(config.out)
    [session] = run.sessions
    notes = [note.text for note in run.engine.notes]
    if summary.infrastructure:
        notes.append(f"{summary.infrastructure} of {summary.total} samples failed on our side")
    return {
        "tokens": session.generated_tokens,
        "seconds": session.generation_s,
        "cpu_s": cpu_s,
        "notes": notes,
    }


async def bare(content: dict[str, Any], urls: Sequence[str], in_flight: int) -> dict[str, Any]:
    """Ask the same through aiohttp alone and return the same figures."""
    config = RunConfig.model_validate(content)
    bodies = [
        {
            "model": config.model,
            "messages": [
                {"role": turn.role, "content": turn.content} for turn in assignment.question.messages
            ],
            "temperature": assignment.sampling.temperature,
            "top_p": assignment.sampling.top_p,
            "max_tokens": assignment.sampling.max_tokens,
            "seed": number,
        }
        for number, assignment in enumerate(Work(config).assignments())
    ]
    numbers, tokens = iter(range(len(bodies))), 0
    timeout, connector = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def worker(url: str) -> None:
            nonlocal tokens
            for number in numbers:
                async with session.post(f"{url}/chat/completions", json=bodies[number]) as answer:
                    tokens += (await answer.json())["usage"]["completion_tokens"]

        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*(worker(url) for url in urls for _ in range(in_flight)))
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"tokens": tokens, "seconds": seconds, "cpu_s": cpu_s, "notes": []}


@contextlib.contextmanager
def serving(model: Path, ports: Sequence[int], out: Path, more: Sequence[str]) -> Iterator[None]:
    """Serve the model on each port, on a GPU each, until the block ends."""
    processes = []
    try:
        for number, port in enumerate(ports):
            command = [
                sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--port", str(port),
                "--max-model-len", str(ENGINE["max_model_len"]), "--max-num-seqs", str(ENGINE["max_num_seqs"]),
                "--generation-config", "vllm", *more,
            ]  # fmt: skip
            log = (out / f"server-{port}.log").open("wb")
            environment = os.environ | {"CUDA_VISIBLE_DEVICES": str(number)}
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        for process, port in zip(processes, ports, strict=True):
            _wait_for(process, port, out)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def _wait_for(process: subprocess.Popen[bytes], port: int, out: Path) -> None:
    start = time.monotonic()
    while True:
        if process.poll() is not None or time.monotonic() - start > START_S:
            log = (out / f"server-{port}.log").read_text(errors="replace")
            raise SystemExit(f"The server on port {port} did not start:\n{log[-3000:]}")
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            print(f"server on port {port} started in {time.monotonic() - start:.0f} s", flush=True)
            return
        time.sleep(1)


if __name__ == "__main__":
    main()
