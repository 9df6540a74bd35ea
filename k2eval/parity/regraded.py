"""The responses in files of others by k2eval's graders: what graders alone change on their side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from k2eval.grading import GradingJob, grade_all
from k2eval.parity.ours import Ours
from k2eval.parity.side import Side, key_of


@dataclass(frozen=True, slots=True)
class Regraded:
    """Their responses to questions in common, graded by both."""

    responses: int
    stated: float
    """Their score of these questions, as a fraction."""
    score: float
    """k2eval's score of the same responses."""
    failed: int
    """Responses that k2eval's grader could not decide; in no score."""

    @property
    def words(self) -> str:
        """The result in a sentence."""
        gap = 100 * (self.score - self.stated)
        return (
            f"their {self.responses:,} responses score {100 * self.score:.1f} by k2eval ({gap:+.1f} points)"
        )


def regraded(
    ours: Ours, theirs: Side, shared: Mapping[str, str], workers: int | None = None
) -> Regraded | None:
    """Grade their responses with the run's graders; None if they have none that can be graded here.

    The options of a choice may stand in another order there, so choices are graded only if the prompt is the same.

    Args:
        ours: The run's side, with its questions.
        theirs: The other side, with its responses.
        shared: Questions in common: our id -> their key.
        workers: Number of grading processes; one for each core if None.
    """
    chosen = {
        name: key
        for name, key in shared.items()
        if theirs.responses.get(key) and name in ours.questions and _is_asked_alike(ours, theirs, name, key)
    }
    found: dict[str, list[float]] = {name: [] for name in chosen}
    names: list[str] = []
    failed = 0

    def jobs() -> Iterator[GradingJob]:
        for name, key in chosen.items():
            for text, cut in theirs.responses[key]:
                names.append(name)
                yield GradingJob(ours.questions[name], text, cut)

    for place, grade in enumerate(grade_all(jobs(), workers)):
        if grade.score is None:
            failed += 1
        else:
            found[names[place]].append(grade.score)
    decided = [name for name, scores in found.items() if scores]
    if not decided:
        return None
    return Regraded(
        len(names),
        float(np.mean([np.mean(theirs.scores[chosen[name]]) for name in decided])),
        float(np.mean([np.mean(found[name]) for name in decided])),
        failed,
    )


def _is_asked_alike(ours: Ours, theirs: Side, name: str, key: str) -> bool:
    if not ours.questions[name].options:
        return True
    turns = ours.questions[name].messages
    forms = (ours.side.prompts.get(name, ""), turns[-1].content if turns else "")
    return bool(theirs.prompts.get(key)) and key_of(theirs.prompts[key]) in map(key_of, forms)
