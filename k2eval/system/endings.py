"""The end of a process by a signal: always heeded, and raised into nobody's code.

An exception that a handler raises is lost if the signal comes within ``__del__`` or the callback of a weak reference.
So the handler here raises nothing: it removes what must not stay behind, and ends the process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the end that another program asks for, and the end of the terminal."""
ENDED = frozenset(128 + number for number in ENDING)
"""Exit codes of commands that a signal has ended."""
_SHOW_CURSOR = "\x1b[?25h"

_actions: dict[object, Callable[[], object]] = {}


def exit_code(number: int) -> int:
    """Return the exit code of a command that a signal ended, as shells have it.

    >>> exit_code(signal.SIGTERM), exit_code(signal.SIGINT)
    (143, 130)
    """
    return 128 + number


@contextlib.contextmanager
def at_end(action: Callable[[], object]) -> Iterator[None]:
    """Have ``action`` called if a signal ends the process within the block. It must be short and wait for nothing."""
    key = object()
    _actions[key] = action
    try:
        yield
    finally:
        _actions.pop(key, None)


def end_now(number: int, frame: FrameType | None = None) -> None:
    """End this process at once, with the exit code of the signal. Our child processes end with it. A signal handler."""
    for action in reversed(list(_actions.values())):
        with contextlib.suppress(Exception):
            action()
    with contextlib.suppress(Exception):
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), _SHOW_CURSOR.encode())
    os._exit(exit_code(number))


def heed_signals() -> None:
    """End the process at once from now on if a signal asks for it, unless whoever started it wants it ignored.

    Python heeds no signal while a function in C keeps the interpreter, as ``sum(range(10**13))`` does. SIGQUIT
    (Ctrl-\\) is heeded outside of the interpreter: it shows where every thread is, and ends the process.
    """
    for number in heeded():
        if number == signal.SIGINT or signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end_now)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no standard error to show it on
            faulthandler.register(signal.SIGQUIT, chain=True)


def ignore_signals() -> None:
    """Let nothing change the exit code of a command that a signal has already ended."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def heeded() -> tuple[signal.Signals, ...]:
    """Return the signals of `ENDING` that are not ignored, as ``nohup`` has SIGHUP ignored."""
    return tuple(
        number
        for number in ENDING
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    )
