"""``k2eval speed --start``: where the seconds of a start go, from the command to the first token."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from k2eval.config import RunConfig
from k2eval.engines.vllm import VllmEngine, begin_ahead, cache_folders, end_spare, kept_on_failure
from k2eval.errors import ConfigError
from k2eval.records import Message, Request, Sampling
from k2eval.system import replacing, terminal

_LOOK_S = 0.02
_MARKS = (
    ("the engine's process", re.compile(r"Initializing a V1 LLM engine")),
    ("the worker", re.compile(r"Starting to load model")),
    ("weights", re.compile(r"Loading weights took|Model loading took")),
    ("memory profiling", re.compile(r"Available KV cache memory|KV cache size")),
    ("key-value cache and warm-up", re.compile(r"init engine \(profile")),
)
"""Lines of vLLM's log that end a stage."""
_WITHIN = (
    ("compilation", re.compile(r"torch\.compile (?:took|takes) ([\d.]+) ?s")),
    ("graphs", re.compile(r"Graph capturing finished in ([\d.]+) ?s")),
)
"""Lines that tell how long a part of a stage took."""


class Line(NamedTuple):
    """A line of vLLM's log."""

    at: float
    """``time.monotonic()`` at which it was seen."""
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a start."""

    name: str
    seconds: float
    within: str = ""
    """The stage that it is a part of; empty if it stands alone."""


def stages_of(lines: Sequence[Line], moments: Mapping[str, float]) -> list[Stage]:
    """Return the stages of a start in their order.

    Args:
        lines: vLLM's log.
        moments: ``time.monotonic()`` of ``begin`` (of this process), ``start``, ``imported``, ``ready``, ``first`` and
            ``second`` (answer of one token).

    >>> moments = {"begin": 0.0, "start": 1.0, "imported": 7.0, "ready": 11.0, "first": 11.5, "second": 11.75}
    >>> lines = [Line(9.0, "INFO Starting to load model m"), Line(10.0, "INFO Loading weights took 0.5 seconds")]
    >>> [(stage.name, stage.seconds) for stage in stages_of(lines, moments)][:4]
    [('k2eval before the engine', 1.0), ('importing vLLM', 6.0), ('the worker', 2.0), ('weights', 1.0)]
    """
    stages = [
        Stage("k2eval before the engine", moments["start"] - moments["begin"]),
        Stage("importing vLLM", moments["imported"] - moments["start"]),
    ]
    before = moments["imported"]
    for name, pattern in _MARKS:
        at = next((line.at for line in lines if line.at >= before and pattern.search(line.text)), None)
        if at is None:
            continue
        stages.append(Stage(name, at - before))
        inside = [line for line in lines if before < line.at <= at]
        for part, within in _WITHIN:
            took = sum(float(match[1]) for line in inside if (match := within.search(line.text)))
            if took:
                stages.append(Stage(part, took, name))
        before = at
    return [
        *stages,
        Stage("the rest of the start", moments["ready"] - before),
        Stage("first token", moments["first"] - moments["ready"]),
        Stage("a second one, for comparison", moments["second"] - moments["first"], "first token"),
    ]


def start_command(config: RunConfig, out: Path | None) -> int:
    """Carry out ``k2eval speed --start``.

    Raises:
        ConfigError: If the engine is not vLLM in process.
        EngineError: If it cannot start.
    """
    if config.engine.kind != "vllm":
        raise ConfigError(
            f"Expected vLLM in this process to look at its start, got the {config.engine.kind} engine. Leave "
            "--endpoint and engine.kind out."
        )
    console = terminal()
    begin_ahead()
    try:
        with kept_on_failure(out.with_name(f"{out.name}.engine.log") if out else None) as log:
            stages, spared = asyncio.run(_measure(config, log))
    finally:
        end_spare()
    total = sum(stage.seconds for stage in stages if not stage.within)
    _print(stages, total, config.model, spared, console)
    if out:
        content = {
            "model": config.model,
            "total_s": round(total, 3),
            "spare": spared,
            "stages": [asdict(stage) | {"seconds": round(stage.seconds, 3)} for stage in stages],
            "caches": {name: str(folder) for name, folder in cache_folders().items()},
        }
        path = out.with_name(f"{out.name}.start.json")
        with replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


async def _measure(config: RunConfig, log: Path) -> tuple[list[Stage], bool]:
    began = time.monotonic() - (time.time() - psutil.Process().create_time())
    engine = VllmEngine(config.model, config.engine.arguments, config.speculative, log)
    lines: list[Line] = []
    reading = asyncio.create_task(_read(log, lines))
    moments = {"begin": began, "start": time.monotonic()}
    async with engine:
        moments |= {**engine.moments, "ready": time.monotonic()}
        for name, seed in (("first", 1), ("second", 2)):
            await engine.generate(_question(seed))
            moments[name] = time.monotonic()
        await asyncio.sleep(2 * _LOOK_S)
    reading.cancel()
    return stages_of(lines, moments), engine.moments.get("spare", 0.0) > 0


async def _read(log: Path, lines: list[Line]) -> None:
    """Take down each line of a log as it comes."""
    place, rest = log.stat().st_size if log.exists() else 0, b""
    while True:
        await asyncio.sleep(_LOOK_S)
        if not log.exists():
            continue
        with log.open("rb") as file:
            file.seek(place)
            new = file.read()
        place += len(new)
        *whole, rest = (rest + new).split(b"\n")
        now = time.monotonic()
        lines += [Line(now, line.decode(errors="replace")) for line in whole]


def _question(seed: int) -> Request:
    return Request(
        key=f"start-{seed}",
        task="start",
        question_id="start",
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content=f"How much is {seed} and {seed}?"),),
        sampling=Sampling(max_tokens=1, stop=()),
        seed=seed,
    )


def _print(stages: Sequence[Stage], total: float, model: str, spared: bool, console: Console) -> None:
    table = Table(title=f"The start of {model}", title_justify="left", box=SIMPLE)
    table.add_column("stage")
    for heading in ("seconds", "share"):
        table.add_column(heading, justify="right")
    for stage in stages:
        if stage.within:
            table.add_row(f"  {stage.name}", f"{stage.seconds:.2f}", "")
        else:
            table.add_row(stage.name, f"{stage.seconds:.2f}", f"{100 * stage.seconds / total:.0f} %")
    table.add_row("from the command to the first token", f"{total:.2f}", "")
    console.print(table)
    words = (
        "imported vLLM at the same time" if spared else "was spawned anew, and imported vLLM after this one"
    )
    console.print(f"The engine's process {words}.", highlight=False)
    for name, folder in cache_folders().items():
        size = _size(folder)
        console.print(
            f"{name}: {folder} ({size / 2**20:.0f} MiB)", soft_wrap=True, highlight=False, markup=False
        )


def _size(folder: Path) -> int:
    return sum(
        (Path(place) / name).stat().st_size
        for place, _, names in os.walk(folder)
        for name in names
        if (Path(place) / name).is_file()
    )
