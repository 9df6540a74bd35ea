"""A process that searches parts of training data: it reads their names, and writes what it found.

The first line of its input is JSON with the folder and the texts, each further one a part. Each line of its output is
JSON: ``{"read": bytes}``, ``{"error": text}``, or the result of a part.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import orjson

from k2eval.errors import K2EvalError
from k2eval.system import die_with_parent
from k2eval.tasks.corpus.files import Part
from k2eval.tasks.corpus.fingerprints import Index
from k2eval.tasks.corpus.search import overlap_for, search_part

_TOLD = 4 << 20
"""Bytes after which a process tells how much it has read."""


def main() -> None:
    """Search parts until the input ends."""
    die_with_parent()
    head = orjson.loads(sys.stdin.buffer.readline())
    folder, texts = Path(head["folder"]), head["texts"]
    index, overlap = Index(texts), overlap_for(texts)
    untold = 0

    def read(size: int) -> None:
        nonlocal untold
        untold += size
        if untold >= _TOLD:
            _say({"read": untold})
            untold = 0

    for line in sys.stdin.buffer:
        path, start, end = orjson.loads(line)
        try:
            found = search_part(index, Part(Path(path), start, end), folder, overlap, read)
        except K2EvalError as error:
            _say({"error": str(error)})
            return
        except Exception:
            _say({"error": f"Cannot search {path}: {traceback.format_exc()[-2000:]}"})
            return
        _say({"read": untold})
        untold = 0
        _say(found.as_json())


def _say(value: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
