"""Counts of speculation: sums and ratios."""

from __future__ import annotations

from hypothesis import given, strategies as st

from k2eval.records import SpeculativeCounts
from k2eval.statistics.acceptance import add_counts, ratios, subtract_counts

SOME = SpeculativeCounts(drafts=10, drafted_tokens=30, accepted_tokens=15, accepted_per_position=(8, 5, 2))
counts = st.lists(st.integers(0, 99), max_size=5).map(
    lambda by_position: SpeculativeCounts(
        drafts=100,
        drafted_tokens=500,
        accepted_tokens=sum(by_position),
        accepted_per_position=tuple(by_position),
    )
)


@given(counts, counts)
def test_what_was_added_can_be_taken_away(first: SpeculativeCounts, second: SpeculativeCounts) -> None:
    left = subtract_counts(add_counts(first, second), second)
    assert left is not None
    assert left.accepted_tokens == first.accepted_tokens
    assert sum(left.accepted_per_position) == sum(first.accepted_per_position)


def test_nothing_drafted_between_two_readings_is_none() -> None:
    assert subtract_counts(SOME, SOME) is None


def test_the_acceptance_length_counts_the_targets_own_token() -> None:
    assert ratios(SOME) == {
        "acceptance_rate": 0.5,
        "acceptance_length": 2.5,
        "acceptance_per_position": [0.8, 0.5, 0.2],
    }
