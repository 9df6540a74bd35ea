from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from k2eval.statistics import Estimand, Hypothesis, Race, Scores, Standing
from k2eval.statistics.sequential import Boundary

ONE = (Hypothesis(0, 1, ((0, 1.0),)),)
BOTH = pytest.mark.parametrize("estimand", list(Estimand))


def _tables(
    first: float, second: float, questions: int = 30, repeats: int = 8, seed: int = 0
) -> list[Scores]:
    rng = np.random.default_rng(seed)
    return [(rng.random((questions, repeats)) < chance).astype(float) for chance in (first, second)]


def _run(race: Race, tables: list[Scores]) -> tuple[Standing, ...]:
    repeats = tables[0].shape[1]
    standings: tuple[Standing, ...] = ()
    for drawn in range(1, repeats + 1):
        standings = race.look([[np.where(np.arange(repeats) < drawn, table, np.nan) for table in tables]])
    return standings


@BOTH
def test_a_clear_winner_is_found_early(estimand: Estimand) -> None:
    (standing,) = _run(Race(ONE, [(30, 8)], estimand=estimand), _tables(0.2, 0.8))
    assert standing.decision == "better"
    assert standing.look is not None and standing.look <= 4


@BOTH
def test_the_other_side_is_worse(estimand: Estimand) -> None:
    (standing,) = _run(Race(ONE, [(30, 8)], estimand=estimand), _tables(0.8, 0.2))
    assert standing.decision == "worse"


@BOTH
def test_equal_contestants_are_not_told_apart(estimand: Estimand) -> None:
    decided = [
        _run(Race(ONE, [(30, 8)], estimand=estimand), _tables(0.5, 0.5, seed=seed))[0].decision
        for seed in range(40)
    ]
    assert sum(decision is not None for decision in decided) <= 5


@BOTH
def test_the_sequence_leaves_zero_out_only_when_the_test_decides(estimand: Estimand) -> None:
    """With few answers many sign patterns tie with the observed one."""
    for seed in range(40):
        race = Race(ONE, [(8, 8)], estimand=estimand, draws=999)
        (standing,) = _run(race, _tables(0.2, 0.4, questions=8, seed=seed))
        assert (standing.low <= 0.0 <= standing.high) == (standing.decision is None)


@pytest.mark.parametrize("questions", [1, 2, 5, 6, 20])
@BOTH
def test_so_is_it_if_all_answers_differ(estimand: Estimand, questions: int) -> None:
    race = Race(ONE, [(questions, 1)], estimand=estimand)
    (standing,) = race.look([[np.zeros((questions, 1)), np.ones((questions, 1))]])
    assert (standing.low <= 0.0) == (standing.decision is None) == (questions <= 5)


@BOTH
def test_equivalence_is_found_within_a_wide_margin(estimand: Estimand) -> None:
    race = Race(ONE, [(100, 8)], estimand=estimand, margin=0.15)
    (standing,) = _run(race, _tables(0.5, 0.5, questions=100))
    assert standing.decision == "equivalent"
    assert -0.15 < standing.low < standing.high < 0.15


@BOTH
def test_two_runs_without_any_difference_are_not_equivalent_at_the_first_look(estimand: Estimand) -> None:
    race = Race(ONE, [(30, 8)], estimand=estimand, margin=0.02)
    same = np.ones((30, 8))
    first = np.where(np.arange(8) < 1, same, np.nan)
    (standing,) = race.look([[first, first]])
    assert standing.decision is None
    assert standing.high - standing.low > 0.1


@BOTH
def test_two_runs_without_any_difference_are_equivalent_in_the_end(estimand: Estimand) -> None:
    """A hundred questions without a difference leave room for the few that one could have."""
    wide, narrow = (
        _run(Race(ONE, [(100, 8)], estimand=estimand, margin=margin), [np.ones((100, 8))] * 2)[0]
        for margin in (0.05, 0.004)
    )
    assert wide.decision == "equivalent"
    assert narrow.decision is None
    assert -0.05 < narrow.low < -0.004 < 0.004 < narrow.high < 0.05


@BOTH
def test_samples_that_failed_are_left_out_in_pairs(estimand: Estimand) -> None:
    tables = _tables(0.2, 0.8)
    tables[0][:, 3] = np.nan
    (standing,) = _run(Race(ONE, [(30, 8)], estimand=estimand), tables)
    assert standing.decision == "better"


def test_what_is_decided_stays_whatever_comes_later() -> None:
    race = Race(ONE, [(30, 8)])
    tables = _tables(0.1, 0.9)
    before = _run(race, tables)
    after = race.look([[tables[1], tables[0]]])
    assert after == before


def test_several_hypotheses_are_decided_at_a_stricter_level() -> None:
    """One of two hypotheses has half the level, until the other is rejected."""
    tables = _tables(0.35, 0.6, seed=3)
    alone = Race(ONE, [(30, 8)], estimand=Estimand.THESE)
    pair = Race(
        (Hypothesis(0, 1, ((0, 1.0),)), Hypothesis(0, 2, ((0, 1.0),))), [(30, 8)], estimand=Estimand.THESE
    )
    third = _tables(0.35, 0.35, seed=4)[0]
    assert _look_of(_run(alone, tables)[0]) <= _look_of(_run(pair, [*tables, third])[0])


def _look_of(standing: Standing) -> int:
    return standing.look or 99


def test_a_mean_of_benchmarks_is_one_hypothesis() -> None:
    race = Race((Hypothesis(0, 1, ((0, 0.5), (1, 0.5))),), [(30, 8), (30, 8)])
    up, down = _tables(0.4, 0.8), _tables(0.5, 0.5, seed=1)
    (standing,) = race.look([up, down])
    expected = ((up[1] - up[0]).mean() + (down[1] - down[0]).mean()) / 2
    assert standing.value == pytest.approx(expected)


def test_nothing_drawn_is_an_open_standing() -> None:
    empty = np.full((30, 8), np.nan)
    (standing,) = Race(ONE, [(30, 8)]).look([[empty, empty]])
    assert (standing.decision, standing.low, standing.high, standing.pairs) == (None, -1.0, 1.0, 0)


@BOTH
def test_fractional_scores_race_too(estimand: Estimand) -> None:
    rng = np.random.default_rng(0)
    first = rng.random((30, 8)) / 2
    (standing,) = _run(Race(ONE, [(30, 8)], estimand=estimand), [first, first + 0.4])
    assert standing.decision == "better"


@BOTH
def test_the_same_seed_gives_the_same_race(estimand: Estimand) -> None:
    tables = _tables(0.4, 0.6)
    first, second = (_run(Race(ONE, [(30, 8)], estimand=estimand, seed=7), tables)[0] for _ in range(2))
    assert replace(first) == replace(second)


@BOTH
def test_the_interval_of_an_earlier_look_holds_if_a_look_may_spend_nothing(estimand: Estimand) -> None:
    race = Race(ONE, [(30, 16)], estimand=estimand)
    tables = _tables(0.5, 0.55, repeats=16)
    seen = [np.where(np.arange(16) < 12, table, np.nan) for table in tables]
    (before,) = race.look([seen])
    (after,) = race.look([seen])
    assert -1.0 < before.low < before.high < 1.0
    assert (after.low, after.high) == (before.low, before.high)


@BOTH
def test_one_difference_in_a_hundred_does_not_make_contestants_equivalent(estimand: Estimand) -> None:
    """3 in 100 differ in truth, and the margin is 2.5 points: at most 5 % of races may say "equivalent"."""
    rng, wrong = np.random.default_rng(0), 0
    for number in range(60):
        race = Race(ONE, [(100, 1)], estimand=estimand, margin=0.025, seed=number, draws=1999)
        sides = np.zeros((100, 1)), (rng.random((100, 1)) < 0.03).astype(float)
        for drawn in (25, 50, 75, 100):
            there = np.arange(100)[:, None] < drawn
            (standing,) = race.look([[np.where(there, side, np.nan) for side in sides]])
        wrong += standing.decision == "equivalent"
    assert wrong <= 3


def test_a_benchmark_without_a_difference_is_not_certain_within_a_mean() -> None:
    """One benchmark differs a little everywhere, the other one nowhere: its unseen questions count, too."""
    hypothesis = Hypothesis(0, 1, ((0, 0.5), (1, 0.5)))
    race = Race([hypothesis], [(100, 1), (30, 1)], draws=1999)
    noise = np.where(np.arange(100) % 2, 0.01, -0.01)[:, None]
    (standing,) = race.look([[np.full((100, 1), 0.5), 0.5 + noise], [np.zeros((30, 1)), np.zeros((30, 1))]])
    assert standing.high > 0.05


def test_a_seed_may_be_negative() -> None:
    (standing,) = _run(Race(ONE, [(30, 8)], seed=-1), _tables(0.2, 0.8))
    assert standing.decision == "better"


@pytest.mark.parametrize(("right", "repeats"), [(5, 6), (3, 7), (5, 11), (9, 11), (7, 12)])
@BOTH
def test_sign_patterns_that_tie_with_the_observed_one_count(
    estimand: Estimand, right: int, repeats: int
) -> None:
    """Five equal differences have the same sign in 2 of 32 cases, which is more than 5 %."""
    first, second = np.zeros((30, 1)), np.zeros((30, 1))
    second[:5] = right / repeats
    (standing,) = Race(ONE, [(30, 1)], estimand=estimand).look([[first, second]])
    assert standing.decision is None
    assert standing.low <= 0.0


class _Boundaries:
    """Boundaries that a test gives, by level."""

    def __init__(self, boundaries: dict[float, Boundary]) -> None:
        self._boundaries = boundaries

    def look(self, *_: object) -> None:
        pass

    def boundary(self, _: int, level: float) -> Boundary:
        return self._boundaries[round(level, 4)]


@pytest.mark.parametrize(
    ("wide", "decided"),
    [
        (Boundary(True, 1.0, 0.01), True),
        (Boundary(False, 0.0, 0.9), False),  # paths tied there
        (Boundary(True, -1.0, 0.01), False),  # the difference has turned since
    ],
)
def test_a_rejection_counts_if_the_wider_levels_reject_it_the_same_way(wide: Boundary, decided: bool) -> None:
    race = Race((*ONE, *ONE), [(30, 8)], draws=399)
    race._test = _Boundaries({0.025: Boundary(True, 1.0, 0.01), 0.05: wide})  # type: ignore[assignment]
    standings = race.look([_tables(0.2, 0.8)])
    assert [standing.decision for standing in standings] == (["better"] * 2 if decided else [None] * 2)


def test_too_small_a_level_for_so_many_hypotheses_is_an_error() -> None:
    with pytest.raises(ValueError, match="larger level"):
        Race(ONE * 224, [(500, 4)], alpha=0.001)
