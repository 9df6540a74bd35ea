"""Checkpoints on disk: where they are, and whether they are whole."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from k2eval.engines import checkpoint_config, missing_part
from k2eval.errors import ConfigError
from k2eval.records import digest
from k2eval.report import step_of
from k2eval.system import open_file

_DEPTH = 4
"""Folders below the watched one in which checkpoints are looked for, as in ``global_step_40/actor/huggingface``."""
_MOST = 20_000
"""Folders that one look visits at most."""
_UNFINISHED = re.compile(r"\.|.*[-_.](tmp|temp|part|incomplete)$|(tmp|temp)[-_.]", re.IGNORECASE)
"""Matches ``tmp-checkpoint-100``, ``.cache`` and ``step-3.tmp``, not ``template-3``."""
_PATTERN = re.compile(r"[*?\[]")
_WEIGHTS = (".safetensors", ".bin", ".safetensors.index.json")
_DIGITS = 8
"""Characters of the digest that tells a checkpoint from another one of the same name."""
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "tekken.json")


class Found(NamedTuple):
    """A folder that holds a checkpoint, or a part of one."""

    name: str
    """Its path below the watched folder, joined by ``-``; with a digest of the path if another folder has that name."""
    path: Path
    step: int | None
    namesake: Path | None = None
    """The other folder."""


Signature = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of each file of a checkpoint."""


def find_checkpoints(
    place: str, leave_out: Path, known: Mapping[str, Path] | None = None
) -> dict[str, Found]:
    """Return the folders with checkpoints below a folder, or those that match a pattern, by name.

    Folders that are hidden or called temporary are left out, and so are links to folders that are there anyway.

    Args:
        place: A folder, or a pattern such as ``out/step-*``. It need not exist yet.
        leave_out: A folder in which nothing is looked for.
        known: Folders by the names that they had before. Of several with the same name, these keep theirs.
    """
    base = _base(place)
    folders: dict[str, list[Path]] = {}
    for folder in itertools.islice(_visited(place, leave_out), _MOST):
        if is_checkpoint(folder):
            name = "-".join(folder.relative_to(base).parts) or folder.resolve().name
            folders.setdefault(name, []).append(folder)
    names = {path: name for name, path in (known or {}).items()}
    found = (each for name, same in folders.items() for each in _named(name, same, base, names))
    return {each.name: each for each in found}


def _visited(place: str, leave_out: Path) -> Iterator[Path]:
    seen = {leave_out.resolve()}
    for start in sorted(_matches(place), key=lambda folder: (folder.is_symlink(), folder)):
        yield from _walk(start, seen, _DEPTH)


def _named(name: str, folders: Sequence[Path], base: Path, before: Mapping[Path, str]) -> Iterator[Found]:
    """Yield checkpoints whose paths make the same name: one has it, the others have a digest behind it.

    Args:
        name: The name.
        folders: The checkpoints.
        base: The folder from which their paths begin.
        before: The names that folders had before.
    """
    apart = {folder: f"{name}-{digest(str(folder.relative_to(base)))[:_DIGITS]}" for folder in folders}
    kept = {folder for folder in folders if before.get(folder) == apart[folder]}
    plain = next((folder for folder in folders if before.get(folder) == name), None)
    plain = plain or min((folder for folder in folders if folder not in kept), key=_depth, default=None)
    for folder in folders:
        if folder == plain:
            yield Found(name, folder, step_of(folder))
        else:
            yield Found(apart[folder], folder, step_of(folder), plain)


def _depth(folder: Path) -> int:
    return len(folder.parts)


def _base(place: str) -> Path:
    """Return the last folder of a path before its first part that is a pattern."""
    path = Path(place)
    parts = []
    for part in path.parts:
        if _PATTERN.search(part):
            break
        parts.append(part)
    return Path(*parts)


def _matches(place: str) -> list[Path]:
    path, base = Path(place), _base(place)
    if path == base or path.is_dir():
        return [path] if path.is_dir() else []
    with contextlib.suppress(OSError, ValueError):
        return [match for match in base.glob(str(path.relative_to(base))) if match.is_dir()]
    return []


def _walk(folder: Path, seen: set[Path], depth: int) -> Iterator[Path]:
    """Yield a folder and those below it, but none within a checkpoint."""
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    yield folder
    if depth == 0 or is_checkpoint(folder):
        return
    with contextlib.suppress(OSError):
        below = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
        for path in sorted(below, key=lambda path: (path.is_symlink(), path)):
            if not _UNFINISHED.match(path.name):
                yield from _walk(path, seen, depth - 1)


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder holds a checkpoint, or a part of one."""
    try:
        names = {entry.name for entry in os.scandir(folder)}
    except OSError:
        return False
    return "config.json" in names or any(name.endswith(_WEIGHTS) for name in names)


def signature_of(folder: Path) -> Signature:
    """Return what changes if a file of a checkpoint does.

    Raises:
        OSError: If the folder cannot be read.
    """
    entries = []
    for entry in os.scandir(folder):
        if entry.is_file():
            status = entry.stat()
            entries.append((entry.name, status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)))
    return tuple(sorted(entries))


def fault_of(folder: Path, needs_tokenizer: bool = True) -> str | None:
    """Return in words why a checkpoint is not whole; None if it is.

    Args:
        folder: The checkpoint.
        needs_tokenizer: Whether it must have a tokenizer of its own.
    """
    try:
        if not (folder / "config.json").is_file():
            return "it has no config.json"
        checkpoint_config(str(folder))
    except ConfigError:
        return "config.json cannot be read"
    fault = missing_part(folder)
    if fault:
        return fault
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    for name in names:
        if name.endswith(".json"):
            try:
                with open_file(folder / name) as file:
                    json.loads(file.read())
            except (OSError, ValueError, RecursionError):
                return f"{name} cannot be read"
    if needs_tokenizer and not any(name in _TOKENIZERS or name.endswith(".tiktoken") for name in names):
        return "it has no tokenizer"
    return None
