from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.statistics import PILOT, Stage, next_stage, precise_mean, stages_of, weighted_scores
from k2eval.statistics.precision import STAGES, _weights, noise_of


def _make(
    chances: np.ndarray, half_width: float, rng: np.random.Generator, most: int | None = None
) -> tuple[list[Stage], np.ndarray]:
    """Return the stages, and the scores as a table, with at most so many of a question."""
    stages: list[Stage] = []
    rows: list[list[float]] = [[] for _ in chances]
    counts = np.full(len(chances), PILOT, dtype=np.intp)
    while counts.any():
        drawn = [
            (rng.random(count) < chance).astype(float) for count, chance in zip(counts, chances, strict=True)
        ]
        stages.append(Stage(np.array([one.sum() for one in drawn]), counts))
        for row, one in zip(rows, drawn, strict=True):
            row.extend(one)
        counts = next_stage(stages, half_width)
    table = np.full((len(rows), most or max(map(len, rows))), np.nan)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row[:most]
    return stages, table


@pytest.mark.parametrize("law", [(1, 1), (4, 0.4), (0.9, 0.1)])
def test_the_mean_has_no_bias(law: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(300):
        chances = rng.beta(*law, 30)
        errors.append(precise_mean(_make(chances, 0.03, rng)[0], 0.03).value - chances.mean())
    assert abs(np.mean(errors)) <= 3 * np.std(errors) / len(errors) ** 0.5


def test_the_interval_is_about_as_narrow_as_wanted() -> None:
    rng = np.random.default_rng(1)
    margins = [precise_mean(_make(rng.beta(1, 1, 100), 0.02, rng)[0], 0.02).margin for _ in range(20)]
    assert 0.016 <= np.median(margins) <= 0.021


def test_noisy_questions_get_more_repeats() -> None:
    sums = np.array([4.0, 2.0] * 2 + [2.0, 4.0] * 2 + [4.0] * 12)
    counts = next_stage([Stage(sums, np.full(20, PILOT))], 0.02)
    assert counts[sums == 2].min() > counts[sums == 4].max()


def test_every_question_gets_a_repeat_in_every_stage() -> None:
    stages, _ = _make(np.array([0.999, 0.001] * 10), 0.05, np.random.default_rng(2))
    assert len(stages) == STAGES
    assert all(stage.counts.min() >= 1 for stage in stages)


def test_stages_are_found_again_in_the_table() -> None:
    stages, table = _make(np.random.default_rng(3).beta(1, 1, 20), 0.04, np.random.default_rng(4))
    found = [stage for stage, _ in stages_of(table, 0.04)]
    assert len(found) == len(stages)
    for one, other in zip(found, stages, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_allclose(one.sums, other.sums)


def test_a_stage_that_is_not_whole_is_no_stage() -> None:
    _, table = _make(np.random.default_rng(3).beta(1, 1, 20), 0.04, np.random.default_rng(4))
    table[3, PILOT] = np.nan
    assert len(stages_of(table, 0.04)) == 1


def test_a_sample_that_failed_is_part_of_its_stage() -> None:
    _, table = _make(np.random.default_rng(3).beta(1, 1, 20), 0.04, np.random.default_rng(4))
    made = np.isfinite(table)
    table[3, PILOT - 1] = np.nan
    assert stages_of(table, 0.04, there=made)[0][0].counts[3] == PILOT - 1


def test_weighted_scores_have_the_precise_mean() -> None:
    stages, table = _make(np.random.default_rng(5).beta(2, 1, 20), 0.04, np.random.default_rng(6))
    values = np.nanmean(weighted_scores(table, 0.04), axis=1)
    assert values.mean() == pytest.approx(precise_mean(stages, 0.04).value)


def test_one_question_can_be_precise() -> None:
    stages, _ = _make(np.array([0.5]), 0.1, np.random.default_rng(7))
    assert precise_mean(stages, 0.1).repeats > 50


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=40))
def test_noise_is_a_variance_of_a_fraction(pairs: list[tuple[int, int]]) -> None:
    counts = np.array([count for _, count in pairs])
    sums = np.minimum(np.array([float(total) for total, _ in pairs]), counts)
    noise = noise_of(sums, counts)
    assert ((noise > 0) & (noise <= 0.25)).all()


def test_a_limit_of_repeats_leaves_plain_means() -> None:
    table = (np.random.default_rng(8).random((20, 2)) < 0.5).astype(float)
    np.testing.assert_allclose(weighted_scores(table, 0.01), table)


def test_questions_at_their_limit_keep_their_own_mean() -> None:
    chances = np.array([0.5] * 10 + [0.99] * 10)
    _, table = _make(chances, 0.03, np.random.default_rng(9))
    capped = table[:, :20]
    stages = [stage for stage, _ in stages_of(capped, 0.03)]
    values = np.nanmean(weighted_scores(capped, 0.03), axis=1)
    assert values.mean() == pytest.approx(precise_mean(stages, 0.03).value)
    assert ((values >= 0) & (values <= 1.5)).all()


def test_a_limit_of_repeats_makes_no_bias() -> None:
    """Questions that seem hard in the pilot reach the limit before the last stage. Their pilots weigh no more for it."""
    rng, errors, held, margins = np.random.default_rng(3), [], [], []
    for _ in range(300):
        chances = rng.beta(4, 0.4, 100)
        _, table = _make(chances, 0.01, rng, most=12)
        stages = [stage for stage, _ in stages_of(table, 0.01)]
        result = precise_mean(stages, 0.01)
        assert result.value == pytest.approx(np.nanmean(weighted_scores(table, 0.01), axis=1).mean())
        errors.append(result.value - chances.mean())
        held.append(result.low <= chances.mean() <= result.high)
        margins.append(result.margin)
    assert abs(np.mean(errors)) <= 3 * np.std(errors) / len(errors) ** 0.5
    assert 0.9 <= np.mean(held) <= 0.985
    assert np.mean(margins) <= 2.4 * np.std(errors)


def test_a_question_that_only_seemed_certain_can_still_be_asked_more_often() -> None:
    """Four right ones, then a wrong one: its one repeat of the second stage must not keep most of the weight."""
    pilot = Stage(np.array([4.0] * 14 + [0.0] * 14 + [2.0] * 4), np.full(32, 4))
    counts = next_stage([pilot], 0.03)
    second = Stage(np.array([0.0, 0.0, *(counts * pilot.sums / 4)[2:]]), counts)
    weights = _weights([pilot, second], 0.03, 0.95, STAGES)
    assert counts[0] == 1
    assert weights[1, 0] < 0.35
    assert next_stage([pilot, second], 0.03)[0] > 2


def test_the_weights_of_a_question_are_known_before_its_scores() -> None:
    """No score of the pilot changes the pilot's weight of its own question, and none of a later stage a weight there."""
    sums = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 2.0])
    before = [Stage(sums, np.full(6, 4)), Stage(sums, np.full(6, 4))]
    changed = [before[0], Stage(np.array([4.0, 1.0, 2.0, 3.0, 4.0, 2.0]), np.full(6, 4))]
    first, second = (_weights(stages, 0.05, 0.95, 3) for stages in (before, changed))
    pilot = _weights([changed[1], before[1]], 0.05, 0.95, 3)
    assert np.array_equal(first[:, 0], second[:, 0])
    assert first[0, 0] == pilot[0, 0]
