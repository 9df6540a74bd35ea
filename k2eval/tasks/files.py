"""Task files: the folders in which they are looked for, and the names of the tasks and groups in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from k2eval.errors import ConfigError
from k2eval.system import shipped_path
from k2eval.tasks.lm_eval_yaml import read


def tasks_folder() -> Path:
    """Return the folder with k2eval's own task files."""
    return shipped_path("tasks")


def tasks_folders(include: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Return all folders with task files, in order of precedence: the first folder that has a task wins.

    Args:
        include: Folders of ``--include-path``. They come first, then the folders that ``K2EVAL_TASKS`` lists
            (separated as in ``PATH``), and k2eval's own folder last.
    """
    listed = [Path(entry) for entry in os.environ.get("K2EVAL_TASKS", "").split(os.pathsep) if entry]
    return tuple(dict.fromkeys([*(folder.absolute() for folder in (*include, *listed)), tasks_folder()]))


def task_files(include: Sequence[Path] = ()) -> dict[str, Path]:
    """Return all task files by task name: k2eval's own first, then those that the user adds.

    A user's task replaces k2eval's own task of the same name.

    Args:
        include: Folders with the user's own tasks, besides those of ``K2EVAL_TASKS``.

    Raises:
        ConfigError: If a folder does not exist, or two files of one folder are the same task.
    """
    return {name: path for name, (path, _) in files_by_name(include).items()}


def files_by_name(include: Sequence[Path]) -> dict[str, tuple[Path, Path]]:
    """Return each task's file and the tasks folder that contains it."""
    files: dict[str, tuple[Path, Path]] = {}
    for folder in reversed(tasks_folders(include)):
        files |= {name: (path, folder) for name, path in names_in(folder).items()}
    return files


def task_groups(include: Sequence[Path] = ()) -> dict[str, tuple[str, ...]]:
    """Return the tasks of each group; a group is lm-eval's: a file with ``group`` and a list ``task``.

    >>> task_groups()["safety4"][0]
    'safety_refusal'

    Args:
        include: Folders with the user's own tasks, besides those of ``K2EVAL_TASKS``.
    """
    found: dict[str, tuple[str, ...]] = {}
    for folder in reversed(tasks_folders(include)):
        for path, content in _files_in(folder):
            if "group" in content:
                members = content.get("task")
                if not isinstance(members, list) or not all(isinstance(name, str) for name in members):
                    raise ConfigError(
                        f"{path}: expected names of tasks in the list task, got {members!r:.100}."
                    )
                found[str(content["group"])] = tuple(members)
    return found


def names_in(folder: Path) -> dict[str, Path]:
    """Return the task files of one folder by task name.

    Raises:
        ConfigError: If the folder does not exist, or two of its files are the same task.
    """
    files: dict[str, Path] = {}
    for path, content in _files_in(folder):
        if "group" in content:
            continue
        name = str(content.get("task", path.stem))
        if name in files:
            raise ConfigError(
                f"Expected one file per task, got {files[name]} and {path} for {name!r}. Rename one."
            )
        files[name] = path
    return files


def _files_in(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield each task file of a folder with its own keys ``task`` and ``group``.

    Raises:
        ConfigError: If the folder does not exist, or a file cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"No tasks folder at {folder}. Give --include-path and K2EVAL_TASKS existing folders with task files."
        )
    for path in sorted(folder.rglob("*.yaml")):
        if path.name.startswith("_"):
            continue
        try:
            changed_ns = path.stat().st_mtime_ns
        except OSError as error:
            raise ConfigError(f"Cannot read the task file {path}: {error}. Remove or repair it.") from error
        yield path, _names_of(path, changed_ns)


@cache
def _names_of(path: Path, changed_ns: int) -> Mapping[str, Any]:
    """Return what a file names; read the file again if it changed."""
    content = read(path)
    return {key: content[key] for key in ("task", "group") if key in content}
