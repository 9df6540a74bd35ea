"""The time that the rest of a run takes, estimated from its recent pace in tokens."""

from __future__ import annotations

import math
import time
from array import array
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
_LAST_SHARE = 0.02
"""Share of the tokens of unfinished samples: once fewer are to be written, the end of these samples decides."""


class _Counts:
    """Amounts with their moments."""

    def __init__(self) -> None:
        self._at = array("d")
        self._sums = array("d")
        """All amounts up to each of these moments."""

    def __len__(self) -> int:
        return len(self._at)

    @property
    def total(self) -> float:
        return self._sums[-1] if self._sums else 0.0

    def add(self, at: float, amount: float) -> None:
        self._at.append(at)
        self._sums.append(self.total + amount)

    def window(self, now: float, begin: float) -> tuple[int, float, float]:
        """Return number, sum and seconds of the latest counts."""
        start = now - max(_WINDOW_S, _WINDOW_SHARE * (now - begin))
        first = max(0, min(bisect_left(self._at, start), len(self) - _FEWEST))
        since, before = (self._at[first - 1], self._sums[first - 1]) if first else (begin, 0.0)
        return len(self) - first, self.total - before, max(now - since, 1e-3)


class TimeLeft:
    """An estimate of the time left, from the recent pace.

    The pace is that of the tokens that are written, also in samples that have not ended: a recipe asks for many things
    before its first sample ends. Without such counts it is that of samples that end, by their tokens if they are known.
    If the longest samples come first, fewer end in a minute at first than later, and their tokens are as many.

    The time shown counts down and drifts towards the estimate. It climbs only if the pace has dropped so much that
    a longer time is news.

    Args:
        clock: Function that returns the seconds since a fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._samples, self._written = _Counts(), _Counts()
        self._end: float | None = None
        self._updated = self._started
        self._shown: float | None = None

    def restart(self) -> None:
        """Begin now; what was counted before does not say how fast work goes."""
        self._started = self._updated = self._clock()
        self._samples, self._written = _Counts(), _Counts()
        self._end = self._shown = None

    def count(self, tokens: float = 0.0) -> None:
        """Count a sample that has just ended.

        Args:
            tokens: Tokens of all its generations; 0 if they are not known.
        """
        self._samples.add(self._clock(), tokens)

    def write(self, tokens: float) -> None:
        """Count the tokens of a new generation."""
        self._written.add(self._clock(), tokens)

    def estimate(self, left: int, known: int = 0, tokens: float = 0.0) -> float | None:
        """Return the seconds that ``left`` more samples take; None while no sample has ended.

        Args:
            left: Number of samples that have not ended.
            known: Number of those among them whose tokens are expected.
            tokens: The tokens that are expected of these. Others take as many as those that ended.
        """
        if not left:
            return 0.0
        if not self._samples:
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
        whole = tokens + max(0, left - known) * self._samples.total / len(self._samples)
        _, written, passed = self._written.window(now, self._started)
        rest = whole - max(0.0, self._written.total - self._samples.total)
        if written > 0 and rest > _LAST_SHARE * whole:
            return rest * passed / written
        number, ended, passed = self._samples.window(now, self._started)
        return (whole / ended if ended > 0 else left / number) * passed
