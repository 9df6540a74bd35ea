"""The result of a generator: a question's row, its prompt, its plan and its solution."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from k2eval.records import Message

from .pen import Habits, Pen

SYSTEM = (
    "You are a careful problem solver. Think step by step inside <think> and </think>, "
    "then give the result inside <answer> and </answer>."
)
"""The system message of all four tasks, ``description`` in their YAML."""

Row = dict[str, Any]
BASE_LEVELS = (1, 2, 3, 4, 5)
"""Levels whose worked solutions `base` has learned."""
LEVELS = (*BASE_LEVELS, 6, 7, 8)
"""Levels of demonstrations, rewards and tests."""


@dataclass(frozen=True)
class Solution:
    """One solution of a question."""

    thinking: str
    answer: str
    """The text after the reasoning, the final answer included."""
    final: str
    """The bare final answer: a number, a letter, or the code."""
    claims: tuple[str, ...]
    """The claims that a judge has to check: the final answer on one line, or the code of every stage."""

    @property
    def reply(self) -> str:
        """The response as `sft` and `rl` write it."""
        return f"<think>\n{self.thinking}\n</think>\n<answer>{self.answer}</answer>"


@dataclass(frozen=True)
class Ask:
    """One prompt with everything that training needs to know about it."""

    messages: tuple[Message, ...]
    plan: tuple[str, ...]
    work: Callable[[Pen], Solution]
    gold: str
    """The final answer of flawless work."""
    stages: tuple[str, ...] = ()
    """The task of each stage of a program; empty if the answer is one line."""

    def solve(self, rng: random.Random, habits: Habits) -> Solution:
        """Solve the question with these habits."""
        return self.work(Pen(rng, habits))

    @property
    def plan_text(self) -> str:
        """The plan as numbered lines."""
        return "\n".join(f"{i}. {step}" for i, step in enumerate(self.plan, 1))


@dataclass(frozen=True)
class Item:
    """A question of one of the four kinds."""

    kind: str
    level: int
    row: Row
    """The row as committed under ``tasks/nano``, without the id."""
    asks: tuple[Ask, ...]
    """One prompt, or one for each sub-step."""
    text: str
    """The text that identifies the question."""
    extra: Row = field(default_factory=dict)

    @property
    def is_test(self) -> bool:
        """Whether the question belongs to the test side: one in eight, by a hash of its text."""
        return hashlib.sha256(self.text.encode()).digest()[0] < 32


def ask_for(user: str) -> tuple[Message, ...]:
    """Return the prompt of a task whose question is ``user``."""
    return (Message(role="system", content=SYSTEM), Message(role="user", content=user))
