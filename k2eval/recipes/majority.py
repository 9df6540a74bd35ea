"""Majority: the answer that most candidates give, all of them asked, or only as many as the vote needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from k2eval.recipes.candidates import Candidate, Made, being_made, notes_of, split
from k2eval.recipes.sample import Sample
from k2eval.records import Response


@dataclass(frozen=True, slots=True)
class Majority:
    """A recipe that answers what most of ``n`` candidates answer; of equally many, what was said first.

    The first candidate with that answer is the response. Candidates without an answer do not vote; where none
    has one, the first candidate is the response.
    """

    n: int
    planned: bool = False
    adaptive: bool = False
    """Ask in waves and stop when the candidates not yet asked could not change the answer. The answer is that
    of the whole vote by construction; only tokens are saved."""

    async def __call__(self, sample: Sample) -> Response:
        """Make candidates, count, select."""
        made: list[Made] = []
        while len(made) < self.n:
            wave = needed([_vote(one) for one in made], self.n) if self.adaptive else self.n
            if wave == 0:
                break
            async with being_made(sample, range(len(made), len(made) + wave), self.planned) as tasks:
                fresh = [await task for task in tasks]
            made += fresh
        candidates, lost = split(made)
        votes = Counter(candidate.vote for candidate in candidates if candidate.vote is not None)
        leader = winner([candidate.vote for candidate in candidates])
        best = next((one for one in candidates if one.vote == leader), candidates[0])
        return sample.select(
            best.response,
            selected=best.index,
            votes=sorted(votes.values(), reverse=True),
            **notes_of(candidates, lost, len(made)),
            **self._saved(candidates, len(made)),
        )

    def _saved(self, candidates: Sequence[Candidate], asked: int) -> dict[str, object]:
        if not self.adaptive:
            return {}
        spent = sum(one.response.recipe_tokens for one in candidates)
        spared = self.n - asked
        return {"candidates_saved": spared, "tokens_saved_estimate": round(spent / len(candidates) * spared)}


def _vote(made: Made) -> str | None:
    return made.vote if isinstance(made, Candidate) else None


def winner(votes: Sequence[str | None]) -> str | None:
    """The most frequent vote, the first seen of equally frequent ones; None where nobody votes."""
    counts = Counter(vote for vote in votes if vote is not None)
    return max(counts, key=counts.__getitem__) if counts else None


def needed(votes: Sequence[str | None], n: int) -> int:
    """How many more candidates of ``n`` must be asked before the vote can possibly be settled; 0 if it is.

    The vote is settled when no answer, seen or unseen, could still win with all votes that are left. At best
    all further votes go to the leader, so the least number that could settle it is asked at once.
    """
    left = n - len(votes)
    for more in range(left + 1):
        if _settled(votes, more, left - more):
            return more
    return left


def _settled(votes: Sequence[str | None], for_leader: int, left: int) -> bool:
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        # Whoever comes first leads; a newcomer with as many votes would come later.
        return left == 0 or for_leader >= left > 0
    leader = max(counts, key=counts.__getitem__)
    order = list(counts)
    lead = counts[leader] + for_leader
    rivals = [
        (counts[vote] + left, order.index(vote) < order.index(leader)) for vote in order if vote != leader
    ]
    rivals.append((left, False))
    return all(reach < lead or (reach == lead and not earlier) for reach, earlier in rivals)
