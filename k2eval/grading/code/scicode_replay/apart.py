"""Replay in a separate process with its own limits.

A test is the data set's text and does what it likes with what the submission gave: it hashes numbers that were chosen
to collide, multiplies shapes that do not fit, makes a sparse matrix dense. So the replay may take as much processor
time as the recording took, a minute more, and a bounded memory. A replay that computed for its whole limit has not
passed. One that ends in any other way has no result, which is a failure on our side.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from k2eval.grading.code.scicode_replay.reduce import Unjudgeable
from k2eval.grading.code.scicode_replay.replay import Judgement, replay

CPU_SECONDS = 60.0
"""Processor time for the comparisons of one step, on top of the time that the recording took."""
MEMORY_BYTES = 4 << 30
"""Memory for the comparisons of one step, on top of the process that holds the results."""

_PR_SET_PDEATHSIG = 1


class ReplayFailed(Exception):
    """The replay gave no judgement, for a reason that is not the submission's."""


class ReplayLost(ReplayFailed):
    """The process of the replay was ended from outside; another may succeed."""


def replay_apart(
    tests: Sequence[str],
    targets: Sequence[Any],
    records: Sequence[Any],
    called: Sequence[str],
    dependencies: str,
    recorded_s: float = 0.0,
    extra_s: float = CPU_SECONDS,
) -> Judgement:
    """Judge one step as `replay` does, within limits.

    Args:
        tests: The step's tests, unmodified.
        targets: One target a test.
        records: The records that the recording run emitted.
        called: Names of the submission's functions and classes.
        dependencies: The problem's import lines.
        recorded_s: Processor time of the recording run.
        extra_s: Processor time that the comparisons may take on top.

    Raises:
        Unjudgeable: If a test needs a module that is not there.
        ReplayLost: If the process ended without a word.
        ReplayFailed: If the replay failed in another way that is not the submission's.
    """
    seconds = math.ceil(recorded_s + extra_s)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of forking beside threads: the child starts none
        child = os.fork()
    if child == 0:
        os.close(reader)
        _serve(writer, seconds, lambda: replay(tests, targets, records, called, dependencies))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGXCPU:
        return Judgement("overran", why=f"the comparison took more than {seconds} s of processor time")
    if not data:
        raise ReplayLost(
            f"the comparison ended with {signal.Signals(-status).name if status < 0 else f'code {status}'}"
        )
    answer = json.loads(data)
    if "unjudgeable" in answer:
        raise Unjudgeable(answer["unjudgeable"])
    if "error" in answer:
        raise ReplayFailed(answer["error"])
    return Judgement(answer["kind"], answer["test"], answer["why"])


def _serve(writer: int, seconds: int, judge: Callable[[], Judgement]) -> NoReturn:
    """Write the judgement as JSON and end this process, which shares everything with its parent but its fate."""
    status = 1
    with contextlib.suppress(BaseException):
        _limit(seconds)
        data = json.dumps(_answer(judge)).encode(errors="replace")
        while data:
            data = data[os.write(writer, data) :]
        status = 0
    os._exit(status)


def _answer(judge: Callable[[], Judgement]) -> dict[str, Any]:
    try:
        judgement = judge()
    except Unjudgeable as error:
        return {"unjudgeable": str(error)}
    except MemoryError:
        return {"kind": "failed", "test": 0, "why": "the results need more memory than a comparison may take"}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:400]}
    return {"kind": judgement.kind, "test": judgement.test, "why": judgement.why}


def _limit(seconds: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY_BYTES)
    _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _lower(kind: int, value: int) -> None:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if soft == resource.RLIM_INFINITY else min(value, soft), hard))
