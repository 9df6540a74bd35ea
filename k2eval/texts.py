"""Texts that every system can hold and show, and why another one is refused."""

from __future__ import annotations

import re
from pathlib import Path


def fault_of_text(text: str) -> str | None:
    r"""Return why a text cannot be a name, a path or a prompt, or None if it can.

    >>> fault_of_text("café")
    >>> fault_of_text("\ud800")
    'expected a text that UTF-8 can hold, got an unpaired surrogate'
    """
    if "\0" in text:
        return "expected a text without NUL characters"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "expected a text that UTF-8 can hold, got an unpaired surrogate"
    return None


_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Matches control characters, ends of lines and marks that reverse the order of a line, not ``é`` and not ``数``."""


def fault_of_line(text: str) -> str | None:
    r"""Return why a text cannot be a cell of a table, or None if it can.

    >>> fault_of_line("K2-Think 数学")
    >>> fault_of_line("\x1b[31mred")
    "expected a text of one line without control characters, got '\\x1b' in it"
    """
    found = _UNSHOWABLE.search(text)
    if found:
        return f"expected a text of one line without control characters, got {found[0]!a} in it"
    return fault_of_text(text)


def as_line(text: str) -> str:
    r"""Return a text as one line that every terminal shows: spaces for ends of lines, ``\ufffd`` for what it cannot.

    >>> as_line("out of\n  memory\x1b[0m")
    'out of memory\ufffd[0m'
    """
    return showable(" ".join(text.split()))


def showable(text: str) -> str:
    r"""Return a text as `as_line` does, but with its lines, tabs and spaces as they are.

    >>> showable("a\n\tb\x1b[0m")
    'a\n\tb\ufffd[0m'
    """
    if text.isprintable():
        return text
    kept = _UNSHOWABLE.sub(lambda found: found[0] if found[0] in "\n\t" else "\ufffd", text)
    return kept.encode("utf-8", "replace").decode()


_NUMBER = re.compile(r"(\d+)")
_MOST_DIGITS = 1_000
"""Python reads no whole number of more than 4,300 digits; a longer one is ordered as a word."""


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a sort key of an id or a stage: numbers within it count by their size.

    >>> sorted(["q10", "q9", "2", "10"], key=natural)
    ['2', '10', 'q9', 'q10']
    """
    parts = [part for part in _NUMBER.split(text) if part]
    sizes = [int(part) if part.isdecimal() and len(part) <= _MOST_DIGITS else 0 for part in parts]
    return tuple((not part.isdecimal(), size, part) for part, size in zip(parts, sizes, strict=True))


LONGEST_NAME = 255
"""Bytes of the longest name of a file or folder that common file systems take."""


def fault_of_path(path: str | Path) -> str | None:
    r"""Return why a text cannot be a path, or None if it can.

    >>> fault_of_path("runs/one")
    >>> fault_of_path("runs/" + "x" * 300)
    'expected names of at most 255 bytes, got one of 300'
    """
    longest = max((len(name.encode(errors="replace")) for name in str(path).split("/")), default=0)
    if longest > LONGEST_NAME:
        return f"expected names of at most {LONGEST_NAME} bytes, got one of {longest}"
    return fault_of_line(str(path))
