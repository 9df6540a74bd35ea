"""The time that the rest of a run takes, estimated from its recent pace in tokens."""

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
_EARLY_SHARE = 0.1
"""Share of the time so far over which an early estimate is smoothed: the first ones rest on a few samples."""
_SLOWER = 1.4
_SLACK_S = 15.0
"""By this factor, and by these seconds, an estimate must exceed the time shown to replace it: less may be noise."""


class TimeLeft:
    """An estimate of the time left, from the samples that ended in a recent window.

    The pace is that of their tokens. If the longest samples come first, fewer end in a minute at first than later, and
    their tokens are as many. Without counts of tokens the pace is that of samples.

    The time shown counts down and drifts towards the estimate. It climbs only if the pace has dropped so much that
    a longer time is news.

    Args:
        clock: Function that returns the seconds since a fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._ends: list[float] = []
        self._tokens: list[float] = []
        """Tokens of all samples up to each of these ends."""
        self._end: float | None = None
        self._updated = self._started
        self._shown: float | None = None

    def restart(self) -> None:
        """Begin now; what was counted before does not say how fast work goes."""
        self._started = self._updated = self._clock()
        self._ends.clear()
        self._tokens.clear()
        self._end = self._shown = None

    def count(self, tokens: float = 0.0) -> None:
        """Count a sample that has just ended.

        Args:
            tokens: Tokens of all its generations; 0 if they are not known.
        """
        self._ends.append(self._clock())
        self._tokens.append((self._tokens[-1] if self._tokens else 0.0) + tokens)

    def estimate(self, left: int, known: int = 0, tokens: float = 0.0) -> float | None:
        """Return the seconds that ``left`` more samples take; None while no sample has ended.

        Args:
            left: Number of samples that have not ended.
            known: Number of those among them whose tokens are expected.
            tokens: The tokens that are expected of these. Others take as many as those that ended.
        """
        if not left:
            return 0.0
        if not self._ends:
            return None
        now = self._clock()
        smoothing = min(_SMOOTHING_S, _EARLY_SHARE * (now - self._started))
        share = 1 - math.exp(-(now - self._updated) / max(smoothing, 1e-3))
        estimate = self._seconds(now, left, known, tokens)
        if self._end is None or self._shown is None:
            self._end, self._shown, self._updated = now + estimate, estimate, now
        self._end += (now + estimate - self._end) * share
        smooth = max(0.0, self._end - now)
        if smooth > self._shown * _SLOWER + _SLACK_S:
            self._shown = smooth
        else:
            counted_down = max(0.0, self._shown - (now - self._updated))
            self._shown = min(self._shown, counted_down + (smooth - counted_down) * share)
        self._updated = now
        return self._shown

    def _seconds(self, now: float, left: int, known: int, tokens: float) -> float:
        """Return the seconds for what is left at the pace from the start of the window until now."""
        start = now - max(_WINDOW_S, _WINDOW_SHARE * (now - self._started))
        first = max(0, min(bisect_left(self._ends, start), len(self._ends) - _FEWEST))
        since = self._ends[first - 1] if first else self._started
        passed = max(now - since, 1e-3)
        ended = self._tokens[-1] - (self._tokens[first - 1] if first else 0.0)
        if ended <= 0:
            return left * passed / (len(self._ends) - first)
        mean = self._tokens[-1] / len(self._ends)
        return (tokens + max(0, left - known) * mean) * passed / ended
