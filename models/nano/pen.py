"""Written arithmetic: every operation writes a line, quickly or carefully, and sometimes with a slip.

A quick line states the result. A careful line splits the operation into easy parts. Demonstrations for `sft` mix
both ways and make slips on purpose, more of them in quick lines. So reinforcement learning can find out that care
pays.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Habits:
    """The habits of a person who solves a question."""

    careful: float = 0.5
    """Chance that an operation is worked out in parts."""
    quick_slip: float = 0.0
    """Chance of a wrong result in a quick line."""
    careful_slip: float = 0.0
    """Chance of a wrong result in a careful line."""
    misread: float = 0.0
    """Chance that a number or a word of the question is taken wrongly."""
    notice: float = 0.0
    """Chance that a wrong result is noticed and corrected."""
    scans: bool = False
    """Whether the options are checked one by one."""


FLAWLESS = Habits()
CAREFUL = Habits(careful=1.0, scans=True)
STUDENT = Habits(careful=0.45, quick_slip=0.12, careful_slip=0.05, misread=0.05, notice=0.35, scans=True)
PLANNED_STUDENT = Habits(
    careful=0.55, quick_slip=0.10, careful_slip=0.05, misread=0.01, notice=0.35, scans=True
)
POOR = Habits(careful=0.4, quick_slip=0.3, careful_slip=0.2, misread=0.15, notice=0.1, scans=True)


@dataclass
class Pen:
    """Writes lines of working and hands back the results, right or wrong."""

    rng: random.Random
    habits: Habits = FLAWLESS
    lines: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    """One ``a+b=c`` for each operation, for the summary in the answer."""

    def note(self, text: str) -> None:
        """Write a line that computes nothing."""
        self.lines.append(text)

    def misreads(self) -> bool:
        """Draw whether a number is misread now."""
        return self.rng.random() < self.habits.misread

    def add(self, a: int, b: int) -> int:
        """Write a plus b."""
        return self._operate("+", a, self._read(b))

    def sub(self, a: int, b: int) -> int:
        """Write a minus b."""
        return self._operate("-", a, self._read(b))

    def mul(self, a: int, b: int) -> int:
        """Write a times b."""
        return self._operate("*", a, self._read(b))

    def div(self, a: int, b: int) -> int:
        """Write the whole part of a / b."""
        return self._operate("/", a, max(1, self._read(b)))

    def mod(self, a: int, b: int) -> int:
        """Write the remainder of a / b."""
        return self._operate(" mod ", a, max(1, self._read(b)))

    def _read(self, number: int) -> int:
        return nearby(number, self.rng) if self.misreads() else number

    def _operate(self, sign: str, a: int, b: int) -> int:
        right = _APPLY[sign](a, b)
        parts = _parts(sign, a, b) if self.rng.random() < self.habits.careful else ""
        wrong = self.rng.random() < (self.habits.careful_slip if parts else self.habits.quick_slip)
        result = nearby(right, self.rng) if wrong else right
        self.lines.append(f"{a}{sign}{b}={parts}{result}")
        if wrong and self.rng.random() < self.habits.notice:
            result = right
            self.lines.append(f"Wait: {a}{sign}{b}={_parts(sign, a, b)}{result}")
        self.short.append(f"{a}{sign}{b}={result}")
        return result


_APPLY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    " mod ": lambda a, b: a % b,
}


def nearby(number: int, rng: random.Random) -> int:
    """Return a different number that a slip could make: a digit off, ten off, or two digits swapped."""
    digits = list(str(abs(number)))
    way = rng.random()
    if way < 0.3 and len(digits) > 1:
        place = rng.randrange(len(digits) - 1)
        digits[place], digits[place + 1] = digits[place + 1], digits[place]
        swapped = int("".join(digits))
        if swapped != abs(number):
            return swapped if number >= 0 else -swapped
    step = 10 ** rng.randrange(len(digits)) if way < 0.8 else 1
    moved = number + rng.choice((-1, 1)) * step
    return moved if moved >= 0 or number < 0 else number + step


def _places(number: int) -> list[int]:
    digits = str(number)
    return [int(d) * 10 ** (len(digits) - i - 1) for i, d in enumerate(digits) if d != "0"]


def _parts(sign: str, a: int, b: int) -> str:
    """Return the careful middle of ``a sign b=…result``, ending in ``=``; empty if there is nothing to split."""
    if a < 0 or b < 0:
        return ""
    if sign == "+":
        return _sum_parts(a, b)
    if sign == "-":
        return _difference_parts(a, b)
    if sign == "*":
        return _product_parts(a, b)
    return _division_parts(sign, a, b)


def _sum_parts(a: int, b: int) -> str:
    if min(a, b) < 10:
        return ""
    size = max(len(str(a)), len(str(b)))
    columns = [(a // 10**i % 10 + b // 10**i % 10) * 10**i for i in reversed(range(size))]
    parts = [str(c) for c in columns if c]
    return "+".join(parts) + "=" if len(parts) > 1 else ""


def _difference_parts(a: int, b: int) -> str:
    steps = _places(b)
    if len(steps) < 2 or b > a:
        return ""
    text, left = "", a
    for i, _ in enumerate(steps):
        text += str(left) + "".join(f"-{s}" for s in steps[i:]) + "=" if i else ""
        left -= steps[i]
    return text


def _product_parts(a: int, b: int) -> str:
    if min(a, b) < 2 or max(a, b) < 10:
        return ""
    split, by = (b, a) if min(a, b) > 9 else (max(a, b), min(a, b))
    places = _places(split)
    if len(places) < 2:
        return ""
    return "+".join(f"{by}*{p}" for p in places) + "=" + "+".join(str(by * p) for p in places) + "="


def _division_parts(sign: str, a: int, b: int) -> str:
    quotient = a // b if b else 0
    places = _places(quotient)
    if not b or len(places) < 1 or (len(places) < 2 and sign == "/"):
        return ""
    text, left = "(", a
    for place in places:
        left -= b * place
        text += f"{b}*{place}={b * place},{left};"
    return text + ")="
