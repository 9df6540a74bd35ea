"""Compare two ways of generating: greedy texts token by token, samples by statistics.

Speculative decoding leaves the target's distribution as it is only if verification is exact. It computes several
tokens in one pass. In floating point, two almost equally likely tokens can then change places: a *tie*. The
largest distance of a tie is measured, not assumed: the same tokens are computed one at a time and all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from k2eval.statistics import Array, detectable, holm, question_means, sign_flip_p

LEVEL = 0.01
"""Samples differ if a p-value, after Holm's correction, is below this level."""
_CLOSE = 1.0
"""Noise is measured where the two likeliest tokens are within this distance in nats, as it could change their order."""
_LEAST_NOISE = 1e-4

Top = Sequence[tuple[int, float]]
"""The likeliest tokens at one position with their log-probabilities, likeliest first."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where two greedy outputs differ."""

    prompt: str
    """Task and question."""
    position: int
    """Index of the first token that differs."""
    plain: int | None
    """Token without speculation; None if that output had ended."""
    other: int | None
    gap: float
    """Nats by which the target prefers its own token to the other; infinite if the other is not among its top two."""
    tie: bool


def gap_noise(decoded: Sequence[Sequence[Top]], rescored: Sequence[Sequence[dict[int, float]]]) -> float:
    """Return the largest change, in nats, of the gap between the two likeliest tokens in another batch shape.

    Args:
        decoded: For each output the top two tokens at each position, from the pass that wrote the output.
        rescored: The same positions with log-probabilities from one pass over the whole output.
    """
    changes: list[tuple[float, float]] = []
    for output, again in zip(decoded, rescored, strict=True):
        for top, scores in zip(output, again, strict=True):
            if len(top) > 1 and all(token in scores for token, _ in top[:2]):
                (first, high), (second, low) = top[:2]
                gap = high - low
                changes.append((gap, abs(gap - (scores[first] - scores[second]))))
    close = [change for gap, change in changes if gap < _CLOSE]
    return max([*close, _LEAST_NOISE])


def divergence(
    prompt: str, plain: Sequence[int], top: Sequence[Top], other: Sequence[int], noise: float
) -> Divergence | None:
    """Find the first place where two greedy outputs differ; return None if they are equal.

    The difference is a tie if the target's two likeliest tokens are the two that were written, and no further apart
    than twice the noise, since each of the two computations has that noise.
    """
    if tuple(plain) == tuple(other):
        return None
    shared = min(len(plain), len(other))
    position = next((n for n in range(shared) if plain[n] != other[n]), shared)
    mine = plain[position] if position < len(plain) else None
    theirs = other[position] if position < len(other) else None
    ranked = dict(top[position][:2]) if position < len(top) else {}
    known = mine in ranked and theirs in ranked and mine is not None and theirs is not None
    gap = ranked[mine] - ranked[theirs] if known else float("inf")  # type: ignore[index]  # not None if known
    return Divergence(prompt, position, mine, theirs, gap, gap <= 2 * noise)


@dataclass(frozen=True, slots=True)
class Drift:
    """One statistic of the samples, with and without speculation."""

    name: str
    plain: float
    speculative: float
    shows: float
    """The true difference that this number of questions and samples shows in 80 % of cases."""
    p: float
    """P-value of sign flips over questions, after Holm's correction."""


def drifts(
    plain: dict[str, Sequence[Sequence[float]]], speculative: dict[str, Sequence[Sequence[float]]]
) -> list[Drift]:
    """Test whether samples differ, statistic by statistic.

    Args:
        plain: Name of the statistic -> a value for each question and sample, of shape (questions, samples); NaN
            if there is none.
        speculative: The same with speculation. The samples are others, so only questions are paired.
    """
    tests = []
    for name in plain:
        left, right = (np.asarray(side[name], dtype=float) for side in (plain, speculative))
        gaps = question_means(right) - question_means(left)
        gaps = gaps[np.isfinite(gaps)]
        se = float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else np.nan
        shows = detectable(se, len(gaps)) if len(gaps) > 1 else np.nan
        tests.append((name, _mean(left), _mean(right), shows, sign_flip_p(gaps)))
    adjusted = holm([p for *_, p in tests])
    return [Drift(*test[:4], p) for test, p in zip(tests, adjusted, strict=True)]


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of the check."""

    lossless: bool
    sentence: str


def judge(
    outputs: int,
    divergences: Sequence[Divergence],
    noise: float,
    drifted: Sequence[Drift],
    drafted_tokens: int,
) -> Judgement:
    """State the result of the check in one sentence that also says what to do."""
    if not drafted_tokens:
        return Judgement(
            False,
            "Nothing was drafted, so nothing was tested: give longer answers (--max-tokens), other tasks, or another "
            "way of drafting.",
        )
    broken = [divergent for divergent in divergences if not divergent.tie]
    if broken:
        worst = max(broken, key=lambda divergent: divergent.gap)
        distance = f"by {worst.gap:.2f} nats" if np.isfinite(worst.gap) else "by far"
        return Judgement(
            False,
            f"NOT lossless: {len(broken)} of {outputs} greedy outputs differ where the target was sure, such as "
            f"{worst.prompt} at token {worst.position}, where it prefers its own token {distance} (noise "
            f"{noise:.4f}). Run without speculation, or with another vLLM or method, and check again.",
        )
    moved = [drift for drift in drifted if drift.p < LEVEL]
    if moved:
        words = ", ".join(
            f"{drift.name} {drift.plain:.4g} → {drift.speculative:.4g} (p {drift.p:.2g})" for drift in moved
        )
        return Judgement(
            False,
            f"NOT lossless at temperature 1: {words}. Do not report scores made with this speculation; try another "
            "vLLM or method, and check again.",
        )
    same = outputs - len(divergences)
    ties = (
        f"; the other {len(divergences)} part at a tie (top two within {2 * noise:.4f} nats, twice the noise)"
        if divergences
        else ""
    )
    least = min((drift.p for drift in drifted), default=1.0)
    return Judgement(
        True,
        f"Lossless as far as this shows: {same} of {outputs} greedy outputs are identical{ties}, and at temperature 1 "
        f"nothing differs beyond noise (smallest p {least:.2f}). Scores made with this speculation stand for the "
        "checkpoint.",
    )
