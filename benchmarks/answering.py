"""A server in a process of its own that speaks chat completions, and answers from the prompt and the seed alone.

So a run that was killed and resumed must end with the very texts of a run that was not. It knows the bundled tasks
``smoke`` and ``nano_science`` and solves three of four questions; it plans and judges too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from k2eval.tasks import tasks_folders

MODEL = "answering"
ROWS = ("smoke/questions.jsonl", "nano/nano_science.jsonl")


def known_answers(folder: Path) -> dict[str, str]:
    """Return the right answer by a text that only its prompt has."""
    known: dict[str, str] = {}
    for name in ROWS:
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "problem" in row:
                known[row["problem"]] = f"\\boxed{{{row['answer']}}}"
            for step in row.get("sub_steps", ()):
                header = step["function_header"].splitlines()[0]
                known[header] = f"```python\n{step['ground_truth_code']}\n```"
    return known


def text_of(prompt: str, seed: int, schema: Mapping[str, Any] | None, known: Mapping[str, str]) -> str:
    """Return the answer to a prompt.

    >>> text_of("What is 1 + 1?", 1, None, {"1 + 1": "2"})
    '<think>so </think>2'
    """
    if schema is not None:
        values = {"integer": seed % 2, "boolean": bool(seed % 2)}
        return json.dumps(
            {name: values.get(entry.get("type"), "checked") for name, entry in schema["properties"].items()}
        )
    thought = f"<think>{'so ' * (seed % 50)}</think>"
    if "You are a planner." in prompt:
        return f"{thought}<plan>Go step by step, {seed % 7 + 2} of them.</plan>"
    place, answer = max((prompt.rfind(text), answer) for text, answer in known.items())
    if place < 0:
        raise ValueError(f"expected a prompt of the tasks in {ROWS}, got {prompt[:200]!r}")
    if seed % 4 == 0:
        answer = answer.replace("\\boxed{", "\\boxed{7").replace("return value", "return 0 * value")
    return thought + answer


def serve(pipe: Connection, delay_s: float) -> None:
    """Serve one address until the pipe closes; an answer takes half to one and a half of ``delay_s``."""
    known = known_answers(tasks_folders()[-1])

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at = head.lower().find(b"content-length:")
                length = int(head[at + 15 : head.index(b"\r", at)]) if at > 0 else 0
                path = head.split(b" ")[1]
                body = json.loads(await reader.readexactly(length)) if length else {}
                if path.endswith(b"/chat/completions"):
                    await asyncio.sleep(delay_s * (0.5 + body.get("seed", 0) % 1000 / 1000))
                    _send(writer, 200, _completion(body, known))
                elif path.endswith(b"/models"):
                    _send(writer, 200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
                else:
                    _send(writer, 404, {"error": {"message": "no such page"}})
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.poll, None)

    asyncio.run(main())


def _completion(body: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    prompt = "\n".join(message["content"] for message in body["messages"])
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    count = body.get("n", 1)
    texts = [text_of(prompt, body.get("seed", 0) + index, schema, known) for index in range(count)]
    tokens = sum(len(text.split()) for text in texts)
    return {
        "id": "c",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for index, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens},
    }


def _send(writer: asyncio.StreamWriter, status: int, content: Mapping[str, Any]) -> None:
    data = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)


@contextlib.contextmanager
def server(delay_s: float) -> Iterator[str]:
    """Start the process, and yield its base URL."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, delay_s), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()
