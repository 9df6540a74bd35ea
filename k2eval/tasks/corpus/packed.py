"""Packed files as streams of their contents. A file that was cut off is an error, never a shorter text."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO, Any, cast

PACKED = (".gz", ".zst")
_PIECE = 4 << 10
"""Packed bytes that are unpacked at a time: at most 128 MB, whatever they hold."""
_WINDOW = 1 << 31
"""Bytes of the largest window: archives of the web are packed with 2 GB."""
_BUFFER = 1 << 20


def unpacked(raw: IO[bytes], path: Path) -> IO[bytes]:
    """Return a stream of what a file holds, by the ending of its name.

    The stream raises EOFError if the file was cut off, and ValueError or OSError if it is damaged.
    """
    if path.suffix.lower() == ".gz":
        return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=raw)), _BUFFER)
    return io.BufferedReader(_Unpacked(raw), _BUFFER) if path.suffix.lower() == ".zst" else raw


class _Unpacked(io.RawIOBase):
    """What the frames of a file in the format of Zstandard hold, one frame after the other.

    The library's own stream takes the end of a file that was cut off for the end of the text.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        import zstandard

        self._raw = raw
        self._library = zstandard
        self._frame: Any = None
        self._packed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes; 0 at the end."""
        while not self._plain:
            packed = self._packed or self._raw.read(_PIECE)
            if not packed:
                if self._frame is not None:
                    raise EOFError("it ends within a frame")
                return 0
            self._packed = b""
            if self._frame is None:
                self._frame = self._library.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
            try:
                self._plain = memoryview(self._frame.decompress(packed))
            except self._library.ZstdError as error:
                raise ValueError(str(error)) from error
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._plain))
        buffer[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size
