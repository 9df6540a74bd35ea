"""The lines of `make bench-race` say what was measured."""

import numpy as np
import pytest

from benchmarks.race import Interval, Promise, exactly, mean, median, promises_of_races, settings, share
from benchmarks.racing import FACTORS, LAWS, Cell, Outcome, Setting, contestants
from k2eval.statistics import Estimand


def test_a_promise_fails_as_a_whole_or_in_one_setting() -> None:
    near, beyond = Interval(5.2, 4.0, 6.4), Interval(7.0, 6.0, 8.0)
    assert Promise("", exactly(4.9), [near], 0.0, 5.0).holds
    assert not Promise("", exactly(5.1), [near], 0.0, 5.0).holds
    assert not Promise("", exactly(4.9), [near, beyond], 0.0, 5.0).holds
    assert not Promise("", exactly(4.9), [], 0.0, 5.0).holds


def test_a_share_of_a_thousand_has_its_exact_interval() -> None:
    assert share(np.arange(1000) < 50) == pytest.approx((5.0, 3.73, 6.54), abs=0.01)
    assert share(np.ones(10, dtype=bool))[2] == 100.0


def test_intervals_narrow_with_the_number_of_races() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.random(50), rng.random(5000)
    for interval in (mean, median):
        wide, narrow = interval(few), interval(many)
        assert narrow.low < 0.5 < narrow.high
        assert narrow.high - narrow.low < (wide.high - wide.low) / 5


def test_races_that_break_a_promise_are_told() -> None:
    setting = Setting("Beta(1, 1)", 30, 16, 0.0, Estimand.THESE)

    def races(decided: float, share: float) -> tuple[Outcome, ...]:
        return tuple(Outcome(number < 100 * decided, True, True, share) for number in range(100))

    good = [Cell(setting, factor, factor, races(bool(factor), 0.4)) for factor in FACTORS]
    bad = [Cell(setting, factor, factor, races(0.5, 0.9)) for factor in FACTORS]
    assert [promise.holds for promise in promises_of_races(good)] == [True] * 7
    assert [promise.holds for promise in promises_of_races(bad)] == [False] * 5 + [True] * 2


@pytest.mark.parametrize("estimand", list(Estimand))
def test_contestants_differ_by_the_wanted_effect(estimand: Estimand) -> None:
    for law in LAWS:
        sides = contestants(Setting(law, 500, 4, 1.0, estimand), 0.03, np.random.default_rng(1))
        assert sides is not None
        within = 1e-9 if estimand is Estimand.THESE else 0.04
        assert float((sides[1] - sides[0]).mean()) == pytest.approx(0.03, abs=within)


def test_every_law_meets_every_size_and_estimand() -> None:
    made = {(one.law, one.questions, one.estimand) for one in settings()}
    assert len(made) == len(settings()) == 24
