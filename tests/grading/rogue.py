"""A grader for tests of the pool: does what the response tells it to."""

import os
import signal
import stat
import time
from functools import lru_cache
from pathlib import Path

from k2eval.records import Grade, Outcome, Question

VERSION = 7


@lru_cache(maxsize=4096)
def _remembered(text: str) -> bytes:
    return b"x" * (300 << 20)


def grade(question: Question, text: str, truncated: bool) -> Grade:
    word, _, argument = text.partition(" ")
    if word == "hang":
        while True:
            pass
    if word == "compute":
        end = time.process_time() + float(argument)
        while time.process_time() < end:
            pass
    if word == "sleep":
        time.sleep(float(argument))
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "die-once" and not Path(argument).exists():
        Path(argument).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "sleep-once" and not Path(argument).exists():
        Path(argument).touch()
        time.sleep(600)
    if word == "raise":
        raise ValueError("a fault in the grader")
    if word == "hoard":
        return Grade.of(Outcome.WRONG, str(len(bytearray(6 << 30))))
    if word == "remember":
        _remembered(argument)
        return Grade.of(Outcome.WRONG, str(_remembered.cache_info().currsize))
    if word == "chatter":
        print("noise on standard output", flush=True)
        os.write(1, b"more noise\n")
    if word == "forge":  # as code that has taken a worker over could
        for number in range(3, 20):
            if Path(f"/proc/self/fd/{number}").exists() and stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, b'{"outcome": "correct", "score": 7}\n')
        time.sleep(600)
    if word == "child":
        if os.fork() == 0:
            time.sleep(600)
        while True:
            pass
    if word == "sleep-pid":
        time.sleep(float(argument))
        return Grade.of(Outcome.WRONG, str(os.getpid()))
    if word == "pid":
        return Grade.of(Outcome.CORRECT, str(os.getpid()))
    return Grade.of(Outcome.CORRECT if text == question.gold else Outcome.WRONG, text[:100])
