"""Texts that repeat a fragment, and the time that reading them takes: a search for what is not linear."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from random import Random

FRAGMENTS = [
    *("\\boxed{", "\\boxed", "\\boxed{1}", "\\boxed{}", "\\fbox ", "{", "}", "(", ")", "[", "]", "\\{", "\\}"),
    *("answer is (E).^ ", "answer is ", "answer", "Answer:", "**Answer:** ", "final ", "option ", "I choose ", "so, "),
    *("is", "is the ", " or B", " and ", "(A)", "A", "A is the ", "a", "ab", "The correct option is"),
    *(" ", "\t", "\n", "\n ", "\r", "\x85", "\0", "1", "12 3", "1,000 ", "1_000", ".", ",", ":", ";", "-", "+", "="),
    *("$", "$$", "\\(", "\\)", "\\[", "\\]", "\\", "\\\\", "\\, ", "~", "*", "**", "_", "\\_", "^", "|", "'", '"'),
    *("\\frac", "\\frac{1}{2}", "\\frac{", "\\sqrt", "\\text{", "\\text{and}", "\\le ", "\\in ", "\\cup ", "\\pm "),
    *("\\left(", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "x", "x=", "sqrt(", "2^(", "C(", "_{", "^{", "½", "\u0301"),
    *("\u0323\u0301", "²", "答案", "：", "<answer>", "</answer>", "<think>", "</think>", "```", "```python\n", "`"),
    *("~~~", "<|", "|>", "</a>", "def f(x):\n", "    return 1\n", ">>> f(1)\n", "assert ", "#", '"""', "from __future__ "),
]  # fmt: skip
AROUND = [
    ("", ""),
    ("", ""),
    ("\\boxed{", "}"),
    ("<answer>", "</answer>"),
    ("```python\n", "\n```"),
    ("```\n", "\n```"),
]


class Slow(BaseException):
    """Reading took longer than it may."""


def texts(random: Random, size: int, fragments: list[str]) -> Iterator[str]:
    """Texts of about ``size`` characters without end: a beginning, one unit again and again, and an end."""
    while True:
        begin = "".join(random.choices(fragments, k=random.choice([0, 0, 1, 1, 2])))
        unit = "".join(random.choices(fragments, k=random.choice([1, 1, 2, 3])))
        end = "".join(random.choices(fragments, k=random.choice([0, 1, 1, 2])))
        yield begin + unit * (size // len(unit) + 1) + end


def seconds(read: Callable[[str], object], text: str, limit: float) -> float:
    """Processor time of reading ``text``, the better of two tries; twice the limit if it did not end."""
    best = 2 * limit
    for _ in range(2):
        with contextlib.suppress(Slow), alarm(2 * limit):
            start = time.process_time()
            read(text)
            best = min(best, time.process_time() - start)
        if best < limit / 2:
            break
    return best


@contextlib.contextmanager
def alarm(after: float) -> Iterator[None]:
    """Raise `Slow` in the block after so many seconds of processor time."""

    def ring(*_: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
