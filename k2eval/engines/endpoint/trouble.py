"""Errors for answers that cannot be used. ``str()`` names the error in a few words, so that it can be counted."""

from __future__ import annotations

import random

_LONGEST_WAIT_S = 60.0


class Trouble(Exception):
    """A server gave no usable answer; asking again may help."""


class NoConnection(Trouble):
    """The server cannot be reached."""

    def __init__(self, why: str) -> None:
        super().__init__("no connection")
        self.why = why


class Broken(Trouble):
    """The connection broke while the server answered."""

    def __init__(self) -> None:
        super().__init__("broken connection")


class Silence(Trouble):
    """The server gave no sign of life for too long."""

    def __init__(self) -> None:
        super().__init__("time-out")


class BadAnswer(Trouble):
    """The server sent no usable answer; the message gives the reason."""


class Refusal(Trouble):
    """The server answered with an HTTP status other than success.

    Args:
        status: The HTTP status.
        words: The server's own words.
        code: The server's name for the error, if it gives one.
        parameter: The parameter that the server blames, if it names one apart from its words.
        retry_after_s: Seconds that the server asks to wait.
    """

    def __init__(
        self, status: int, words: str, code: str = "", parameter: str = "", retry_after_s: float = 0.0
    ) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.words = words
        self.code = code
        self.parameter = parameter
        self.retry_after_s = retry_after_s


class OtherModel(Exception):
    """A server answered under another model's name."""


def pause_s(trouble: Trouble, attempt: int, backoff_s: float) -> float:
    """Return the seconds until the next attempt: growing, spread out, and at least what the server asks for."""
    pause: float = backoff_s * 2**attempt * (0.5 + random.random() / 2)
    if isinstance(trouble, Refusal):
        pause = max(pause, trouble.retry_after_s)
    return min(pause, _LONGEST_WAIT_S)
