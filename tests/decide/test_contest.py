from __future__ import annotations

import numpy as np
import pytest

from k2eval.decide import Contest, Entry, Rules
from k2eval.statistics import Scores

QUESTIONS = tuple(f"q{number:02}" for number in range(20))
ENTRY = Entry("t", "T", QUESTIONS, 4)


def _tables(*chances: float) -> list[dict[str, Scores]]:
    rng = np.random.default_rng(0)
    return [{"t": (rng.random((20, 4)) < chance).astype(float)} for chance in chances]


def test_every_sample_is_drawn_once_and_repeats_come_one_after_the_other() -> None:
    contest = Contest(["a", "b"], [ENTRY], Rules(looks=8))
    drawn = []
    while not contest.is_over:
        first, second = contest.draw()
        assert first == second
        drawn += first
        contest.look(_tables(0.5, 0.5))
    assert len(drawn) == len(set(drawn)) == 80
    assert [key.repeat_index for key in drawn] == sorted(key.repeat_index for key in drawn)


def test_the_order_is_random_but_the_same_each_time() -> None:
    orders = [Contest(["a", "b"], [ENTRY], Rules(seed=seed, looks=1)).draw()[0] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert [key.question_id for key in orders[0][:20]] != list(QUESTIONS)


def test_the_budget_is_never_exceeded() -> None:
    contest = Contest(["a", "b"], [ENTRY], Rules(looks=7))
    while not contest.is_over:
        contest.draw()
        contest.look(_tables(0.5, 0.5))
    assert contest.drawn(0) == {"t": 80}


def test_a_decided_contestant_gets_no_more_samples() -> None:
    contest = Contest(["a", "b", "c"], [ENTRY], Rules(looks=16))
    tables = _tables(0.1, 0.95, 0.1)
    while not contest.is_over:
        contest.draw()
        contest.look(tables)
    better, open_one = contest.standings
    assert (better.decision, open_one.decision) == ("better", None)
    assert contest.drawn(1)["t"] < contest.drawn(0)["t"] == contest.drawn(2)["t"] == 80


def test_a_decided_benchmark_gets_no_more_samples() -> None:
    other = Entry("u", "U", QUESTIONS, 4)
    contest = Contest(["a", "b"], [ENTRY, other], Rules(looks=16))
    clear, equal = _tables(0.05, 0.95), _tables(0.5, 0.5)
    tables = [one | {"u": two["t"]} for one, two in zip(clear, equal, strict=True)]
    while not contest.is_over:
        contest.draw()
        contest.look(tables)
    assert contest.drawn(0)["t"] < contest.drawn(0)["u"] == 80


def test_samples_that_were_not_drawn_are_not_looked_at() -> None:
    contest = Contest(["a", "b"], [ENTRY], Rules(looks=4))
    contest.draw()
    hidden = [{"t": np.where(contest.mask(ENTRY, 0), table["t"], 1.0)} for table in _tables(0.5, 0.5)]
    shown = contest.look(_tables(0.5, 0.5))
    again = Contest(["a", "b"], [ENTRY], Rules(looks=4))
    again.draw()
    assert again.look(hidden) == shown


@pytest.mark.parametrize(("all_pairs", "expected"), [(False, 2), (True, 3)])
def test_pairs(all_pairs: bool, expected: int) -> None:
    assert len(Contest(["a", "b", "c"], [ENTRY], Rules(all_pairs=all_pairs)).hypotheses) == expected


def test_a_mean_is_one_hypothesis_a_pair() -> None:
    entries = [ENTRY, Entry("u", "U", QUESTIONS, 4)]
    assert len(Contest(["a", "b"], entries, Rules(macro=True)).hypotheses) == 1
