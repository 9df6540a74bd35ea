"""Runs as a folder for a static host: the board, the report, tables of all samples, and how each run was made.

Nothing is uploaded here. The folder holds a list of its files with their checksums, so that the next publication
replaces what the last one wrote and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from k2eval.errors import ConfigError
from k2eval.interop.export import export_run
from k2eval.journal import RUN, SEAL, SIGNATURE, checksums, is_verified, read_run
from k2eval.leaderboard import Leaderboard, board_tables, build, write as write_board
from k2eval.pages import render
from k2eval.report import write_report
from k2eval.system import at_end, open_file, remove_stale, replacing, write_text
from k2eval.texts import as_line
from k2eval.values import read_json

FILES = "files.json"
"""The list of a publication's files."""
_UNSAFE = re.compile(r"[^\w.\-]+")
_PLACE = re.compile(r"(?<![\w.~/<])(?:[a-z]+://|~/|/(?=\w)|[A-Za-z]:\\)[^\s\"'`,;)]+")
"""Matches ``/home/me/data``, ``~/data``, ``http://host:8000`` and ``C:\\data``, not ``and/or`` or ``1 / 2``."""
_SHOWN, _LONGEST_PLACE = 12, 300
_LARGEST_LIST = 50_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Published:
    """A folder that is ready to be uploaded."""

    out: Path
    files: dict[str, int]
    """The size in bytes of each file, by its path below ``out``."""
    notes: list[str]
    """What the files lack, and what they tell of the machine."""


def publish(
    runs: Sequence[Path],
    out: Path,
    *,
    title: str = "Evaluation results",
    data: Path | None = None,
    include: Sequence[Path] = (),
    include_protected: bool = False,
) -> Published:
    """Write everything about runs that others need into a folder for a static host or a Hugging Face Space.

    Args:
        runs: Run directories.
        out: The folder: a new or empty one, or one that was written by this function.
        title: Title of the first page.
        data: The data folder, for prompts and golds; ``K2EVAL_DATA`` if None.
        include: Folders with own tasks.
        include_protected: Whether to write texts whose authors ask not to publish them.

    Raises:
        ConfigError: If the folder holds other files, or cannot be written.
        JournalError: If a run directory cannot be read.
    """
    board = build(runs)
    names = _names(runs)
    notes: list[str] = []
    try:
        _check(out)
        with _beside(out) as folder:
            write_report(
                runs, folder, include_protected=include_protected, data=data, include=include, for_all=True
            )
            write_board(board, folder / "leaderboard")
            for name, run in names.items():
                notes += _add_run(run, folder / "runs" / name, data, include, include_protected)
            write_text(folder / "index.html", _page(board, names, folder, title))
            write_text(folder / "README.md", _readme(title, names))
            files = _list(folder)
            _remove(out)
            folder.replace(out)
    except OSError as error:
        raise ConfigError(f"Cannot write to {out}: {error}. Give another --out.") from error
    return Published(out, files, list(dict.fromkeys(notes)))


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Make a folder beside ``out``, and remove it on every way out but that it has been moved."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    remove_stale(out)
    folder.mkdir()
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    try:
        with at_end(remove):
            yield folder
    finally:
        remove()


def _check(out: Path) -> None:
    """Make sure that a folder holds nothing but an earlier publication.

    Raises:
        ConfigError: If it holds anything else.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ConfigError(f"Expected a folder, got {out}, which is a link or a file. Give another --out.")
    if not out.exists():
        return
    known = {FILES, *_listed(out)}
    for path in out.rglob("*"):
        name = str(path.relative_to(out))
        if name not in known and (path.is_symlink() or not path.is_dir()):
            raise ConfigError(
                f"Expected a new or empty folder, or one that `k2eval publish` wrote, got {out} with {name}. Give "
                "another --out."
            )


def _listed(out: Path) -> list[str]:
    if not (out / FILES).is_file():
        return []
    try:
        if (out / FILES).stat().st_size > _LARGEST_LIST:
            raise ValueError("too long")
        return [str(name) for name in read_json((out / FILES).read_bytes())["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{out / FILES} is no list of files ({error}). Give another --out.") from error


def _remove(out: Path) -> None:
    """Remove an earlier publication, which `_check` has looked at; it may hold texts that are left out now."""
    if out.exists():
        shutil.rmtree(out)


def _names(runs: Sequence[Path]) -> dict[str, Path]:
    """Return a name of a folder for each run: its own as far as paths may hold it, with a number if it is taken."""
    names: dict[str, Path] = {}
    for run in runs:
        name = _UNSAFE.sub("-", read_run(run).name).strip(".-")[:80] or "run"
        number = 2
        unique = name
        while unique in names:
            unique, number = f"{name}-{number}", number + 1
        names[unique] = run
    return names


def _add_run(
    run: Path, out: Path, data: Path | None, include: Sequence[Path], include_protected: bool
) -> list[str]:
    """Write one run's tables, badges, settings and checksums; return notes on them."""
    notes: list[str] = []
    for form in ("parquet", "model-card"):
        notes += export_run(
            run, form, out, data=data, include=include, include_protected=include_protected
        ).notes
    out.mkdir(parents=True, exist_ok=True)
    for name in (RUN, SEAL, SIGNATURE):
        try:
            own = open_file(run / name, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        except OSError as error:  # a link may lead to anything of the user's, which must not be published
            raise ConfigError(
                f"Expected {run / name} to be a file of the run itself, got a link or no file. Put a copy of the "
                "file in its place, or remove it."
            ) from error
        with own, replacing(out / name, of_run=True) as path, path.open("wb") as copy:
            shutil.copyfileobj(own, copy)
    verified = {"verified": is_verified(run), "sha256": checksums(run)}
    write_text(out / "verification.json", json.dumps(verified, indent=1) + "\n")
    places = sorted(set(_places(json.loads((out / RUN).read_text("utf-8")))))
    if places:
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        notes.append(
            f"{run.name}: run.json, or a table, names places of your machine or network: "
            f"{', '.join(places[:_SHOWN])}{more}"
        )
    return notes


def _places(value: object) -> Iterable[str]:
    """Yield the absolute paths and the addresses in the settings of a run, each as one line.

    >>> [*_places({"data": "/home/me/my data", "arguments": ["--chat-template=/srv/chat.jinja", "a/b"]})]
    ['/home/me/my data', '/srv/chat.jinja']
    """
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _places(key)
            yield from _places(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _places(entry)
    elif isinstance(value, str):
        found = [value] if _PLACE.match(value) and "\n" not in value else _PLACE.findall(value)
        yield from (as_line(place)[:_LONGEST_PLACE] for place in found)


def _page(board: Leaderboard, names: dict[str, Path], out: Path, title: str) -> str:
    runs = []
    for name, run in names.items():
        files = sorted(path for path in (out / "runs" / name).iterdir() if path.is_file())
        sizes = [(path.name, _size(path.stat().st_size)) for path in files]
        runs.append({"name": name, "label": read_run(run).name, "files": sizes})
    return render("publish.html", title=title, tables=board_tables(board), runs=runs)


def _readme(title: str, names: dict[str, Path]) -> str:
    """Return the README.md that makes the folder a static Space, and tells people what is in it."""
    head = {"title": title[:60], "sdk": "static", "app_file": "index.html", "pinned": False}
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    listed = "\n".join(f"- `runs/{name}/`" for name in names)
    return (
        "---\n"
        + "\n".join(lines)
        + f"\n---\n\n# {title}\n\nMade by k2eval. `index.html` is the leaderboard, "
        "`report.html` shows every sample. Each run has its tables (`samples.parquet`, `generations.parquet`), its "
        f"settings (`run.json`) and its checksums (`verification.json`):\n\n{listed}\n"
    )


def _list(out: Path) -> dict[str, int]:
    """Write the list of all files, and return their sizes."""
    sizes, sums = {}, {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_file() and name != FILES:
            sizes[name] = path.stat().st_size
            hashed = hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    hashed.update(chunk)
            sums[name] = hashed.hexdigest()
    write_text(out / FILES, json.dumps({"files": sums}, indent=1) + "\n")
    return sizes


def _size(count: int) -> str:
    """Return a size in words.

    >>> _size(1_234_567), _size(900)
    ('1.2 MB', '900 bytes')
    """
    for size, unit in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
