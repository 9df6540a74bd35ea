"""Counts of speculative decoding: sums, ratios, and a line of text that states them."""

from __future__ import annotations

from itertools import zip_longest

from k2eval.records import Json, SpeculativeCounts


def add_counts(first: SpeculativeCounts | None, second: SpeculativeCounts) -> SpeculativeCounts:
    """Return the sum of two counts. Without a first count, return the second."""
    return _combined(first, second, 1) if first else second


def subtract_counts(
    later: SpeculativeCounts | None, earlier: SpeculativeCounts | None
) -> SpeculativeCounts | None:
    """Return the counts between two readings; None if nothing was drafted between them."""
    if later is None or earlier is None:
        return later
    counts = _combined(later, earlier, -1)
    return counts if counts.drafts else None


def _combined(first: SpeculativeCounts, second: SpeculativeCounts, sign: int) -> SpeculativeCounts:
    pairs = zip_longest(first.accepted_per_position, second.accepted_per_position, fillvalue=0)
    return SpeculativeCounts(
        drafts=first.drafts + sign * second.drafts,
        drafted_tokens=first.drafted_tokens + sign * second.drafted_tokens,
        accepted_tokens=first.accepted_tokens + sign * second.accepted_tokens,
        accepted_per_position=tuple(left + sign * right for left, right in pairs),
    )


def ratios(counts: SpeculativeCounts) -> dict[str, Json]:
    """Return acceptance rate, mean acceptance length and acceptance per position.

    The length counts the target's own token of each verification step, as vLLM does: 1 + accepted / drafts. Steps
    without a draft are not counted; ``ngram`` drafts nothing in a text that never repeats.

    >>> ratios(SpeculativeCounts(drafts=10, drafted_tokens=30, accepted_tokens=15))["acceptance_length"]
    2.5
    """
    return {
        "acceptance_rate": _ratio(counts.accepted_tokens, counts.drafted_tokens),
        "acceptance_length": 1 + _ratio(counts.accepted_tokens, counts.drafts),
        "acceptance_per_position": [_ratio(number, counts.drafts) for number in counts.accepted_per_position],
    }


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def in_words(counts: SpeculativeCounts) -> str:
    """Return one line with acceptance length, acceptance rate and acceptance per position.

    >>> in_words(SpeculativeCounts(drafts=10, drafted_tokens=30, accepted_tokens=15))
    'acceptance length 2.50, 50.0 % of 30 drafted tokens accepted (by position, %: -)'
    """
    shares = ratios(counts)
    positions = " ".join(f"{100 * rate:.0f}" for rate in shares["acceptance_per_position"])
    return (
        f"acceptance length {shares['acceptance_length']:.2f}, {100 * shares['acceptance_rate']:.1f} % of "
        f"{counts.drafted_tokens:,} drafted tokens accepted (by position, %: {positions or '-'})"
    )
