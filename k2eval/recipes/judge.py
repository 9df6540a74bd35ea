"""The pairwise judge: two candidates, asked in both orders.

The rules, in order:

1. If both candidates have the same answer, or neither has one, no judge is asked. The lower index wins.
2. A candidate with an answer beats a candidate without.
3. Otherwise the judge is asked in both orders. A candidate that both orders name wins.
4. If the orders disagree, or a verdict stays unusable after three attempts, the answer with more votes among the
   candidates in play so far wins. If the votes are equal, the lower index wins.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from k2eval.reasoning import Parts
from k2eval.recipes.candidates import Candidate, all_of
from k2eval.recipes.planning import again
from k2eval.recipes.prompts import JUDGE_SCHEMA, judge_messages
from k2eval.recipes.sample import Sample
from k2eval.records import Generation, Json, Role, Sampling

ATTEMPTS = 3
"""Most requests for one order, if no verdict is usable."""

SHOWN = 16_000
"""Most characters of a candidate that a judge sees: the last ones after its reasoning."""

_BRACES = 2_000
"""Most opening braces of a reply that are tried; formulas have many, and each try may read to the reply's end."""

SAMPLING = Sampling(
    temperature=0.6,
    top_p=0.95,
    max_tokens=4_096,
    stop=(),
    json_schema=JUDGE_SCHEMA,
    thinking=False,
)
"""The sampling of a verdict, unless the run changes ``roles.judge.sampling``. It is not greedy: after an unusable
verdict the judge is asked again, and greedy decoding would repeat that verdict. The explanation takes the place of
thinking, which a schema leaves no room for."""

Ground = Literal["same answer", "no answer", "only answer", "both orders", "votes", "lower index"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing two candidates."""

    pair: tuple[int, int]
    """Indices of the candidates, the lower first."""
    winner: int
    ground: Ground
    orders: tuple[int | None, ...] = ()
    """The index that each order named; the first order shows the lower candidate first. Empty if none was asked."""

    def note(self) -> dict[str, Json]:
        """Return the entry in a verdict's notes."""
        orders = {"orders": list(self.orders)} if self.orders else {}
        return {"pair": list(self.pair), "winner": self.winner, "ground": self.ground, **orders}

    def marks(self) -> list[str]:
        """Return the marks for a reader of the verdict."""
        unusable = sum(named is None for named in self.orders)
        if not unusable:
            return []
        first, second = self.pair
        return [f"judge {first}-{second}: {unusable} of 2 orders without a usable verdict"]


async def compare(
    sample: Sample, first: Candidate, second: Candidate, in_play: Sequence[Candidate]
) -> Comparison:
    """Decide which of two candidates is better.

    Args:
        sample: The sample that the candidates answer.
        first: A candidate.
        second: Another candidate.
        in_play: The candidates that vote if the judge cannot decide.

    Raises:
        EngineError: If the judge's engine has given up.
    """
    low, high = sorted((first, second), key=lambda candidate: candidate.index)
    pair = (low.index, high.index)
    if low.vote == high.vote:
        return Comparison(pair, low.index, "no answer" if low.vote is None else "same answer")
    if low.vote is None or high.vote is None:
        return Comparison(pair, low.index if high.vote is None else high.index, "only answer")
    orders = tuple(await all_of(_ask(sample, low, high), _ask(sample, high, low)))
    if orders[0] is not None and orders[0] == orders[1]:
        return Comparison(pair, orders[0], "both orders", orders)
    votes = Counter(candidate.vote for candidate in in_play)
    if votes[low.vote] == votes[high.vote]:
        return Comparison(pair, low.index, "lower index", orders)
    winner = low if votes[low.vote] > votes[high.vote] else high
    return Comparison(pair, winner.index, "votes", orders)


async def _ask(sample: Sample, first: Candidate, second: Candidate) -> int | None:
    """Return the index of the candidate that the judge names if ``first`` is shown first; None if it names none."""
    messages = judge_messages(sample.problem, shown(first), shown(second))
    sampling = sample.sampling_for("judge", SAMPLING)
    for attempt in range(ATTEMPTS):
        stage = again(f"judge.{first.index}-{second.index}", attempt)
        generation = await sample.generate(stage, messages, sampling=sampling, role="judge")
        named = read_index(reply_of(sample, generation, "judge"))
        if named is not None:
            return (first, second)[named].index
    return None


def shown(candidate: Candidate) -> str:
    """Return the part of a candidate's response that a judge sees."""
    text = Parts.of(candidate.response).answer.strip()
    return text if len(text) <= SHOWN else "[…]" + text[-SHOWN:]


def reply_of(sample: Sample, generation: Generation, role: Role) -> str:
    """Return what a role replied after its reasoning.

    A schema binds a reply from its first token, also if the chat template has just opened reasoning, or a server takes
    the whole reply for reasoning: then the object is the reply.
    """
    parts = sample.parts(generation, role)
    bound = not parts.answer.strip() and parts.reasoning.startswith("{")
    return parts.reasoning if bound else parts.answer


def read_index(text: str) -> int | None:
    """Read the ``index`` of a judge's reply: 0 or 1, or None if the reply has no such object.

    >>> read_index('The first. {"explanation": "The second is cut.", "index": 0}')
    0
    >>> read_index("The first.") is None
    True
    """
    reply = read_object(text)
    index = reply.get("index") if reply else None
    if isinstance(index, str) and index.strip() in ("0", "1"):
        return int(index)
    return index if isinstance(index, int) and not isinstance(index, bool) and index in (0, 1) else None


def read_object(text: str) -> dict[str, Json] | None:
    """Return the last JSON object in a reply, code fences aside; None if there is none."""
    decoder = json.JSONDecoder(strict=False)
    last, position = None, 0
    for _ in range(_BRACES):
        position = text.find("{", position)
        if position < 0:
            break
        try:
            value, position = decoder.raw_decode(text, position)
            last = value
        except ValueError:
            position += 1
        except RecursionError:
            break
    return last if isinstance(last, dict) else None
