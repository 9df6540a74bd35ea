from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from k2eval.statistics import average, bootstrap, detectable, pool, question_means, spread

SCORES = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 6)),
    elements=st.sampled_from([0.0, 1.0, 0.25, np.nan]),
)
TABLE = np.array([[1.0, 1, 0, 1], [0, 0, 1, 0], [1, 1, 1, 0], [0, 1, 0, 1], [1, 0, 1, 1], [0, 1, 0, 0]])


def test_average_is_the_mean_of_question_means() -> None:
    uneven = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, np.nan, np.nan, np.nan]])
    assert average(uneven).value == 0.5


def test_average_has_scipys_t_interval_over_questions() -> None:
    estimate = average(TABLE)
    expected = stats.ttest_1samp(TABLE.mean(axis=1), 0.0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert estimate.method == "t"


def test_average_ignores_missing_samples_and_counts_the_others() -> None:
    scores = TABLE.copy()
    scores[0, 0] = np.nan
    scores[4] = np.nan
    estimate = average(scores)
    assert estimate.value == pytest.approx((2 / 3 + 1 / 4 + 3 / 4 + 1 / 2 + 1 / 4) / 5)
    assert (estimate.questions, estimate.samples) == (5, 19)


@pytest.mark.parametrize(("score", "other"), [(0.0, "high"), (1.0, "low")])
def test_an_average_at_a_bound_has_the_exact_interval_over_questions(score: float, other: str) -> None:
    estimate = average(np.full((30, 16), score))
    exact = stats.binomtest(int(30 * score), 30).proportion_ci(method="exact")
    assert getattr(estimate, other) == pytest.approx(getattr(exact, other))
    assert estimate.method == "clopper-pearson"
    assert estimate.low <= score <= estimate.high


def test_one_right_sample_in_many_does_not_make_the_interval_of_zero_narrow() -> None:
    scores = np.zeros((30, 16))
    scores[0, 0] = 1
    assert average(scores).high > average(np.zeros((30, 16))).high


def test_an_average_over_nothing_is_unknown() -> None:
    estimate = average(np.full((3, 2), np.nan))
    assert np.isnan(estimate.value)
    assert estimate.questions == 0


def test_scores_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(questions, repeats\), got shape \(3,\)"):
        average(np.zeros(3))


@given(SCORES)
def test_an_interval_holds_its_average_and_stays_within_the_bounds(scores: np.ndarray) -> None:
    estimate = average(scores)
    if estimate.questions:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_questions_does_not_matter(scores: np.ndarray, random: object) -> None:
    shuffled = np.random.default_rng(1).permutation(scores, axis=0)
    assert average(shuffled).low == pytest.approx(average(scores).low, nan_ok=True)


@given(SCORES)
def test_swapping_right_and_wrong_mirrors_the_interval(scores: np.ndarray) -> None:
    there, back = average(scores), average(1 - scores)
    assert 1 - back.high == pytest.approx(there.low, nan_ok=True)


def covers(chances: np.ndarray, truth: float, rng: np.random.Generator, how=average) -> float:  # type: ignore[no-untyped-def]
    """Share of simulated benchmarks of 16 runs whose interval holds the truth."""
    hits = 0
    for row in chances:
        scores = (rng.random((chances.shape[1], 16)) < row[:, None]).astype(float)
        estimate = how(scores)
        hits += estimate.low <= truth <= estimate.high
    return hits / len(chances)


@pytest.mark.parametrize("questions", [10, 30])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 0.5), (2.0, 1.0), (4.0, 1.0), (20.0, 20.0)])
def test_the_interval_covers_the_truth_in_93_to_97_percent(questions: int, alpha: float, beta: float) -> None:
    rng = np.random.default_rng(questions)
    chances = rng.beta(alpha, beta, (1200, questions))
    assert 0.93 <= covers(chances, alpha / (alpha + beta), rng) <= 0.97


@pytest.mark.parametrize(("alpha", "beta"), [(4.0, 0.4), (2.0, 0.2), (10.0, 0.6), (3.0, 0.5), (0.9, 0.1)])
def test_of_good_models_the_interval_covers_the_truth_in_93_to_97_percent(alpha: float, beta: float) -> None:
    rng = np.random.default_rng(11)
    chances = rng.beta(alpha, beta, (1200, 30))
    assert 0.93 <= covers(chances, alpha / (alpha + beta), rng) <= 0.97


def test_near_the_end_the_interval_is_wilsons_with_effective_questions() -> None:
    scores = np.repeat([1.0, 0.0], [26, 4])[:, None]
    estimate = average(scores)
    trials = estimate.value * (1 - estimate.value) / estimate.se**2
    quantile = stats.t.ppf(0.975, 29)
    for end in (estimate.low, estimate.high):
        assert abs(end - estimate.value) / np.sqrt(end * (1 - end) / trials) == pytest.approx(quantile)
    assert estimate.method == "wilson"


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.4), (0.05, 0.5), (0.02, 1.0)])
def test_near_zero_the_interval_covers_the_truth_at_least_as_often(alpha: float, beta: float) -> None:
    rng = np.random.default_rng(7)
    chances = rng.beta(alpha, beta, (1000, 30))
    assert covers(chances, alpha / (alpha + beta), rng) >= 0.93


@pytest.mark.parametrize("questions", [10, 30])
@pytest.mark.parametrize(
    ("alpha", "beta"), [(1.0, 1.0), (20.0, 20.0), (4.0, 1.0), (4.0, 0.4), (10.0, 0.6), (19.0, 1.0)]
)
def test_the_bootstrap_interval_covers_the_truth_in_93_to_97_percent(
    questions: int, alpha: float, beta: float
) -> None:
    rng = np.random.default_rng(questions)
    chances = rng.beta(alpha, beta, (1200, questions))
    held = covers(chances, alpha / (alpha + beta), rng, lambda scores: bootstrap(scores, draws=500))
    assert 0.93 <= held <= 0.97


@pytest.mark.parametrize("questions", [10, 30])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.9, 0.1), (1.0, 0.03)])
def test_of_questions_all_or_nothing_the_bootstrap_covers_the_truth_at_least_as_often(
    questions: int, alpha: float, beta: float
) -> None:
    rng = np.random.default_rng(questions)
    chances = rng.beta(alpha, beta, (500, questions))
    assert covers(chances, alpha / (alpha + beta), rng, lambda scores: bootstrap(scores, draws=500)) >= 0.93


@given(SCORES)
def test_a_bootstrap_interval_holds_its_average(scores: np.ndarray) -> None:
    estimate = bootstrap(scores, draws=200)
    if estimate.questions:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_the_bootstrap_repeats_itself() -> None:
    scores = np.random.default_rng(0).random((30, 4))
    assert bootstrap(scores) == bootstrap(scores)
    assert bootstrap(scores, seed=1) != bootstrap(scores)


def test_the_bootstrap_agrees_with_the_t_interval_on_many_questions() -> None:
    scores = (np.random.default_rng(0).random((400, 4)) < 0.4).astype(float)
    assert bootstrap(scores).margin == pytest.approx(average(scores).margin, rel=0.08)


def test_the_bootstrap_of_equal_questions_is_not_a_point() -> None:
    assert bootstrap(np.zeros((30, 4))).high == average(np.zeros((30, 4))).high


def test_weights_of_questions_make_the_micro_average() -> None:
    easy, hard = np.ones((30, 2)), np.zeros((170, 2))
    assert pool([average(easy), average(hard)], [30, 170]).value == pytest.approx(0.15)


def test_pooling_independent_parts_adds_their_variances() -> None:
    part = average(TABLE)
    both = pool([part, part], [1, 1])
    assert both.se == pytest.approx(part.se / np.sqrt(2))
    assert both.margin == pytest.approx(part.margin / np.sqrt(2))


def test_a_part_at_zero_percent_still_widens_the_pooled_interval() -> None:
    part, zero = average(TABLE), average(np.zeros((30, 4)))
    both = pool([part, zero], [1, 1])
    assert both.high - both.value > part.margin / 2 > both.value - both.low - 1e-9


def test_pooling_wants_one_weight_for_each_part() -> None:
    with pytest.raises(ValueError, match="one weight"):
        pool([average(TABLE)], [1, 2])


def test_the_micro_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(1000):
        parts = [
            average((rng.random((n, 4)) < rng.beta(1, b, n)[:, None]).astype(float))
            for n, b in ((30, 1), (45, 3))
        ]
        estimate = pool(parts, [30, 45])
        hits += estimate.low <= (30 * 0.5 + 45 * 0.25) / 75 <= estimate.high
    assert 0.93 <= hits / 1000 <= 0.975


def test_equal_runs_leave_only_question_sampling() -> None:
    scores = np.repeat([[1.0], [0.0], [1.0]], 4, axis=1)
    parts = spread(scores)
    assert parts.repeat_se == 0
    assert parts.question_se == parts.total_se > 0


def test_questions_alike_leave_only_run_noise() -> None:
    scores = (np.random.default_rng(0).random((400, 16)) < 0.5).astype(float)
    parts = spread(scores)
    assert parts.repeat_se == pytest.approx(0.5 / np.sqrt(400 * 16), rel=0.05)
    assert parts.question_se < parts.repeat_se


def test_the_spread_of_single_runs_is_that_of_simulated_ones() -> None:
    rng = np.random.default_rng(2)
    chances = rng.beta(1, 1, 30)
    runs = rng.random((4000, 30)) < chances
    scores = (rng.random((30, 64)) < chances[:, None]).astype(float)
    assert spread(scores).repeat_sd == pytest.approx(runs.mean(axis=1).std(), rel=0.1)


def test_one_run_per_question_cannot_tell_the_parts_apart() -> None:
    parts = spread(np.array([[1.0], [0.0], [1.0]]))
    assert parts.total_se > 0
    assert np.isnan(parts.repeat_se)


def test_the_detectable_effect_is_shown_in_80_percent_of_cases() -> None:
    rng = np.random.default_rng(0)
    effect = detectable(0.05 / np.sqrt(30), 30)
    gaps = rng.normal(effect, 0.05, (4000, 30))
    assert (stats.ttest_1samp(gaps, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.03)


@given(SCORES)
def test_question_means_are_numpys(scores: np.ndarray) -> None:
    expected = [np.mean(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in scores]
    np.testing.assert_allclose(question_means(scores), expected)
