"""The time that the rest of a run takes, estimated from its recent pace."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable

_WINDOW_S = 90.0
_WINDOW_SHARE = 0.25
"""The window is this long, or this share of the time so far if that is longer."""
_FEWEST = 48
"""The window goes back further if fewer samples than these ended in it."""
_SMOOTHING_S = 20.0
_SLOWER = 1.4
_SLACK_S = 15.0
"""By this factor, and by these seconds, an estimate must exceed the time shown to replace it: less may be noise."""


class TimeLeft:
    """An estimate of the time left, from the samples that ended in a recent window.

    The time shown counts down and drifts towards the estimate. It climbs only if the pace has dropped so much that
    a longer time is news.

    Args:
        clock: Function that returns the seconds since a fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._ends: list[float] = []
        self._end: float | None = None
        self._updated = self._started
        self._shown: float | None = None

    def restart(self) -> None:
        """Begin now; what was counted before does not say how fast work goes."""
        self._started = self._updated = self._clock()
        self._ends.clear()
        self._end = self._shown = None

    def count(self) -> None:
        """Count a sample that has just ended."""
        self._ends.append(self._clock())

    def estimate(self, left: int) -> float | None:
        """Return the seconds that ``left`` more samples take; None while no sample has ended."""
        if not left:
            return 0.0
        if not self._ends:
            return None
        now = self._clock()
        share = 1 - math.exp(-(now - self._updated) / _SMOOTHING_S)
        estimate = left / self._pace(now)
        if self._end is None or self._shown is None:
            self._end, self._shown = now + estimate, estimate
        self._end += (now + estimate - self._end) * share
        smooth = max(0.0, self._end - now)
        if smooth > self._shown * _SLOWER + _SLACK_S:
            self._shown = smooth
        else:
            counted_down = max(0.0, self._shown - (now - self._updated))
            self._shown = min(self._shown, counted_down + (smooth - counted_down) * share)
        self._updated = now
        return self._shown

    def _pace(self, now: float) -> float:
        """Return the samples per second from the start of the window until now."""
        start = now - max(_WINDOW_S, _WINDOW_SHARE * (now - self._started))
        first = max(0, min(bisect_left(self._ends, start), len(self._ends) - _FEWEST))
        since = self._ends[first - 1] if first else self._started
        return (len(self._ends) - first) / max(now - since, 1e-3)
