"""Hedged requests: idle replicas ask a slow one's last requests, too, and the first answer counts.

After Dean and Barroso, The Tail at Scale, Communications of the ACM 56(2), 2013. With seeds honoured, both answers have
the same text, so it does not matter whose is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from k2eval.engines.fleet.member import Flight, Member

_FASTER = 2.0
"""A helper must be faster by this factor, since it begins the answer again."""
_IDLE = 0.5
"""Share of its window to which a helper may be filled; a fuller one would slow its own requests."""
_ANSWERS = 4
"""Answers from which the pace of a replica is known."""


def hedges(members: Sequence[Member], now: float) -> Iterator[tuple[Member, Flight, Member]]:
    """Yield requests that another replica should ask, too: owner, request, helper; the oldest requests first.

    Call it only if no request waits. The caller lets the helper begin before it takes the next one.
    """
    flights = [(owner, flight) for owner in members for flight in owner.flights]
    hedged = {flight.request.key for _, flight in flights if flight.hedge is not None}
    flights = [(owner, flight) for owner, flight in flights if flight.request.key not in hedged]
    for owner, flight in sorted(flights, key=lambda each: each[1].since):
        helpers = [each for each in members if each.accepts and each is not owner and each.load < _IDLE]
        helper = min(helpers, key=lambda each: each.load, default=None)
        if helper is not None and _is_worth_it(owner, now - flight.since, helper):
            yield owner, flight, helper


def _is_worth_it(owner: Member, age_s: float, helper: Member) -> bool:
    if helper.answered < _ANSWERS:
        return False
    if owner.answered >= _ANSWERS and helper.pace >= _FASTER * owner.pace:
        return True
    return age_s > _FASTER * helper.longest_s
