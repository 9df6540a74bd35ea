r"""Texts for the page, compressed in pieces that a page from disk can load: it may run scripts, but not read files.

A piece holds records, each a number and texts, separated by control characters. So a browser finds words in it without
parsing. It is compressed by Zstandard in one frame, and each 15 bits of that become one character from U+3400 to
U+B3FF, none of which has a meaning in a script. A file with these in UTF-16 is a fifteenth longer than the frame; base
64 would add a third.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from k2eval.system import replacing

PIECE_BYTES = 4_000_000
"""Bytes of texts after which a piece is closed. Larger ones are compressed better, and take longer to open."""
LEVEL = 12
"""Level of Zstandard: a fifth smaller than deflate on mathematical texts; level 19 takes seven times as long."""
RECORD, UNIT = "\x1e", "\x1f"
"""Separators of records and of a record's texts."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_FIRST = 0x3400
_AT_WORK = 4
"""Most pieces that are compressed or wait for it."""


class Piece(NamedTuple):
    """A compressed piece in characters."""

    size: int
    """Bytes of the frame."""
    text: str


@dataclass(slots=True)
class PieceWriter:
    """Collects records into pieces, and writes those to files once their texts are too long for the page.

    Used as a context manager; pieces are complete behind the block.
    """

    folder: Path
    """Folder of the files; made if it is needed."""
    embedded: int
    """Most bytes of texts that stay in memory, for the page."""
    piece_bytes: int = PIECE_BYTES
    count: int = 0
    """Number of pieces begun."""
    _open: list[str] = field(default_factory=list)
    _open_bytes: int = 0
    _bytes: int = 0
    _kept: list[Piece] = field(default_factory=list)
    _waiting: deque[tuple[int, Future[Piece]]] = field(default_factory=deque)
    _compressors: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))

    @property
    def beside(self) -> bool:
        """Whether the pieces are files beside the page."""
        return self._bytes > self.embedded

    @property
    def pieces(self) -> list[Piece]:
        """The pieces, if they are not beside the page."""
        return [] if self.beside else self._kept

    def add(self, number: int, texts: Sequence[str]) -> int:
        """Add a record, and return the number of its piece."""
        if not self._open:
            self.count += 1
        record = record_of(number, texts)
        self._open.append(record)
        self._open_bytes += len(record)
        piece = self.count - 1
        if self._open_bytes >= self.piece_bytes:
            self.close_piece()
        return piece

    def close_piece(self) -> None:
        """Begin a new piece with the next record."""
        if self._open:
            content = RECORD.join(self._open).encode()
            self._bytes += len(content)
            self._waiting.append((self.count - 1, self._compressors.submit(compressed, content)))
            self._open, self._open_bytes = [], 0
            self._store(_AT_WORK)

    def __enter__(self) -> PieceWriter:
        """Remove the pieces of earlier reports, which may hold protected texts."""
        for earlier in [*self.folder.glob("*.js"), *self.folder.glob("*/*/*.js")]:
            earlier.unlink()
        for depth in ("*/*", "*"):
            for place in self.folder.glob(depth):
                if place.is_dir() and not any(place.iterdir()):
                    place.rmdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store the last pieces."""
        try:
            if error is None:
                self.close_piece()
                self._store(0)
        finally:
            self._compressors.shutdown(cancel_futures=True)

    def _store(self, waiting: int) -> None:
        while len(self._waiting) > waiting:
            number, future = self._waiting.popleft()
            piece = future.result()
            if self.beside:
                for before, kept in enumerate(self._kept):
                    self._write(before, kept)
                self._kept = []
                self._write(number, piece)
            else:
                self._kept.append(piece)

    def _write(self, number: int, piece: Piece) -> None:
        """Write a script in UTF-16; its byte order mark counts more than whatever a server says of its encoding."""
        script = f'\ufeffk2evalPiece({number},{piece.size},"{piece.text}");\n'
        with replacing(self.folder / f"{number}.js", durable=False) as temporary:
            temporary.write_bytes(script.encode("utf-16-le"))


def record_of(number: int, texts: Sequence[str]) -> str:
    """Return a number and texts as one record of a piece."""
    return UNIT.join([str(number), *map(_shown, texts)])


def _shown(text: str) -> str:
    """Return a text that separates nothing and that UTF-8 can hold."""
    text = text.replace(RECORD, "␞").replace(UNIT, "␟")
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def content_of(records: Sequence[tuple[int, Sequence[str]]]) -> bytes:
    """Return records as the content of a piece.

    >>> content_of([(0, ["a", "b"]), (1, [])])
    b'0\\x1fa\\x1fb\\x1e1'
    """
    return RECORD.join(record_of(number, texts) for number, texts in records).encode()


def compressed(content: bytes) -> Piece:
    """Compress bytes and write them in characters."""
    frame: bytes = pa.Codec("zstd", compression_level=LEVEL).compress(content, asbytes=True)
    return Piece(len(frame), in_characters(frame))


def in_characters(content: bytes) -> str:
    """Return each 15 bits of ``content`` as a character, filled up with zeros at the end.

    >>> [hex(ord(character)) for character in in_characters(bytes([255, 255]))]
    ['0xb3ff', '0x7400']
    """
    bits = np.unpackbits(np.frombuffer(content, dtype=np.uint8))
    bits = np.concatenate([bits, np.zeros(-len(bits) % 15, dtype=np.uint8)]).reshape(-1, 15)
    packed = np.packbits(np.pad(bits, ((0, 0), (1, 0))), axis=1).astype(np.uint16)
    codes = (packed[:, 0] << 8 | packed[:, 1]) + np.uint16(_FIRST)
    return codes.astype("<u2").tobytes().decode("utf-16-le")


def numbered(pieces: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (index, piece) wherever another piece begins, so that few numbers tell the piece of each record.

    >>> list(numbered([4, 4, 4, 5, 5]))
    [(0, 4), (3, 5)]
    """
    before = None
    for index, piece in enumerate(pieces):
        if piece != before:
            yield index, piece
        before = piece
