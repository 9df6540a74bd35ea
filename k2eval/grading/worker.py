"""What a grading process runs: reads questions as lines of JSON, writes grades as lines of JSON.

JSON rather than pickle: a worker has parsed what a model wrote, and its parent should not have to trust it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import BinaryIO

from k2eval.errors import K2EvalError
from k2eval.grading.registry import Grader, grader_for
from k2eval.records import Grade, Json, Outcome, Question

MEMORY_LIMIT = 4 << 30
"""Bytes of address space while grading; not for graders that run programs in processes of their own."""

_PR_SET_PDEATHSIG = 1
_NICENESS = 5
IDLE = "idle"
"""Argument of a worker that takes only the processor time that nothing else wants."""


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    if IDLE in sys.argv[2:]:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICENESS)
    source = sys.stdin.buffer
    # Libraries that print must not be able to write into the answers.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.setrecursionlimit(5_000)
    for line in source:
        message = json.loads(line)
        if "load" in message:
            _reply(replies, _load(message["load"]))
        for job in message.get("jobs", ()):
            _reply(replies, _grade(job))


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent, even in the middle of a computation."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        raise SystemExit("the parent is gone already")


def _reply(replies: BinaryIO, message: Json) -> None:
    replies.write(json.dumps(message).encode() + b"\n")
    replies.flush()


def _load(name: str) -> Json:
    try:
        grader = grader_for(name)
        if grader.prepare is not None:
            grader.prepare()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"loaded": name}


def _grade(job: Json) -> Json:
    grader = grader_for(job["grader"])
    question = Question.model_validate(job["question"])
    try:
        grade = _within_memory(grader, question, job["text"], job["truncated"])
    except MemoryError:
        grade = Grade.of(Outcome.MEMORY, reason=f"the comparison needed more than {MEMORY_LIMIT >> 30} GiB")
    except K2EvalError as error:
        grade = Grade.of(Outcome.GRADER_ERROR, reason=str(error))
    except Exception as error:
        grade = Grade.of(Outcome.GRADER_ERROR, reason=f"{type(error).__name__}: {error}"[:500])
    return grade.model_dump(mode="json")


def _within_memory(grader: Grader, question: Question, text: str, truncated: bool) -> Grade:
    if grader.time_limit is not None:
        return grader.grade(question, text, truncated)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT, hard)
    resource.setrlimit(resource.RLIMIT_AS, (cap, hard))
    try:
        return grader.grade(question, text, truncated)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    main()
