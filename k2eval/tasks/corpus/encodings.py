"""Encodings of training data: texts with a byte order mark are read by it, and all others as UTF-8."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import IO, Any

from k2eval.tasks.corpus.packed import unpacked

BOM = codecs.BOM_UTF8
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PIECE = 1 << 20
_MOST_NONSENSE = 0.1
"""Share of characters from which on a text makes no sense. Few words of Western languages have so many accents."""
# Matches what no text has: a character that was not decoded, and control characters; not a tab or an end of line.
_NONSENSE = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufffd]")


def wide_encoding(path: Path) -> str | None:
    """Return the encoding that the byte order mark of a file names; None for UTF-8 and files without a mark.

    Raises:
        OSError, EOFError, ValueError, zlib.error: If the file cannot be read or unpacked.
    """
    with path.open("rb") as raw:
        return _named_by(unpacked(raw, path).read(4))


def _named_by(head: bytes) -> str | None:
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def as_utf8(data: bytes) -> bytes:
    """Return a whole text in UTF-8, without its byte order mark.

    >>> as_utf8("é".encode("utf-16")) == as_utf8("é".encode("utf-8-sig")) == "é".encode()
    True
    """
    encoding = _named_by(data[:4])
    if encoding is None:
        return data.removeprefix(BOM)
    return data.decode(encoding, errors="replace").removeprefix("\ufeff").encode(errors="replace")


def recoded(file: IO[bytes], encoding: str) -> IO[bytes]:
    """Return a stream of a text in UTF-8, without its byte order mark; what cannot be decoded becomes U+FFFD."""
    return io.BufferedReader(_Recoded(file, encoding), _PIECE)


class _Recoded(io.RawIOBase):
    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._text = memoryview(b"")
        self._begun = self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes; 0 at the end."""
        while not self._text and not self._ended:
            piece = self._file.read(_PIECE)
            self._ended = not piece
            text = self._decoder.decode(piece, final=self._ended)
            if text and not self._begun:
                text, self._begun = text.removeprefix("\ufeff"), True
            self._text = memoryview(text.encode(errors="replace"))
        size = min(len(buffer), len(self._text))
        buffer[:size] = self._text[:size]
        self._text = self._text[size:]
        return size


def is_nonsense(sample: bytes) -> bool:
    """Return whether the beginning of a text is none in UTF-8: UTF-16 without its mark, another encoding, or no text.

    >>> [is_nonsense("Wie groß ist x?".encode(name)) for name in ("utf-8", "latin-1", "utf-16-le")]
    [False, False, True]
    """
    text = sample.decode(errors="replace")
    return len(_NONSENSE.findall(text)) > max(_MOST_NONSENSE * len(text), 1)
