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


def test_steps_of_samples_that_have_not_ended_count() -> None:
    """A thousand samples of four steps of 10 tokens each; all take their steps in turn, one a second."""
    clock = Clock()
    left = TimeLeft(clock)
    ended = 0
    for step in range(4000):
        clock.now += 1.0
        left.write(10)
        if step == 999 or step >= 3000:
            left.count(40)
            ended += 1
        if 1100 < step < 3900:
            assert left.estimate(1000 - ended) == pytest.approx(4000 - step, rel=0.15)


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


def test_tokens_are_counted_where_the_longest_samples_come_first() -> None:
    """An even pace of 100 tokens/s, by samples that get shorter: counted by samples, it would promise twice the time."""
    lengths = [float(1000 - 2 * number) for number in range(400)]
    clock = Clock()
    left = TimeLeft(clock)
    by_samples = TimeLeft(clock)
    for number, length in enumerate(lengths):
        clock.now += length / 100
        left.count(length)
        by_samples.count()
        if number == 100:
            rest = lengths[number + 1 :]
            seconds = sum(rest) / 100
            assert left.estimate(len(rest), len(rest), sum(rest)) == pytest.approx(seconds, rel=0.01)
            assert by_samples.estimate(len(rest)) > 1.3 * seconds  # type: ignore[operator]


def test_samples_that_nobody_expects_take_as_many_tokens_as_those_that_ended() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    for _ in range(10):
        clock.now += 1
        left.count(100)
    assert left.estimate(20, 5, 1000) == pytest.approx(10 + 15)


def test_samples_without_tokens_are_counted_as_samples() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    for _ in range(10):
        clock.now += 1
        left.count()
    assert left.estimate(20, 20, 1e9) == pytest.approx(20)


def test_a_first_estimate_that_rests_on_one_sample_is_soon_forgotten() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    clock.now = 2.0
    left.count(1)
    assert left.estimate(640, 640, 64_000) == pytest.approx(128_000)
    while clock.now < 15:
        clock.now += 1
        for _ in range(20):
            left.count(100)
        seconds = left.estimate(380, 380, 38_000)
    assert seconds == pytest.approx(38_000 / 2_000, rel=0.5)
