"""Questions that several benchmarks ask, which an average counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from k2eval.leaderboard.columns import Benchmark, Row, identity_of
from k2eval.leaderboard.scores import TaskScores
from k2eval.statistics import Array, Estimate


class Once:
    """The questions of some benchmarks, each in one benchmark alone.

    A question that several have counts in the benchmark with the fewest questions, the first of equal ones: a small
    benchmark may lie within a large one.
    """

    def __init__(self, members: Sequence[Benchmark]) -> None:
        self.members = members
        asked = [Asked(each.name, each.title, each.questions, each.identities) for each in members]
        self._left_out, self.notes = left_out(asked)

    @property
    def counted(self) -> list[Benchmark]:
        """The benchmarks of which at least one question counts."""
        return [member for member in self.members if self.size(member)]

    def size(self, member: Benchmark) -> int:
        """Return the number of questions of a benchmark that count."""
        return len(member.questions) - len(self._left_out[member.name])

    def means(self, member: Benchmark) -> Array:
        """Return the means of the questions that count; shape (questions, rows)."""
        keep = [question not in self._left_out[member.name] for question in member.questions]
        means: Array = member.means[np.array(keep, dtype=bool)]
        return means

    def estimate(self, member: Benchmark, row: Row) -> Estimate:
        """Return the estimate of a row on the questions that count."""
        out = self._left_out[member.name]
        if not out:
            return row.estimates[member.name]
        return row.run.tasks[member.name].without(out).estimate


class Asked(NamedTuple):
    """The questions of a benchmark."""

    name: str
    title: str
    questions: tuple[str, ...]
    """Ids."""
    identities: tuple[str, ...]
    """For each question what is equal for the same question of another benchmark."""


def asked_of(name: str, tasks: Sequence[TaskScores]) -> Asked:
    """Return the questions of a benchmark.

    Args:
        name: The benchmark.
        tasks: Its verdicts in one run or several.
    """
    questions = tuple(dict.fromkeys(question for task in tasks for question in task.questions))
    identities = tuple(identity_of(name, question, tasks) for question in questions)
    return Asked(name, tasks[0].info.title or name, questions, identities)


def left_out(members: Sequence[Asked]) -> tuple[Mapping[str, frozenset[str]], tuple[str, ...]]:
    """Return by benchmark the questions that count elsewhere, and a note for each pair that shares some.

    >>> left_out([Asked("l", "Large", ("1", "2"), ("a", "b")), Asked("s", "Small", ("1",), ("b",))])[0]["l"]
    frozenset({'2'})
    """
    owner: dict[str, Asked] = {}
    out: dict[str, set[str]] = {member.name: set() for member in members}
    shared: dict[tuple[str, str], int] = {}
    for member in sorted(members, key=lambda each: len(each.questions)):
        for question, identity in zip(member.questions, member.identities, strict=True):
            other = owner.setdefault(identity, member)
            if other.name != member.name:
                out[member.name].add(question)
                pair = (member.title, other.title)
                shared[pair] = shared.get(pair, 0) + 1
    notes = tuple(
        f"{count} question{'s' if count > 1 else ''} of {title} {'are' if count > 1 else 'is'} also in {other}, and "
        "counted there alone"
        for (title, other), count in shared.items()
    )
    return {name: frozenset(questions) for name, questions in out.items()}, notes
