"""Whether drafts by a schedule make a whole run faster, or whether it had better start without them.

A vLLM that drafts by a schedule is slower also while nothing is drafted: it works without its newest model runner and
full CUDA graphs, and keeps the draft's cache up to date. What drafts gain while few requests run has to pay for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple


class Level(NamedTuple):
    """Speeds that were measured with a number of requests in flight."""

    requests: int
    plain: float
    """Output tokens per second without speculation."""
    drafted: dict[int, float]
    """The same by the number of drafted tokens; 0 if a schedule asks for none."""

    def best(self, gain: float) -> int:
        """Return the number of drafted tokens that was the fastest; 0 unless one gains by this factor."""
        tokens, speed = max(self.drafted.items(), key=lambda pair: pair[1], default=(0, 0.0))
        return tokens if speed >= gain * self.drafted.get(0, self.plain) else 0


def gain_of(
    requests: int, places: int, levels: Sequence[Level], schedule: Sequence[Sequence[int]]
) -> float | None:
    """Return the time of a whole run without speculation, divided by that with a schedule.

    Requests are sent as soon as there is room. Near the end each of those in flight has a share of its answer left
    that could as well be any, so their number falls evenly while an answer of mean length is written. Above the largest
    measured number of requests speeds are taken to grow no more, and nothing is drafted.

    Args:
        requests: All requests of the run.
        places: Requests that may run at once.
        levels: Measured speeds.
        schedule: ``[first, last, tokens]`` for each range of running requests.

    Returns:
        The ratio; None if the speed without drafts under a schedule was not measured.

    >>> levels = [Level(1, 50.0, {0: 48.0, 3: 100.0}), Level(8, 400.0, {0: 360.0, 3: 300.0})]
    >>> [round(gain_of(requests, 8, levels, [[1, 1, 3], [2, 8, 0]]), 3) for requests in (8, 800)]
    [1.023, 0.902]
    """
    plain = {level.requests: level.plain for level in levels}
    scheduled: dict[int, float] = {}
    for level in levels:
        tokens = next((entry[2] for entry in schedule if entry[0] <= level.requests <= entry[1]), 0)
        if tokens not in level.drafted:
            return None
        scheduled[level.requests] = level.drafted[tokens]
    if not plain:
        return None
    top = max(levels)
    if places > top.requests:
        if 0 not in top.drafted:
            return None
        plain[top.requests + 1], scheduled[top.requests + 1] = top.plain, top.drafted[0]
    return _time(requests, places, plain) / _time(requests, places, scheduled)


def _time(requests: int, places: int, speeds: Mapping[int, float]) -> float:
    """Return the time of a run in seconds per token of its mean answer.

    Args:
        requests: All requests of the run.
        places: Requests that may run at once.
        speeds: Output tokens per second by the number of requests in flight.
    """
    full = min(requests, places)
    tail = sum(running / _speed(running, speeds) for running in range(1, full + 1)) / full
    return (requests - full / 2) / _speed(full, speeds) + tail


def _speed(running: int, speeds: Mapping[int, float]) -> float:
    """Return the speed between measured ones, on straight lines; from none at no request."""
    known = [(0, 0.0), *sorted(speeds.items())]
    for (low, slow), (high, fast) in pairwise(known):
        if running <= high:
            return slow + (fast - slow) * (running - low) / (high - low)
    return known[-1][1]
