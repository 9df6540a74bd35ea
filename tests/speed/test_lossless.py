"""Whether two ways of generating are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.speed.lossless import Divergence, divergence, drifts, gap_noise, judge

Statistics = dict[str, Sequence[Sequence[float]]]
TOP = [((5, -0.1), (6, -2.5)), ((7, -0.69), (8, -0.70)), ((9, -0.2), (4, -1.8))]


def test_equal_outputs_do_not_diverge() -> None:
    assert divergence("q", [5, 7, 9], TOP, [5, 7, 9], 0.1) is None


def test_a_swap_of_two_tokens_within_twice_the_noise_is_a_tie() -> None:
    result = divergence("q", [5, 7, 9], TOP, [5, 8, 1], 0.006)
    assert result is not None
    assert (result.position, result.plain, result.other, result.tie) == (1, 7, 8, True)
    assert result.gap == pytest.approx(0.01)


def test_the_same_swap_is_no_tie_where_noise_is_smaller() -> None:
    result = divergence("q", [5, 7, 9], TOP, [5, 8, 1], 0.004)
    assert result is not None and not result.tie


def test_a_token_outside_the_top_two_is_never_a_tie() -> None:
    result = divergence("q", [5, 7, 9], TOP, [5, 1, 9], 10.0)
    assert result is not None and not result.tie and math.isinf(result.gap)


def test_an_output_that_ends_early_diverges_at_its_end() -> None:
    difference = divergence("q", [5, 7, 9], TOP, [5, 7], 0.1)
    assert difference is not None
    assert (difference.position, difference.plain, difference.other, difference.tie) == (2, 9, None, False)


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_the_first_difference_is_found(first: list[int], second: list[int]) -> None:
    difference = divergence("q", first, [((0, -1.0), (1, -1.0))] * 6, second, 0.0)
    if difference is None:
        assert first == second
    else:
        assert first[: difference.position] == second[: difference.position]
        assert (
            first[difference.position : difference.position + 1]
            != second[difference.position : difference.position + 1]
        )


def test_noise_is_the_largest_change_of_a_close_gap() -> None:
    again = [{5: -0.1, 6: -9.9}, {7: -0.70, 8: -0.66}, {9: -0.2, 4: -1.8}]
    assert gap_noise([TOP], [again]) == pytest.approx(0.05)


def sides(shift: float, questions: int = 40, samples: int = 4) -> tuple[Statistics, Statistics]:
    draw = np.random.default_rng(3)
    level = draw.normal(0, 5, (questions, 1))

    def side(more: float) -> Statistics:
        return {name: (level + draw.normal(more, 1, (questions, samples))).tolist() for name in ("a", "b")}

    return side(0.0), side(shift)


def test_samples_of_one_distribution_do_not_drift() -> None:
    assert min(drift.p for drift in drifts(*sides(0.0))) > 0.05


def test_a_shift_below_the_spread_between_questions_is_seen() -> None:
    [first, second] = drifts(*sides(0.8))
    assert first.p < 0.01 and second.p < 0.01
    assert first.shows < 0.8


def test_missing_values_are_left_out() -> None:
    [drift] = drifts({"a": [[1.0, math.nan], [2.0, 2.0]]}, {"a": [[1.0, 1.0], [math.nan, math.nan]]})
    assert (drift.plain, drift.speculative, drift.p) == pytest.approx((5 / 3, 1.0, 1.0))


TIE = Divergence("aime24 1", 4, 7, 8, 0.01, True)
SURE = Divergence("aime24 2", 9, 7, 8, 2.3, False)


def test_ties_are_lossless_and_counted() -> None:
    result = judge(50, [TIE], 0.02, [], 100)
    assert result.lossless
    assert "49 of 50" in result.sentence and "the other 1 part at a tie" in result.sentence


def test_one_divergence_where_the_target_was_sure_is_not_lossless() -> None:
    result = judge(50, [TIE, SURE], 0.02, [], 100)
    assert not result.lossless
    assert (
        "1 of 50" in result.sentence
        and "aime24 2 at token 9" in result.sentence
        and "2.30 nats" in result.sentence
    )


def test_drifting_samples_are_not_lossless() -> None:
    result = judge(50, [], 0.02, drifts(*sides(2.0)), 100)
    assert not result.lossless and "temperature 1" in result.sentence


def test_nothing_drafted_proves_nothing() -> None:
    result = judge(50, [], 0.02, [], 0)
    assert not result.lossless and "nothing was tested" in result.sentence
