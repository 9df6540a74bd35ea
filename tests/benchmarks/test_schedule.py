"""The simulation of orders keeps the books right."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from benchmarks.schedule import Fixed, Fleet, assignments_of, bound, orders, tokens_per_s
from benchmarks.schedule_lengths import LIMIT, Lengths, by_law, recorded
from k2eval.records import SampleKey

ROOT = Path(__file__).parents[2]


def lengths(*tokens: float) -> Lengths:
    return {SampleKey("t", f"{number}", 0): length for number, length in enumerate(tokens)}


def seconds(made: Lengths, replicas: int, places: int, ahead: int = 0) -> float:
    stages = {key: ((length,),) for key, length in made.items()}
    return Fleet(replicas, places, ahead).run(Fixed(assignments_of(made)), stages)


def test_one_request_runs_at_the_speed_of_one() -> None:
    assert seconds(lengths(5260.0), 1, 256) == pytest.approx(100.0)


def test_a_request_is_faster_once_the_others_have_ended() -> None:
    expected = 1000 / tokens_per_s(2) + 4000 / tokens_per_s(1)
    assert seconds(lengths(1000.0, 5000.0), 1, 256) == pytest.approx(expected)


def test_the_tail_is_the_time_in_which_less_than_half_of_the_places_are_taken() -> None:
    made = lengths(1000.0, 1000.0, 5000.0)
    stages = {key: ((length,),) for key, length in made.items()}
    fleet = Fleet(1, 4, 0)
    fleet.run(Fixed(assignments_of(made)), stages)
    assert fleet.tail_s == pytest.approx(4000 / tokens_per_s(1))


def test_requests_spread_over_the_replicas() -> None:
    assert seconds(lengths(1000.0, 5000.0), 2, 256) == pytest.approx(5000 / tokens_per_s(1))


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_request_waits_for_a_place(ahead: int) -> None:
    assert seconds(lengths(1000.0, 5000.0), 1, 1, ahead) == pytest.approx(6000 / tokens_per_s(1))


def test_a_stage_waits_for_all_of_the_stage_before() -> None:
    [assignment] = assignments_of(lengths(0.0))
    stages = {assignment.sample_key: ((1000.0, 2000.0), (500.0,))}
    expected = 1000 / tokens_per_s(2) + 1500 / tokens_per_s(1)
    assert Fleet(1, 8, 0).run(Fixed([assignment]), stages) == pytest.approx(expected)


def test_each_order_makes_each_sample_once_and_none_beats_the_bound() -> None:
    rng = random.Random(0)
    drawn = {key: length for key, length in by_law(rng, 0.5, 0.35, 2).items() if key.task != "omni_math_hard"}
    stages = {key: ((length,),) for key, length in drawn.items()}
    for name, maker in orders(drawn, rng, 0.15, 0.35).items():
        fleet = Fleet(2, 16, 4)
        samples = maker(fleet)
        assert len(samples) == len(drawn), name
        assert fleet.run(samples, stages) >= bound(stages.values(), 2, 16), name
        assert len(samples) == 0, name


def test_the_law_has_the_published_means() -> None:
    drawn = by_law(random.Random(0), 0.5, 0.35, 4)
    hard = [length for key, length in drawn.items() if key.task == "omni_math_hard"]
    assert statistics.fmean(hard) == pytest.approx(34_042, rel=1e-3)
    assert max(hard) == LIMIT


def test_recorded_lengths_are_stretched_and_siblings_drawn_again() -> None:
    drawn = recorded(ROOT / "leaderboards/nano/rl-plain", random.Random(0), 4)
    assert len(drawn) == 400 * 4
    assert max(drawn.values()) == pytest.approx(LIMIT)
    assert {key.repeat_index for key in drawn} == {0, 1, 2, 3}
