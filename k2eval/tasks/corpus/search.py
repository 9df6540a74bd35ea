"""Search a folder of training data for the questions of tasks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from k2eval.errors import DataError
from k2eval.tasks.corpus.crew import search_in_processes
from k2eval.tasks.corpus.encodings import is_nonsense
from k2eval.tasks.corpus.files import Part, documents, parts_of
from k2eval.tasks.corpus.fingerprints import Index, reduced
from k2eval.tasks.corpus.found import CorpusMatches, Match
from k2eval.tasks.corpus.kept import Kept

_BATCH = 1 << 20
"""Reduced bytes that are hashed together."""
_LEAST_OVERLAP = 16 << 10
"""Bytes."""
_SAMPLE = 64 << 10
"""Bytes of a part by which its text is taken for one or not."""

Progress = Callable[[int, int], None]
"""Called with the bytes read and the bytes of all files."""


def search_corpus(
    folder: Path,
    texts: Sequence[str],
    workers: int,
    *,
    progress: Progress = lambda read, of: None,
    keep: Path | None = None,
) -> tuple[CorpusMatches, list[int]]:
    """Look for texts in all files of a folder.

    Args:
        folder: Folder with training data, of the kinds in `KINDS`.
        texts: The questions' texts.
        workers: Number of processes.
        progress: Called from time to time.
        keep: File that keeps what was found in each part, so that a search which was stopped goes on; None for none.

    Returns:
        What was found, and the numbers of the texts that are too short to be looked for.

    Raises:
        DataError: If the folder has no such files, one cannot be read, or ``keep`` is of another search.
    """
    parts = parts_of(folder)
    total = sum(part.size for part in parts)
    index = Index(texts)
    overlap = overlap_for(texts)
    found = CorpusMatches()
    with Kept(keep, folder, texts) as kept:
        waiting = []
        for part in parts:
            before = kept.found_in(part)
            found.add(before) if before is not None else waiting.append(part)
        done = found.size
        progress(done, total)

        def take(part: Part, result: CorpusMatches) -> None:
            found.add(result)
            kept.keep(part, result)

        def read(size: int) -> None:
            nonlocal done
            done += size
            progress(min(done, total), total)

        if workers == 1 or len(waiting) <= 1:
            for part in waiting:
                take(part, search_part(index, part, folder, overlap, read))
        else:
            search_in_processes(folder, texts, waiting, min(workers, len(waiting)), take, read)
    return found, [number for number, size in enumerate(index.sizes) if not size]


def overlap_for(texts: Sequence[str]) -> int:
    """Return the bytes by which blocks of text overlap: twice the longest question, since white space may be added."""
    longest = max((len(text.encode(errors="surrogatepass")) for text in texts), default=0)
    return max(_LEAST_OVERLAP, 2 * longest)


def search_part(
    index: Index, part: Part, folder: Path, overlap: int, read: Callable[[int], None]
) -> CorpusMatches:
    """Look for the texts of an index in one part of a file.

    Args:
        index: The fingerprints of the texts.
        part: The part.
        folder: The folder below which places are named.
        overlap: Bytes by which blocks of text overlap.
        read: Called with the bytes that were read since the last call.

    Raises:
        DataError: If the part cannot be read.
    """
    found = CorpusMatches()
    batch: list[bytes] = []
    places: list[str] = []
    size = 0
    sample = b""

    def take() -> None:
        for number, document, share in index.shares(batch):
            found.take(number, Match(share, places[document]))
        batch.clear()
        places.clear()

    def unreadable() -> None:
        found.unreadable += 1

    try:
        found.size = part.size
        name = str(part.path.relative_to(folder))
        for place, text in documents(part, overlap, unreadable, read):
            found.documents += 1
            sample += text[: max(_SAMPLE - len(sample), 0)]
            batch.append(reduced(text))
            places.append(f"{name}:{place}")
            size += len(batch[-1])
            if size > _BATCH:
                take()
                size = 0
        take()
        if is_nonsense(sample) or (found.unreadable and not found.documents):
            found.senseless.add(name)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"Cannot read {part.path}: {error}. Repair or remove the file.") from error
    return found
