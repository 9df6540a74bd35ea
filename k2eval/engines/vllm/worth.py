"""Whether drafts by a schedule make a whole run faster, or whether it had better start without them.

A vLLM that drafts by a schedule is slower also while nothing is drafted: it works without its newest model runner and
full CUDA graphs, and keeps the draft's cache up to date. What drafts gain while few requests run has to pay for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
    that could as well be any, so their number falls evenly while an answer of mean length is written. Between measured
    numbers of requests, speeds with equally many drafted tokens lie on straight lines. Above the largest one they are
    taken to grow no more.

    Args:
        requests: All requests of the run.
        places: Requests that may run at once.
        levels: Measured speeds.
        schedule: ``[first, last, tokens]`` for each range of running requests; the last range goes on for ever, as in
            vLLM.

    Returns:
        The ratio; None if nothing is asked, or the speed with as many drafted tokens as the schedule asks for, or with
        none, was not measured.

    >>> levels = [Level(1, 50.0, {0: 48.0, 3: 100.0}), Level(8, 400.0, {0: 360.0, 3: 300.0})]
    >>> [round(gain_of(requests, 8, levels, [[1, 1, 3], [2, 8, 0]]), 3) for requests in (8, 800)]
    [0.948, 0.901]
    """
    full = min(requests, places)
    drafted = {0, *(entry[2] for entry in schedule)}
    if full < 1 or not levels or not schedule or any(drafted - level.drafted.keys() for level in levels):
        return None
    speeds = {tokens: {level.requests: level.drafted[tokens] for level in levels} for tokens in drafted}
    running = np.arange(1, full + 1)
    scheduled = _between(running, speeds[schedule[-1][2]])
    for first, last, tokens in schedule[:-1]:
        inside = (first <= running) & (running <= last)
        scheduled[inside] = _between(running, speeds[tokens])[inside]
    plain = _between(running, {level.requests: level.plain for level in levels})
    return _time(requests, plain) / _time(requests, scheduled)


def _time(requests: int, speeds: NDArray[np.float64]) -> float:
    """Return the time of a run in seconds per token of its mean answer.

    Args:
        requests: All requests of the run.
        speeds: Output tokens per second with 1, 2 … requests in flight, as many as ever run at once.
    """
    full = len(speeds)
    tail = float(np.sum(np.arange(1, full + 1) / speeds)) / full
    return (requests - full / 2) / float(speeds[-1]) + tail


def _between(running: NDArray[np.int_], speeds: Mapping[int, float]) -> NDArray[np.float64]:
    """Return the speeds between measured ones, on straight lines; from none at no request."""
    known = sorted(speeds.items())
    return np.interp(running, [0, *(number for number, _ in known)], [0.0, *(speed for _, speed in known)])
