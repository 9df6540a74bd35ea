"""Programs from examples: a table of inputs and outputs hides a linear or quadratic rule."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from .pen import Pen


class Rule(NamedTuple):
    """A hidden rule."""

    table: tuple[tuple[int, int], ...]
    """The examples that the statement shows."""
    code: str
    """The rule as an expression over x."""
    plan: tuple[str, ...]
    find: Callable[[Pen], str]
    """Finds the expression from the table."""


def draw_rule(rng: random.Random, level: int) -> Rule:
    """Draw a rule whose numbers grow with the level."""
    return _quadratic(rng, level) if level > 2 and rng.random() < 0.5 else _linear(rng, level)


def _linear(rng: random.Random, level: int) -> Rule:
    a = rng.randint(2, (9, 15, 30, 60, 150, 300, 600, 999)[level - 1])
    b = rng.randint(0, (9, 40, 99, 400, 900, 2000, 5000, 9999)[level - 1]) * (
        1 if level < 3 else rng.choice((1, 1, -1))
    )
    first = rng.randint(1, 3 * level)
    second = first + rng.randint(2, 3 + 3 * level)
    third = second + rng.randint(1, 9)
    table = tuple((x, a * x + b) for x in (first, second, third))

    def find(pen: Pen) -> str:
        rise = pen.sub(table[1][1], table[0][1])
        run = pen.sub(second, first)
        slope = pen.div(rise, max(run, 1))
        rest = _less(pen, table[0][1], pen.mul(slope, first))
        return linear(slope, rest)

    plan = (
        "Subtract the first output from the second",
        "Divide by the step of x",
        "Find what is left at the first x",
    )
    return Rule(table, linear(a, b), plan, find)


def _quadratic(rng: random.Random, level: int) -> Rule:
    a = rng.randint(1, (2, 3, 6, 12, 30, 60, 99, 200)[level - 1])
    b = rng.randint(0, (9, 20, 40, 90, 300, 600, 999, 2000)[level - 1])
    table = tuple((x, a * x * x + b * x) for x in (1, 2, 3, 4))

    def find(pen: Pen) -> str:
        (_, first), (_, second), (_, third), _ = table
        early = pen.sub(second, first)
        late = pen.sub(third, second)
        half = pen.div(pen.sub(late, early), 2)
        rest = _less(pen, first, half)
        return quadratic(half, rest)

    plan = (
        "Find the steps of the outputs",
        "Half of how much they grow goes with x * x",
        "Find what is left at x = 1",
    )
    return Rule(table, quadratic(a, b), plan, find)


def _less(pen: Pen, a: int, b: int) -> int:
    """Return the difference, written with the larger number first."""
    return pen.sub(a, b) if a >= b else -pen.sub(b, a)


def linear(a: int, b: int) -> str:
    """Write a times x, plus b."""
    return f"{a} * x" + (f" + {b}" if b > 0 else f" - {-b}" if b < 0 else "")


def quadratic(a: int, b: int) -> str:
    """Write a times the square of x, plus b times x."""
    return f"{a} * x * x" + (f" + {b} * x" if b > 0 else f" - {-b} * x" if b < 0 else "")
