"""Parts that the graders of programs share: warm sandboxes, and the grade for each end of a run."""

from __future__ import annotations

import atexit
import os
import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from k2eval.grading.code.blocks import code_blocks, extract_code
from k2eval.records import Grade, Outcome
from k2eval.sandbox import Profile, RunOutcome, RunResult, Sandbox

OUTCOMES = {
    RunOutcome.OK: Outcome.CORRECT,
    RunOutcome.RUNTIME_ERROR: Outcome.RUNTIME_ERROR,
    RunOutcome.COMPILE_ERROR: Outcome.COMPILE_ERROR,
    RunOutcome.TIME_LIMIT: Outcome.TIMEOUT,
    RunOutcome.MEMORY_LIMIT: Outcome.MEMORY,
    RunOutcome.OUTPUT_LIMIT: Outcome.OUTPUT_LIMIT,
    RunOutcome.VIOLATION: Outcome.VIOLATION,
    RunOutcome.SANDBOX_ERROR: Outcome.GRADER_ERROR,
}
"""The outcome of a response for each end of a run, apart from the program's results."""

CODE_SHOWN = 2000
"""Characters of a program that a grade keeps."""

# Any mention counts (``import sys, numpy``, ``try: import numpy``): a false one costs a little time, a missed one the
# program.
# Matches "import numba" and "pandas.x"; not "pandas2".
_FULL = re.compile(r"\b(?:numba|pandas|networkx)\b")
# Matches "import scipy.special"; not "scipyx".
_SCIENTIFIC = re.compile(r"\b(?:scipy|sympy|h5py|mpmath|matplotlib)\b")
# Matches "import numpy as np"; not "numpydoc".
_NUMPY = re.compile(r"\bnumpy\b")


@dataclass(frozen=True)
class Failure:
    """The first test that a program did not pass, and why."""

    test: int
    outcome: Outcome
    why: str
    got: str = ""


_boxes: dict[tuple[int, Profile], Sandbox] = {}


def box(profile: Profile) -> Sandbox:
    """Return the sandbox of a profile in this process; it is started at the first call and kept warm.

    Raises:
        SandboxUnavailable: If programs cannot be isolated on this machine.
    """
    key = (os.getpid(), profile)
    if key not in _boxes:
        _boxes[key] = Sandbox(profile).__enter__()
    return _boxes[key]


def profile_for(code: str) -> Profile:
    """Return the leanest profile that has the imports of ``code`` warm."""
    if _FULL.search(code):
        return "full"
    if _SCIENTIFIC.search(code):
        return "scientific"
    return "numpy" if _NUMPY.search(code) else "plain"


@contextmanager
def bounded_memory(more: int = 4 << 30) -> Iterator[None]:
    """Let this process take at most ``more`` bytes while it compares a program's results.

    If the data set's own text makes a result huge, that ends in a MemoryError here and not with the machine.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _address_space() + more
    if resource.RLIM_INFINITY not in (soft, hard):
        limit = min(limit, soft, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


@atexit.register
def close_boxes() -> None:
    """End the sandboxes of this process."""
    for key in [key for key in _boxes if key[0] == os.getpid()]:
        _boxes.pop(key).__exit__(None, None, None)


def find_program(text: str, truncated: bool, find: Callable[[str], str | None] = extract_code) -> str | Grade:
    """Return the program of a response, or the grade of a response that has none.

    Args:
        text: The response after its reasoning.
        truncated: Whether the engine stopped at its token limit; then only a complete block counts.
        find: Function that finds the program in the text.
    """
    if truncated and not any(code_blocks(text)):
        return Grade.of(Outcome.TRUNCATED, reason="the token limit came before a complete code block")
    code = find(text)
    if code is None:
        outcome = Outcome.TRUNCATED if truncated else Outcome.NO_ANSWER
        return Grade.of(outcome, reason="no complete code block after the reasoning")
    return code


def shown(code: str) -> str:
    """Return ``code`` as a grade keeps it: valid Unicode of bounded length."""
    valid = code[:CODE_SHOWN].replace("\0", "\ufffd").encode(errors="replace").decode()
    return valid if len(code) <= CODE_SHOWN else valid + "…"


def last_words(result: RunResult) -> str:
    """Return the reason for a run's end: the last line of its traceback, or else the sandbox's message."""
    lines = result.stderr.decode(errors="replace").strip().splitlines()
    last = lines[-1].strip() if lines and result.outcome is RunOutcome.RUNTIME_ERROR else ""
    return last or result.message or result.outcome.value
