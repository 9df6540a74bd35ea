"""Processes that search the parts of training data, and that end with this process, whatever ends it."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from k2eval.errors import DataError
from k2eval.system import start_module
from k2eval.tasks.corpus.files import Part
from k2eval.tasks.corpus.found import CorpusMatches

WORKER = "k2eval.tasks.corpus.worker"


class _Event(NamedTuple):
    """A line of a process, or its end."""

    member: _Member
    value: dict[str, Any] | None


class _Member:
    """A process, and the part that it searches."""

    def __init__(self, events: queue.Queue[_Event]) -> None:
        self.part: Part | None = None
        self.process: subprocess.Popen[bytes] = start_module(WORKER)
        self._events = events
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what it has not read cannot be flushed
                assert stream
                stream.close()

    def give(self, part: Part | None) -> None:
        """Give the process a part to search, or let it end."""
        self.part = part
        if part is None:
            with suppress(OSError):
                assert self.process.stdin
                self.process.stdin.close()
        else:
            self.say(orjson.dumps([str(part.path), part.start, part.end]))

    def say(self, line: bytes) -> None:
        """Send a line."""
        assert self.process.stdin
        data = memoryview(line + b"\n")
        with suppress(OSError):  # a process that has ended is told by the end of its output
            while data:
                data = data[self.process.stdin.write(data) :]

    def _listen(self) -> None:
        assert self.process.stdout
        with suppress(OSError, ValueError):
            for line in self.process.stdout:
                self._events.put(_Event(self, orjson.loads(line)))
        self._events.put(_Event(self, None))


def search_in_processes(
    folder: Path,
    texts: Sequence[str],
    parts: Sequence[Part],
    workers: int,
    take: Callable[[Part, CorpusMatches], None],
    read: Callable[[int], None],
) -> None:
    """Search parts in several processes.

    Args:
        folder: The folder with the training data.
        texts: The questions' texts.
        parts: The parts, in the order in which they are begun.
        workers: Number of processes.
        take: Called with each part and what was found in it.
        read: Called with the bytes that were read since the last call.

    Raises:
        DataError: If a part cannot be read, or a process ended.
    """
    events: queue.Queue[_Event] = queue.Queue()
    waiting = deque(parts)
    head = orjson.dumps({"folder": str(folder), "texts": list(texts)})
    members = [_Member(events) for _ in range(workers)]
    try:
        for member in members:
            member.say(head)
            member.give(waiting.popleft() if waiting else None)
        left = len(parts)
        while left:
            member, value = events.get()
            if value is None:
                if member.part is not None:
                    raise DataError(_ended(member))
            elif "read" in value:
                read(value["read"])
            elif "error" in value:
                raise DataError(value["error"])
            else:
                assert member.part is not None
                take(member.part, CorpusMatches.of_json(value))
                left -= 1
                member.give(waiting.popleft() if waiting else None)
    finally:
        for member in members:
            member.end()


def _ended(member: _Member) -> str:
    code = member.process.wait()
    return (
        f"The process that searched {member.part and member.part.path} ended ({code}). If memory ran out, give fewer "
        "--workers."
    )
