"""The endpoint engine against a bare aiohttp client, on servers that answer from memory in processes of their own.

Four base URLs, 1,024 requests in flight. Each answer is asked for whole and as a stream of one piece a token, and both
clients must get the very texts that the servers sent. Figures are per second of the client's own processor time, since
on a small machine the servers need a core themselves. The last line is the smaller ratio of ours to the bare client.

``--run 24`` measures a whole run instead: 4,800 answers to the questions of ``nano_math`` and ``nano_choice``, with
prompts, journal and grading. Grading is done by other processes, which do not count; what feeds them does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines import open_engines
from k2eval.engines.endpoint import EndpointEngine
from k2eval.journal import read_run
from k2eval.records import Message, Request, Sampling
from k2eval.run import Runner

MODEL = "memory"
SERVERS = 4
IN_FLIGHT = 1024
TOKENS = 180
"""The mean of the run that the facts tell of: 4,800 answers, 0.88 M tokens."""
TEXTS = 64
PIECES_A_WRITE = 8
PROMPT = "How many ways are there to order the numbers? " * 20


def text_of(seed: int) -> list[str]:
    """Return the answer to a seed, token by token."""
    return [f" {(seed % TEXTS) * 7 + number}" for number in range(TOKENS)]


def serve(pipe: Connection) -> None:
    """Serve two addresses until the pipe closes."""
    whole, streams = zip(*(_prepared(seed) for seed in range(TEXTS)), strict=True)

    async def main() -> None:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Awaitable[None]:
            return _serve(reader, writer, whole, streams)

        servers = [await asyncio.start_server(connected, "127.0.0.1", 0, backlog=IN_FLIGHT) for _ in range(2)]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.to_thread(pipe.poll, None)

    asyncio.run(main())


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    whole: tuple[bytes, ...],
    streams: tuple[list[bytes], ...],
) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().find(b"content-length:")
            body = await reader.readexactly(int(head[at + 15 : head.index(b"\r", at)])) if at > 0 else b""
            seed = body.find(b'"seed":')
            if seed < 0:  # a page about the server
                writer.write(b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}")
                continue
            number = int(body[seed + 7 :].split(b",", 1)[0].strip(b" }")) % TEXTS
            if b'"stream"' in body:
                for piece in streams[number]:
                    writer.write(piece)
                    await asyncio.sleep(0)
            else:
                writer.write(whole[number])
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _prepared(seed: int) -> tuple[bytes, list[bytes]]:
    """Return the bytes of one answer: whole, and as a stream in a few writes."""
    tokens = text_of(seed)
    usage = {"prompt_tokens": 300, "completion_tokens": TOKENS, "total_tokens": 300 + TOKENS}
    common = {"id": f"chatcmpl-{seed:032x}", "created": 1_700_000_000, "model": MODEL}
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(tokens),
        "reasoning_content": None,
        "tool_calls": [],
    }
    choice: dict[str, Any] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
    }
    body = json.dumps({**common, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)

    def event(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        piece = {**common, "object": "chat.completion.chunk", "choices": [choice]}
        return _chunk(b"data: " + json.dumps(piece).encode() + b"\n\n")

    last = {**common, "object": "chat.completion.chunk", "choices": [], "usage": usage}
    events = [event({"content": token}) for token in tokens] + [event({}, "stop")]
    events.append(
        _chunk(b"data: " + json.dumps(last).encode() + b"\n\n") + _chunk(b"data: [DONE]\n\n") + _chunk(b"")
    )
    events[0] = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + events[0]
    )
    writes = [b"".join(events[at : at + PIECES_A_WRITE]) for at in range(0, len(events), PIECES_A_WRITE)]
    return head + body, writes


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextmanager
def servers() -> Iterator[list[str]]:
    """Start two processes that serve two addresses each, and yield the base URLs."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(SERVERS // 2):
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        yield [f"http://127.0.0.1:{port}/v1" for pipe in pipes for port in pipe.recv()]
    finally:
        for process in processes:
            process.terminate()
            process.join()


def request(seed: int) -> Request:
    return Request(
        key=f"{seed:032x}",
        task="memory",
        question_id=str(seed),
        repeat_index=0,
        stage="solve",
        messages=(Message(role="system", content="Answer."), Message(role="user", content=PROMPT)),
        sampling=Sampling(max_tokens=64_000),
        seed=seed,
    )


async def ours(urls: list[str], count: int, stream: bool) -> tuple[list[str], float]:
    """Ask through the endpoint engine; return the texts and the processor seconds that it took."""
    settings = {"base_url": urls, "stream": stream, "probe": False, "concurrency": IN_FLIGHT // len(urls)}
    requests = [request(seed) for seed in range(count)]
    async with EndpointEngine(MODEL, settings) as engine:
        await asyncio.gather(
            *(engine.generate(request(seed)) for seed in range(IN_FLIGHT))
        )  # open connections

        async def ask(number: int) -> str:
            return (await engine.generate(requests[number])).text

        return await _measured(ask, count)


async def bare(urls: list[str], count: int, stream: bool) -> tuple[list[str], float]:
    """Ask through aiohttp alone, as one would write it in forty lines; return the same."""
    bodies: list[dict[str, Any]] = [
        {
            "model": MODEL,
            "messages": [{"role": turn.role, "content": turn.content} for turn in request(seed).messages],
            "temperature": 1.0,
            "top_p": 0.95,
            "max_tokens": 64_000,
            "seed": seed,
            **({"stream": True, "stream_options": {"include_usage": True}} if stream else {}),
        }
        for seed in range(count)
    ]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def ask(number: int) -> str:
            url = urls[number % len(urls)] + "/chat/completions"
            async with session.post(url, json=bodies[number]) as answer:
                if not stream:
                    whole = await answer.json()
                    return str(whole["choices"][0]["message"]["content"])
                texts = []
                async for line in answer.content:
                    if line.startswith(b"data: ") and b"[DONE]" not in line:
                        piece = json.loads(line[6:])
                        if piece["choices"]:
                            texts.append(piece["choices"][0]["delta"].get("content") or "")
                return "".join(texts)

        await asyncio.gather(*(ask(number % count) for number in range(IN_FLIGHT)))  # open connections
        return await _measured(ask, count)


async def _measured(ask: Callable[[int], Awaitable[str]], count: int) -> tuple[list[str], float]:
    texts = [""] * count
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            texts[number] = await ask(number)

    gc.collect()
    started = time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return texts, time.process_time() - started


async def whole_run(urls: list[str], repeats: int, out: Path) -> str:
    """Carry out a run through the servers; return its figures in words."""
    config = RunConfig.model_validate(
        {
            "model": MODEL, "tasks": ("nano_math", "nano_choice"), "repeats": repeats, "seed": 1, "out": out,
            "engine": {
                "kind": "endpoint",
                "arguments": {"base_url": urls, "probe": False, "concurrency": IN_FLIGHT // len(urls)},
            },
        }
    )  # fmt: skip
    started = time.process_time()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        summary = await Runner(config, open_engines(config), Console(file=nowhere)).run()
    cpu_s = time.process_time() - started
    [session] = read_run(out).sessions
    return (
        f"{summary.done:,} answers, {session.generated_tokens:,} tokens in {session.generation_s:.1f} s: "
        f"{cpu_s:.1f} s of the client's processor"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--answers", type=int, default=4096, help="whole answers; a quarter as many are streamed"
    )
    parser.add_argument("--rounds", type=int, default=5, help="the fastest of so many counts")
    parser.add_argument("--run", type=int, metavar="REPEATS", help="measure whole runs of so many repeats")
    options = parser.parse_args()
    ratios = []
    with servers() as urls, tempfile.TemporaryDirectory(prefix="k2eval-endpoint-") as scratch:
        for number in range(options.rounds if options.run else 0):
            print(asyncio.run(whole_run(urls, options.run, Path(scratch) / str(number))), flush=True)
        if options.run:
            return
        for stream in (False, True):
            count = options.answers // (4 if stream else 1)
            expected = ["".join(text_of(seed)) for seed in range(count)]
            fastest: dict[str, float] = {}
            for _ in range(options.rounds):
                for name, client in (("bare", bare), ("k2eval", ours)):
                    texts, seconds = asyncio.run(client(urls, count, stream))
                    if texts != expected:
                        raise SystemExit(f"{name}: other texts than the servers sent")
                    fastest[name] = min(seconds, fastest.get(name, seconds))
            for name, seconds in fastest.items():
                print(
                    f"{'streamed' if stream else 'whole':<8}  {name:<6}  {count / seconds:>8,.0f} answers/s"
                    f"  {count * TOKENS / seconds:>9,.0f} tokens/s  of one core, texts as sent"
                )
            ratios.append(fastest["bare"] / fastest["k2eval"])
            print(f"{'streamed' if stream else 'whole':<8}  ratio   {ratios[-1]:.2f}")
    print(f"k2eval / bare client: {min(ratios):.2f}")


if __name__ == "__main__":
    main()
