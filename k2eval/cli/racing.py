"""``k2eval race``: who the contestants are, and what is printed."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from k2eval.cli.show import print_table
from k2eval.config import load_config
from k2eval.decide import Contestant, LiveRace, Result, Rules, race_of_runs, race_table, race_words
from k2eval.errors import ConfigError
from k2eval.leaderboard import load_runs
from k2eval.system import exit_code, real_path, terminal
from k2eval.tasks import task_files, task_groups

_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)=(.+)", re.DOTALL)
"""Matches "rl=models/nano/rl": a name, and the contestant that has it."""
_SERVED = re.compile(r"(.*)@((?:https?|dns\+https?)://.+|@.+)", re.DOTALL)
"""Matches "qwen3@http://127.0.0.1:8000/v1": a server's name for its model, and its address."""


def race_command(
    texts: Sequence[str],
    rules: Rules,
    out: Path | None,
    file: Path | None,
    flags: Mapping[str, Any],
    engine: str | None,
    sets: Sequence[str],
) -> int:
    """Carry out ``k2eval race``.

    Raises:
        ConfigError: If the contestants cannot race.
    """
    console = terminal()
    if len(texts) < 2:
        raise ConfigError(f"Expected at least two contestants, got {len(texts)}. Name another one.")
    named = [_named(text) for text in texts]
    repeated = [name for name, count in Counter(name for name, _ in named).items() if count > 1]
    if repeated and not all(_is_run(text) for _, text in named):
        raise ConfigError(
            f"Expected contestants with different names, got {', '.join(repeated)} twice. Name them: a=…, b=…."
        )
    twice = [
        str(path)
        for path, count in Counter(real_path(Path(text)) for _, text in named if _is_run(text)).items()
        if count > 1
    ]
    if twice:
        raise ConfigError(
            f"Expected different run directories, got {', '.join(twice)} twice. Name another one."
        )
    if all(_is_run(text) for _, text in named):
        _refuse_settings({**flags, "out": out, "engine": engine, "config": file, "set": sets})
        tasks = [name.strip() for name in (flags["tasks"] or "").split(",") if name.strip()]
        runs = load_runs([Path(text) for _, text in named])
        _show(race_of_runs(runs, rules, tasks), console)
        return 0
    if out is None:
        raise ConfigError(
            "Expected --out, a folder for the runs that the race makes, got none. Give --out DIR."
        )
    contestants = [_contestant(name, text, out, file, flags, engine, sets) for name, text in named]
    result, number = asyncio.run(LiveRace(contestants, rules, out, console).run())
    if result is not None:
        _show(result, console)
    console.print(f"Race directory: {out}", soft_wrap=True, highlight=False)
    if number is not None:
        console.print("Stopped. The same command goes on from there.")
        return exit_code(number)
    return 0


def _refuse_settings(flags: Mapping[str, Any]) -> None:
    """Refuse settings of a generation: finished runs are raced as they are."""
    given = [
        f"--{name.replace('_', '-')}"
        for name, value in flags.items()
        if name not in ("tasks", "seed") and value not in (None, (), [])
    ]
    if given:
        raise ConfigError(
            f"{', '.join(given)}: expected a contestant that generates, got finished runs alone. They are raced "
            f"as they are; leave out {', '.join(given)}."
        )


def _named(text: str) -> tuple[str, str]:
    """Return a contestant's name, which is that of its folder below ``--out``, and what it is.

    >>> _named("rl=models/nano/rl"), _named("models/nano/rl/")
    (('rl', 'models/nano/rl'), ('rl', 'models/nano/rl/'))
    """
    match = _NAMED.fullmatch(text)
    if match and not Path(text).exists():
        return match[1], match[2]
    served = _SERVED.fullmatch(text)
    source = served[1] or "server" if served else text.rstrip("/") or "/"
    name = Path(source).stem if source.endswith((".yaml", ".yml")) else Path(source).name
    if name in ("", ".."):
        name = Path(source).resolve().name or "root"
    return re.sub(r"[^\w.-]", "_", name), text


def _is_run(text: str) -> bool:
    return (Path(text) / "run.json").exists()


def _contestant(
    name: str,
    text: str,
    out: Path,
    file: Path | None,
    flags: Mapping[str, Any],
    engine: str | None,
    sets: Sequence[str],
) -> Contestant:
    if _is_run(text):
        return Contestant(name, Path(text), None)
    own = dict(flags) | {"out": out / name}
    pairs = [*sets, *([f"engine.kind={engine}"] if engine else [])]
    served = _SERVED.fullmatch(text)
    if text.endswith((".yaml", ".yml")):
        if file is not None:
            raise ConfigError(f"Expected --config or contestants that are YAML files, got {file} and {text}.")
        file = Path(text)
    elif served:
        own["model"] = served[1] or None
        pairs += ["engine.kind=endpoint", f"engine.base_url={served[2]}"]
    else:
        own["model"] = text
    return Contestant(
        name,
        out / name,
        load_config(file=file, flags=own, sets=pairs, task_names=task_files, task_groups=task_groups),
    )


def _show(result: Result, console: Console) -> None:
    print_table(*race_table(result), console)
    for line in race_words(result):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
