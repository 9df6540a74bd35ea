"""Replace files in one step: a reader sees the earlier content or the new content, never a part."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.tmp")
"""Matches ``.table.csv.4711.tmp``, not ``.table.csv`` and not ``table.csv.tmp``."""


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary file to write to, and move it to ``path`` when the block ends without an error.

    Folders are made if they are missing. A link is followed, so that its target is replaced. A path that is no regular
    file, such as ``/dev/stdout``, is written to directly. Temporary files of processes that were killed are removed.

    Args:
        path: The file to replace.
        durable: Whether to wait until the disk has the content. Thousands of small files take long then.

    Raises:
        OSError: If the file cannot be written; the earlier file is then unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "table.csv") as temporary:
    ...         _ = temporary.write_text("a,b")
    ...     sorted(os.listdir(folder))
    ['table.csv']
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
        if durable:
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, errors: str = "strict", durable: bool = True) -> None:
    """Replace ``path`` by ``text`` in UTF-8.

    Args:
        path: The file.
        text: Its new content.
        errors: Treatment of characters that UTF-8 cannot hold (unpaired surrogates), as of `str.encode`.
        durable: Whether to wait until the disk has the content.

    Raises:
        OSError: If the file cannot be written.
    """
    with (
        replacing(path, durable=durable) as temporary,
        temporary.open("w", encoding="utf-8", errors=errors, newline="") as file,
    ):
        file.write(text)


def remove_stale(target: Path) -> None:
    """Remove the temporary files that killed processes left beside ``target``."""
    for neighbour in target.parent.glob(f".{_literal(target.name)}.*.tmp"):
        parts = _TEMPORARY.fullmatch(neighbour.name)
        if parts and parts["name"] == target.name and not Path(f"/proc/{parts['pid']}").exists():
            neighbour.unlink(missing_ok=True)


def _literal(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _sync(folder: Path) -> None:
    """Write the move itself to the disk; some file systems cannot, and the content is safe without."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
