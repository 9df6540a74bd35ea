"""Whether two scores agree: intervals of their difference, from the sharpest that both sides allow."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from k2eval.parity.ours import Ours
from k2eval.parity.side import Side
from k2eval.statistics import Estimate, average_of, paired_means, question_means, spread
from k2eval.tasks import words_of

_Z = 1.959963984540054
_STATED = 0.0051
"""A stated score and the mean of its samples may differ by rounding to whole points."""
_ALIKE = 0.5
"""Share of sequences of three words from which on two texts may be of one question."""
_MOST = 1_000_000
"""Questions of a binomial bound; more make no difference that is seen."""
_ROUNDING = 0.0002
"""Published scores are rounded: some are means of repeats that were rounded before."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """An interval of our score minus theirs, as fractions."""

    method: str
    words: str
    """The assumptions, in a sentence."""
    value: float
    low: float
    high: float
    questions: int

    @property
    def agrees(self) -> bool:
        """Whether no difference is shown."""
        return bool(self.low - _ROUNDING <= 0 <= self.high + _ROUNDING)


def shared_rows(ours: Ours, theirs: Side) -> dict[str, str]:
    """Return the questions that both sides have scores of: our id -> their key.

    A question is found by its text, or else by its id. If the texts that belong to one id are of two questions, the id
    does not count: others number their rows in their own way.
    """
    often = Counter(key for keys in ours.keys.values() for key in keys)
    common = _common(ours)
    found = {}
    for name, keys in ours.keys.items():
        for key in keys:
            if often[key] == 1 and key in theirs.scores and _may_be(ours, theirs, name, key, common):
                found[name] = key
                break
    return found


def contradicts(theirs: Side, shared: dict[str, str]) -> float | None:
    """Return the mean of all their samples if it is not the score that they state, else None."""
    mean = theirs.mean if shared else None
    return mean if mean is not None and abs(mean - theirs.score) > _STATED else None


def _may_be(ours: Ours, theirs: Side, name: str, key: str, common: frozenset[str]) -> bool:
    """Return whether a row that was found by its id may be the question, by the texts that are known."""
    if not key.startswith("id:") or name not in ours.questions or not theirs.prompts.get(key):
        return True
    mine = _pieces(ours.questions[name].messages[-1].content) - common
    other = _pieces(theirs.prompts[key]) - common
    least = min(len(mine), len(other))
    return not least or len(mine & other) >= _ALIKE * least


def _common(ours: Ours) -> frozenset[str]:
    """Return the pieces of half of our prompts or more: the request around the question."""
    counts = Counter(
        piece for question in ours.questions.values() for piece in _pieces(question.messages[-1].content)
    )
    return frozenset(
        piece for piece, number in counts.items() if number > 1 and 2 * number >= len(ours.questions)
    )


def _pieces(text: str) -> frozenset[str]:
    words = words_of(text)
    return frozenset(" ".join(words[at : at + 3]) for at in range(max(len(words) - 2, 1)))


def agreements(ours: Ours, theirs: Side, shared: dict[str, str]) -> list[Agreement]:
    """Return all intervals that can be made, the sharpest first.

    1. Paired: both sides have scores question by question, and those of theirs make up the score that they state.
    2. Same questions: the numbers of questions are equal and both numbers of repeats known. Only the noise of the
       repeats counts, and theirs is taken to be like ours.
    3. Two samples: both sets of questions are drawn anew. The standard error is theirs, if stated, else bounded by
       that of as many questions that are all right or all wrong. The arms of both intervals are combined (MOVER; Zou
       and Donner 2008, doi:10.1002/sim.3095).
    """
    found = []
    if len(shared) > 1 and contradicts(theirs, shared) is None:
        mine = ours.scores.means_of(list(shared))
        other = np.array([float(np.mean(theirs.scores[key])) for key in shared.values()])
        gap = paired_means(other, mine, test=False)
        words = f"question by question over {gap.questions} questions in common"
        found.append(Agreement("paired", words, gap.value, gap.low, gap.high, gap.questions))
    same = _of_same_questions(ours, theirs)
    return [*found, *([same] if same else []), _of_two_samples(ours, theirs)]


def _of_same_questions(ours: Ours, theirs: Side) -> Agreement | None:
    parts, mine = spread(ours.scores.values), ours.side.repeats
    if not (theirs.repeats and mine and theirs.questions == ours.side.questions and parts.repeat_se > 0):
        return None
    se = parts.repeat_se * math.sqrt(1 + mine / theirs.repeats)
    gap = ours.side.score - theirs.score
    words = (
        f"as the same {theirs.questions} questions, asked {mine} times here and {theirs.repeats} times there, with "
        "the noise of repeats here"
    )
    return Agreement("same questions", words, gap, gap - _Z * se, gap + _Z * se, theirs.questions or 0)


def _of_two_samples(ours: Ours, theirs: Side) -> Agreement:
    mine, gap = ours.scores.estimate, ours.side.score - theirs.score
    number = theirs.questions or ours.scores.info.expected_questions or mine.questions
    if theirs.se is not None and 0 < theirs.se < 1:
        below = above = _Z * theirs.se
        method = "two-sample, stated error"
        words = (
            f"as two sets of questions, with the standard error that is stated, {100 * theirs.se:.2f} points"
        )
    else:
        bound = _binomial(theirs.score, min(number, _MOST))
        below, above = theirs.score - bound.low, bound.high - theirs.score
        method = "two-sample, binomial bound"
        words = f"as two sets of questions, with the binomial bound of {number}"
        if not theirs.questions:
            method, words = (
                f"{method} (n assumed)",
                f"{words}, a number that is not stated there but the benchmark's",
            )
    low = gap - float(np.hypot(mine.value - mine.low, above))
    high = gap + float(np.hypot(mine.high - mine.value, below))
    return Agreement(method, words, gap, low, high, number)


def _binomial(score: float, questions: int) -> Estimate:
    """Return the interval of a share of questions, each right or wrong: no average over repeats varies more."""
    right = score * questions
    means = np.zeros(max(questions, 1))
    means[: int(right)] = 1.0
    if int(right) < len(means):
        means[int(right)] = right - int(right)
    return average_of(means)


def means_on(ours: Ours, questions: list[str]) -> float:
    """Return our score on some questions."""
    return float(np.nanmean(question_means(ours.scores.means_of(questions)[:, None])))
