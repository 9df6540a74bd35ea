"""The expected length of a sample shrinks towards its task, and knows what unfinished samples tell."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.errors import JournalError
from k2eval.records import Outcome, SampleKey, Verdict
from k2eval.run.lengths import EarlierLengths, Lengths, QuestionKey, has_length, read_lengths, told_by_age
from tests.report.scripted import smoke_run

A, B = QuestionKey("t", "a"), QuestionKey("t", "b")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def verdict(key: QuestionKey, tokens: int, **fields: Any) -> Verdict:
    defaults: dict[str, Any] = {"outcome": Outcome.WRONG, "score": 0.0, "grader": "math/1", "repeat_index": 0}
    return Verdict(**defaults | fields, **key._asdict(), recipe_tokens=tokens)


def test_before_anything_is_known_half_of_the_limit_is_expected() -> None:
    assert Lengths({A: 1000.0}).expect(A) == pytest.approx(500)


def test_one_sibling_counts_as_much_as_the_task() -> None:
    lengths = Lengths({A: 1000.0, B: 1000.0})
    lengths.add(A, 125.0)
    assert lengths.expect(A) == pytest.approx(250)
    lengths.add(A, 125.0)
    assert lengths.expect(A) == pytest.approx(500 ** (1 / 3) * 125 ** (2 / 3))
    assert lengths.expect(B) == pytest.approx(500)
    lengths.refresh()
    assert lengths.expect(B) == pytest.approx(500 ** (4 / 6) * 125 ** (2 / 6))


def test_an_unfinished_sample_makes_its_question_longer_and_its_end_takes_that_back() -> None:
    clock = Clock()
    lengths = Lengths({A: 1e6, B: 1e6}, clock=clock)
    for key in (A, B):
        lengths.start(SampleKey(*key, 0))
    clock.now = 10.0
    lengths.end(SampleKey(*A, 0), 100.0)
    lengths.refresh()
    before = lengths.expect(B)
    clock.now = 1e6
    lengths.refresh()
    assert lengths.expect(B) > before
    lengths.end(SampleKey(*B, 0), None)
    lengths.refresh()
    assert lengths.expect(B) == pytest.approx(before)


def test_an_unfinished_sample_is_never_longer_than_its_limit() -> None:
    clock = Clock()
    lengths = Lengths({A: 1000.0, B: 1000.0}, clock=clock)
    for key in (A, B):
        lengths.start(SampleKey(*key, 0))
    clock.now = 1.0
    lengths.end(SampleKey(*A, 0), 900.0)
    clock.now = 1e9
    lengths.refresh()
    assert lengths.expect(B) < 1500


@given(st.floats(1, 1e6), st.floats(0, 14))
def test_the_rest_of_the_law_is_beyond_the_age(so_far: float, mean: float) -> None:
    told = told_by_age(so_far, mean)
    assert 0 <= told.count <= 1
    if told.count > 1e-6:
        assert told.logarithms / told.count >= max(math.log(so_far), mean) - 1e-6


def test_the_mean_of_the_rest_has_no_step_where_its_formula_changes() -> None:
    below, above = (told_by_age(1000.0, math.log(1000) - 0.35 * z) for z in (4.9999, 5.0001))
    assert below.logarithms == pytest.approx(above.logarithms, rel=1e-2)


def test_a_task_without_an_earlier_run_needs_the_same_share_of_its_limit() -> None:
    other = QuestionKey("u", "a")
    earlier = EarlierLengths([[verdict(A, 100)]])
    lengths = Lengths({A: 1000.0, other: 5000.0}, earlier)
    assert [lengths.expect(A), lengths.expect(other)] == pytest.approx([100, 500])


def test_the_ratio_of_an_earlier_run_is_kept_when_all_answers_are_longer() -> None:
    earlier = EarlierLengths(
        [[verdict(key, 100 * factor) for factor, key in ((1, A), (4, B)) for _ in "123"]]
    )
    lengths = Lengths({A: 1e6, B: 1e6}, earlier)
    ratio = lengths.expect(B) / lengths.expect(A)
    assert ratio == pytest.approx(4**0.75)
    for _ in range(200):
        lengths.add(A, 1000.0)
    lengths.refresh()
    assert lengths.expect(B) == pytest.approx(1000 * ratio, rel=0.05)


def test_several_earlier_runs_are_averaged_whatever_their_scale() -> None:
    runs = [[verdict(A, scale), verdict(B, 4 * scale)] for scale in (10, 1000)]
    assert EarlierLengths(runs).offset(B) == pytest.approx(EarlierLengths(runs[:1]).offset(B))


def test_a_failure_on_our_side_has_no_length() -> None:
    assert has_length(verdict(A, 10))
    assert not has_length(verdict(A, 0))
    assert not has_length(verdict(A, 10, outcome=Outcome.GRADER_ERROR, score=None))


def test_lengths_are_read_from_run_directories_alone(tmp_path: Path) -> None:
    earlier = read_lengths([smoke_run(tmp_path / "run", repeats=1, limit=2)])
    assert list(earlier.tasks) == ["smoke"]
    with pytest.raises(JournalError, match="is not a run directory"):
        read_lengths([tmp_path / "nothing"])


@pytest.mark.parametrize("within", [0.1, 0.35, 0.8])
def test_the_spread_within_a_question_is_estimated_from_finished_siblings(within: float) -> None:
    rng = random.Random(1)
    keys = [QuestionKey("t", f"{number}") for number in range(200)]
    lengths = Lengths(dict.fromkeys(keys, 1e9))
    assert lengths.deviation == pytest.approx(0.35)
    for key in keys:
        middle = rng.gauss(8, 1)
        for _ in range(4):
            lengths.add(key, math.exp(middle + rng.gauss(0, within)))
    shrunk = math.sqrt((20 * 0.35**2 + 600 * within**2) / 620)
    assert lengths.deviation == pytest.approx(shrunk, rel=0.07)


def test_a_few_siblings_hardly_move_the_spread() -> None:
    lengths = Lengths({A: 1e9})
    for length in (100.0, 100.0):
        lengths.add(A, length)
    assert lengths.deviation == pytest.approx(0.35 * math.sqrt(20 / 21))


def test_the_spread_of_an_earlier_run_is_known_from_the_start() -> None:
    earlier = EarlierLengths([[verdict(key, 100) for key in (A, B) for _ in range(101)]])
    assert Lengths({A: 1e9}, earlier).deviation == pytest.approx(0.35 * math.sqrt(20 / 220))


def test_the_tokens_left_are_those_of_samples_that_wait_and_that_are_made() -> None:
    lengths = Lengths({A: 1000.0, B: 1000.0})
    usual = 500 * math.exp(0.35**2 / 2)
    assert lengths.tokens_left({A: 3}) == pytest.approx(3 * usual)
    lengths.start(SampleKey(*B, 0))
    assert lengths.tokens_left({A: 2}) == pytest.approx(3 * usual)
    lengths.end(SampleKey(*B, 0), None)
    assert lengths.tokens_left({A: 2}) == pytest.approx(2 * usual)


def test_an_old_sample_is_expected_to_take_more_tokens() -> None:
    clock = Clock()
    lengths = Lengths({A: 1e6, B: 1e6}, clock=clock)
    for key in (A, B):
        lengths.start(SampleKey(*key, 0))
    clock.now = 10.0
    lengths.end(SampleKey(*A, 0), 1000.0)
    clock.now = 10_000.0
    lengths.refresh()
    assert lengths.tokens_left({}) >= 1e6  # as old as its limit


def test_the_first_samples_tell_how_many_tokens_are_left_whatever_the_limit() -> None:
    keys = [QuestionKey("a", str(number)) for number in range(40)]
    other = QuestionKey("b", "0")
    lengths = Lengths(dict.fromkeys([*keys, other], 64_000.0))
    for key in keys[:10]:
        lengths.add(key, 10.0)
    assert lengths.tokens_left(dict.fromkeys(keys[10:], 1)) == pytest.approx(300 * math.exp(0.35**2 / 2))
    assert lengths.tokens_left({other: 1}) == pytest.approx(10 * math.exp(0.35**2 / 2))
