"""Replace files in one step: a reader sees the earlier content or the new content, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from k2eval.errors import ConfigError
from k2eval.system.endings import at_end

FILES_OF_A_RUN = frozenset(
    {
        "run.json", "generations.jsonl", "verdicts.jsonl", ".lock", "engine.log", "checksums.json",
        "checksums.json.sig", "race.json", "watch.json", ".watch.lock",
    }
)  # fmt: skip
"""Files from which runs, races and watches go on. Only the code that goes on with them writes them."""
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.tmp")
"""Matches ``.table.csv.4711.tmp``, not ``.table.csv`` and not ``table.csv.tmp``."""


def open_file(path: Path, flags: int = os.O_RDONLY) -> BinaryIO:
    """Open a regular file without waiting: a FIFO, a device or a folder in its place is refused at once.

    Args:
        path: The file; a link is followed.
        flags: As of `os.open`; with `os.O_CREAT`, the file is made if it is missing.

    Raises:
        OSError: If it cannot be opened, or is no regular file.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise OSError(
                f"expected a regular file, got {_KINDS.get(stat.S_IFMT(kind), 'something else')}: {path}"
            )
        mode = "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "ab" if flags & os.O_APPEND else "rb+"
        if flags & os.O_ACCMODE == os.O_WRONLY and mode == "rb+":
            mode = "wb"
        return os.fdopen(descriptor, mode, buffering=0 if flags & os.O_APPEND else -1)  # type: ignore[return-value]
    except BaseException:
        os.close(descriptor)
        raise


_KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}  # fmt: skip


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True, of_run: bool = False) -> Iterator[Path]:
    """Give a temporary file to write to, and move it to ``path`` when the block ends without an error.

    Folders are made if they are missing. A link is followed, so that its target is replaced. A path that is no regular
    file, such as ``/dev/stdout``, is written to directly. Temporary files of processes that were killed are removed.

    Args:
        path: The file to replace.
        durable: Whether to wait until the disk has the content. Thousands of small files take long then.
        of_run: Whether the file may be one of `FILES_OF_A_RUN` in a directory of a run. Tables, pages and exports may
            not, whatever path or link leads there.

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
    target = real_path(path)
    if target.is_symlink():
        raise OSError(errno.ELOOP, "the link leads to itself", str(path))
    if not of_run and is_of_run(target):
        raise PermissionError(
            errno.EPERM,
            f"{target.name} in {target.parent} belongs to a run, which alone may replace it",
            str(path),
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with at_end(lambda: temporary.unlink(missing_ok=True)):
        yield from _moved_into_place(temporary, target, durable)


def _moved_into_place(temporary: Path, target: Path, durable: bool) -> Iterator[Path]:
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


def is_of_run(path: Path) -> bool:
    """Return whether a path, links followed, is a file from which a run goes on.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "run.json").touch()
    ...     [is_of_run(Path(folder) / name) for name in ("run.json", "verdicts.jsonl", "table.csv")]
    [True, True, False]
    """
    target = real_path(path)
    if target.name not in FILES_OF_A_RUN:
        return False
    if target.name == "run.json" and target.exists():
        return True
    others = FILES_OF_A_RUN - {target.name}
    return any((target.parent / name).exists() for name in others) or any(target.parent.glob("*/run.json"))


def real_path(path: Path) -> Path:
    """Return an absolute path without links; a link that leads to itself stays, and `Path.resolve` would raise.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "loop").symlink_to("loop")
    ...     real_path(Path(folder) / "loop").name
    'loop'
    """
    return Path(os.path.realpath(path))


def write_text(
    path: Path, text: str, *, errors: str = "strict", durable: bool = True, of_run: bool = False
) -> None:
    """Replace ``path`` by ``text`` in UTF-8.

    Args:
        path: The file.
        text: Its new content.
        errors: Treatment of characters that UTF-8 cannot hold (unpaired surrogates), as of `str.encode`.
        durable: Whether to wait until the disk has the content.
        of_run: Whether the file may be one from which a run goes on; see `replacing`.

    Raises:
        OSError: If the file cannot be written.
    """
    with (
        replacing(path, durable=durable, of_run=of_run) as temporary,
        temporary.open("w", encoding="utf-8", errors=errors, newline="") as file,
    ):
        file.write(text)


def write_texts(out: Path, texts: Mapping[str, str]) -> list[Path]:
    """Replace the files ``OUT.csv``, ``OUT.md`` …; return their paths.

    Args:
        out: Their path without a suffix; one of the suffixes at its end is left out.
        texts: Suffix -> content.

    Raises:
        ConfigError: If a file cannot be written.
    """
    base = out.with_suffix("") if out.suffix in texts else out
    paths = [base.with_name(base.name + suffix) for suffix in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        try:
            write_text(path, text)
        except OSError as error:
            raise ConfigError(f"Cannot write {path}: {error.strerror}. Choose another --out.") from error
    return paths


def remove_stale(target: Path) -> None:
    """Remove the temporary files and folders that killed processes left beside ``target``."""
    for neighbour in target.parent.glob(f".{_literal(target.name)}.*.tmp"):
        parts = _TEMPORARY.fullmatch(neighbour.name)
        if parts and parts["name"] == target.name and not Path(f"/proc/{parts['pid']}").exists():
            if neighbour.is_dir() and not neighbour.is_symlink():
                shutil.rmtree(neighbour, ignore_errors=True)
            else:
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
