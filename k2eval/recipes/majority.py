"""Majority: the answer that most candidates give; all candidates are asked, or only as many as the vote needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from k2eval.recipes.candidates import Candidate, CandidateOrLost, being_made, notes_of, split
from k2eval.recipes.sample import Sample
from k2eval.records import Response


@dataclass(frozen=True, slots=True)
class Majority:
    """A recipe that gives the most frequent answer of ``n`` candidates; of equally frequent ones, the first.

    The response is the first candidate with that answer. Candidates without an answer do not vote. If none has an
    answer, the response is the first candidate.
    """

    n: int
    planned: bool = False
    adaptive: bool = False
    """Whether to ask in waves, and to stop when the remaining candidates could not change the answer. The answer is
    always that of the whole vote; only tokens are saved."""

    async def __call__(self, sample: Sample) -> Response:
        """Make candidates, count their votes, and select one."""
        results: list[CandidateOrLost] = []
        while len(results) < self.n:
            wave = missing_votes([_vote(result) for result in results], self.n) if self.adaptive else self.n
            if wave == 0:
                break
            async with being_made(sample, range(len(results), len(results) + wave), self.planned) as tasks:
                fresh = [await task for task in tasks]
            results += fresh
        candidates, lost = split(results)
        votes = Counter(candidate.vote for candidate in candidates if candidate.vote is not None)
        leader = winner([candidate.vote for candidate in candidates])
        best = next((candidate for candidate in candidates if candidate.vote == leader), candidates[0])
        return sample.select(
            best.response,
            selected=best.index,
            votes=sorted(votes.values(), reverse=True),
            **notes_of(candidates, lost, len(results)),
            **self._saved(candidates, len(results)),
        )

    def _saved(self, candidates: Sequence[Candidate], count: int) -> dict[str, object]:
        if not self.adaptive:
            return {}
        spent = sum(candidate.response.recipe_tokens for candidate in candidates)
        spared = self.n - count
        return {"candidates_saved": spared, "tokens_saved_estimate": round(spent / len(candidates) * spared)}


def _vote(result: CandidateOrLost) -> str | None:
    return result.vote if isinstance(result, Candidate) else None


def winner(votes: Sequence[str | None]) -> str | None:
    """Return the most frequent vote, of equally frequent ones the first; None if nobody votes.

    >>> winner(["7", None, "5", "5", "7"])
    '7'
    """
    counts = Counter(vote for vote in votes if vote is not None)
    return max(counts, key=counts.__getitem__) if counts else None


def missing_votes(votes: Sequence[str | None], n: int) -> int:
    """Return the least number of further votes, of ``n`` in all, that could settle the vote; 0 if it is settled.

    The vote is settled if no other answer, seen or unseen, could still win with all remaining votes. At best all
    further votes go to the leader. So this number of candidates can be asked at once.

    >>> missing_votes([], 8), missing_votes(["7", "7", "5", "7"], 8), missing_votes(["7"] * 5, 8)
    (4, 1, 0)
    """
    left = n - len(votes)
    for more in range(left + 1):
        if _settled(votes, more, left - more):
            return more
    return left


def _settled(votes: Sequence[str | None], for_leader: int, left: int) -> bool:
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        # The first answer leads: another answer with as many votes would come later.
        return left == 0 or for_leader >= left > 0
    leader = max(counts, key=counts.__getitem__)
    order = list(counts)
    lead = counts[leader] + for_leader
    rivals = [
        (counts[vote] + left, order.index(vote) < order.index(leader)) for vote in order if vote != leader
    ]
    rivals.append((left, False))
    return all(reach < lead or (reach == lead and not earlier) for reach, earlier in rivals)
