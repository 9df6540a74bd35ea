"""The program of a grading process: it reads questions as lines of JSON, and writes grades as lines of JSON.

JSON rather than pickle: a worker has parsed what a model wrote, and its parent should not have to trust it.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from k2eval.errors import K2EvalError
from k2eval.grading.registry import Grader, grader_for
from k2eval.records import Grade, Json, Outcome, Question, ReasoningFormat
from k2eval.system import die_with_parent

MEMORY_LIMIT = 1 << 30
"""Bytes that one answer may need, on top of what the process has; not for graders that run programs elsewhere."""
MEMORY_KEPT = 1 << 30
"""Bytes of memory in use between two answers above which the caches are emptied."""

_NICENESS = 5
IDLE = "idle"
"""Argument of a worker that takes only the processor time that nothing else wants."""


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
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
        grade = _within_memory(
            grader,
            question,
            job["text"],
            job["truncated"],
            ReasoningFormat.model_validate(job["reasoning"]),
            job["answer_start"],
        )
        return _sound(grade)
    except MemoryError:
        reason = "the machine has no memory left for the comparison"
    except K2EvalError as error:
        reason = str(error)
    except (Exception, SystemExit) as error:  # a grader of the user's may raise anything
        reason = f"{type(error).__name__}: {error}"
    return Grade.of(Outcome.GRADER_ERROR, reason=reason[:500]).model_dump(mode="json")


def _sound(grade: Grade) -> Json:
    """Return a grade as JSON; a detail that is no JSON, or a score that does not fit, is an error of the grader's."""
    fields = json.loads(json.dumps(grade.model_dump(mode="json"), allow_nan=False))
    return Grade.model_validate(fields).model_dump(mode="json")


def _within_memory(
    grader: Grader,
    question: Question,
    text: str,
    truncated: bool,
    form: ReasoningFormat,
    answer_start: int | None,
) -> Grade:
    """Grade with room for what one answer may need, whatever the answers before have left behind.

    Raises:
        MemoryError: If there was not enough, because the process has a smaller limit than ours.
    """
    if grader.time_limit is not None:
        return grader.grade_response(question, text, truncated, form, answer_start)
    limit = _address_space() + MEMORY_LIMIT
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    theirs = [value for value in (soft, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([limit, *theirs]), hard))
    try:
        return grader.grade_response(question, text, truncated, form, answer_start)
    except MemoryError:
        if limit > min(theirs, default=limit):
            raise
        return Grade.of(
            Outcome.MEMORY, reason=f"the comparison needed more than {MEMORY_LIMIT >> 20} MiB of memory"
        )
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        if _in_use() > MEMORY_KEPT:
            _forget()


def _address_space() -> int:
    return _statm()[0]


def _in_use() -> int:
    return _statm()[1]


def _statm() -> list[int]:
    """Return the bytes that this process has mapped, and those that it has in memory."""
    return [
        int(pages) * resource.getpagesize()
        for pages in Path("/proc/self/statm").read_text("ascii").split()[:2]
    ]


def _forget() -> None:
    """Empty all caches of functions, the graders' and those of the libraries that they use."""
    for value in gc.get_objects():
        if isinstance(value, functools._lru_cache_wrapper):
            value.cache_clear()
    gc.collect()


if __name__ == "__main__":
    main()
