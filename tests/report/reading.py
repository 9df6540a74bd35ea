"""The texts of a report, read back without a browser."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pyarrow as pa


def texts_in(page: Path) -> dict[int, dict[int, list[str]]]:
    """Records by piece and number, from the page or from the files beside it."""
    found = re.findall(
        r'<script type="text/plain" id="piece-(\d+)" data-size="(\d+)">(.*?)</script>',
        page.read_text() if page.exists() else "",
    )
    for file in [*page.parent.glob("*.js"), *page.parent.glob("samples/*.js")]:
        script = re.fullmatch(
            r'\ufeffk2evalPiece\((\d+),(\d+),"(.*)"\);\n', file.read_bytes().decode("utf-16-le")
        )
        assert script
        found.append(script.groups())
    pieces = {}
    for number, size, characters in found:
        bits = "".join(f"{ord(character) - 0x3400:015b}" for character in characters)
        frame = bytes(int(bits[at : at + 8], 2) for at in range(0, 8 * int(size), 8))
        content = pa.input_stream(io.BytesIO(frame), compression="zstd").read().decode()
        records = [record.split("\x1f") for record in content.split("\x1e")]
        pieces[int(number)] = {int(record[0]): record[1:] for record in records}
    return pieces
