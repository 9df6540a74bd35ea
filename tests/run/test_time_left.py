"""The time left follows the recent pace, and does not climb without reason."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from k2eval.run.time_left import TimeLeft


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(
    seconds: list[float], total: int, look_every_s: float = 1.0
) -> Iterator[tuple[float, float | None]]:
    """Let samples end after these pauses; yield what is shown, every second."""
    clock = Clock()
    left = TimeLeft(clock)
    ends, at = [], 0.0
    for pause in seconds:
        at += pause
        ends.append(at)
    done = 0
    while done < len(ends):
        clock.now += look_every_s
        while done < len(ends) and ends[done] <= clock.now:
            left.count()
            done += 1
        yield clock.now, left.estimate(total - done)


def test_nothing_is_known_before_the_first_sample() -> None:
    assert TimeLeft(Clock()).estimate(10) is None


def test_when_all_is_done_nothing_is_left() -> None:
    assert TimeLeft(Clock()).estimate(0) == 0


def test_an_even_pace_is_counted_down() -> None:
    for now, seconds in shown([2.0] * 200, total=200):
        if now > 60 and seconds is not None:
            assert seconds == pytest.approx(400 - now, abs=12)


def climbs(seconds: list[float]) -> int:
    estimates = [
        estimate for now, estimate in shown(seconds, total=len(seconds)) if estimate is not None and now > 60
    ]
    return sum(after > before for before, after in pairwise(estimates))


def test_noise_does_not_make_it_climb() -> None:
    """Samples that end at random moments, one a second on average."""
    noise = [random.Random(seed) for seed in range(20)]
    assert sum(climbs([rng.expovariate(1.0) for _ in range(800)]) for rng in noise) == 0


def test_waves_of_answers_do_not_make_it_climb() -> None:
    """As when all requests of a batch are of nearly the same length."""
    waves = [20.0 if number % 64 == 0 else 0.01 for number in range(64 * 20)]
    assert climbs(waves) == 0


def test_it_follows_the_recent_pace_and_not_the_mean_since_the_start() -> None:
    """A tenth of the pace: the mean since the start would promise 400 s when 1,500 s are left."""
    *_, (now, seconds) = shown([1.0] * 300 + [10.0] * 50, total=500)
    assert now == pytest.approx(800)
    assert seconds == pytest.approx(1500, rel=0.3)
