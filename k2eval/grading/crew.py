"""The program of a crew: a process with workers of its own, which takes answers and gives grades by the dozen.

It reads lines and writes lines. `k2eval.grading.orders` says how they look.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import BinaryIO

import orjson

import k2eval
from k2eval.grading.dispatcher import Dispatcher
from k2eval.grading.orders import CrewSettings, Hello, JobHeader, Order, Word
from k2eval.grading.process import WorkerDied, WorkerProcess
from k2eval.grading.registry import grader_for
from k2eval.grading.seat import START_LIMIT_S, Job
from k2eval.records import Json
from k2eval.system import cores, die_with_parent

_ALIVE_EVERY_S = 2.0


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    settings = CrewSettings(*json.loads(sys.argv[2]))
    settings = settings._replace(workers=settings.workers or cores.count())
    Crew(settings, sys.stdin.buffer, sys.stdout.fileno()).serve()


class Crew:
    """The crew on its side of the pipe.

    Args:
        settings: Its settings.
        orders: The lines that it reads.
        output: File number for the lines that it writes.
    """

    def __init__(self, settings: CrewSettings, orders: BinaryIO, output: int) -> None:
        self._orders = orders
        self._output = output
        self._questions: dict[int, bytes] = {}
        self._words: list[bytes] = []
        self._open: set[int] = set()
        self._spoke = 0.0
        self._pids: list[int] = []
        self._say(Word.READY, orjson.dumps(_hello(settings)._asdict()))
        self._write()
        self._dispatcher = Dispatcher(
            settings.workers,
            stall_s=settings.stall_s,
            graders=settings.graders,
            idle=settings.idle,
            after_turn=self._after_turn,
        )

    def serve(self) -> None:
        """Carry out orders until they end."""
        try:
            for line in self._orders:
                kind, content = line[:1], line[1:-1]
                if kind == Order.JOB:
                    self._take(JobHeader(*orjson.loads(content)), self._orders.readline()[:-1])
                elif kind == Order.QUESTION:
                    number, _, question = content.partition(b" ")
                    self._questions[int(number)] = question
                elif kind == Order.FORGET:
                    self._questions.clear()
                elif kind == Order.HASTEN:
                    self._dispatcher.hasten()
        finally:
            self._dispatcher.close()

    def _take(self, header: JobHeader, rest: bytes) -> None:
        number = b"%d " % header.number

        def finish(reply: bytes) -> None:
            self._open.discard(header.number)
            self._say(Word.GRADE, number + reply)

        self._open.add(header.number)
        self._dispatcher.put(
            Job(
                self._questions[header.question], rest, header.grader, header.limit_s, header.runs_programs,
                finish, lambda: None, header.question,
            )
        )  # fmt: skip

    def _say(self, word: Word, content: bytes) -> None:
        self._words.append(b"%b%b\n" % (word.value, content))

    def _after_turn(self) -> None:
        now = time.monotonic()
        pids = self._dispatcher.pids()
        if pids != self._pids:
            self._pids = pids
            self._say(Word.PIDS, orjson.dumps(pids))
        if not self._words and self._open and now - self._spoke >= _ALIVE_EVERY_S:
            self._say(Word.ALIVE, b"")
        if self._words:
            self._spoke = now
            self._write()

    def _write(self) -> None:
        data = memoryview(b"".join(self._words))
        self._words = []
        while data:
            data = data[os.write(self._output, data) :]


def _hello(settings: CrewSettings) -> Hello:
    failures: dict[str, str] = {}
    labels: dict[str, str] = {}
    if settings.proves:
        for grader in settings.graders:
            try:
                labels[grader] = grader_for(grader).label
                _prove(grader)
            except Exception as error:
                failures[grader] = f"{type(error).__name__}: {error}"[:500]
    return Hello(k2eval.__version__, labels, failures, settings.workers)


def _prove(grader: str) -> None:
    """Load a grader in a worker, which makes the self-test of the sandbox if the grader runs programs.

    Raises:
        WorkerDied: If it cannot be loaded.
    """
    worker = WorkerProcess()
    try:
        worker.send(orjson.dumps({"load": grader}))
        deadline = time.monotonic() + START_LIMIT_S
        replies: list[bytes] = []
        while not replies:
            ready, _, _ = select.select([worker.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerDied(f"it was not loaded within {START_LIMIT_S:g} s")
            replies = worker.lines()
        reply: Json = orjson.loads(replies[0])
        if "error" in reply:
            raise WorkerDied(reply["error"])
    finally:
        worker.kill()


if __name__ == "__main__":
    main()
