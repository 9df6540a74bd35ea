"""Checkpoints on disk without a model, and an evaluator without an engine."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from k2eval.engines.checkpoint import checkpoint_fingerprint
from k2eval.errors import EngineError
from k2eval.journal import read_run
from k2eval.run import Progress
from k2eval.watch.watcher import Watcher, WatchSettings
from tests.leaderboard.synthetic import bernoulli, write_run


def safetensors(values: bytes = b"\0" * 8, cut: int = 0) -> bytes:
    """One tensor of float32, without its last ``cut`` bytes."""
    header = json.dumps(
        {"w": {"dtype": "F32", "shape": [len(values) // 4], "data_offsets": [0, len(values)]}}
    ).encode()
    whole = len(header).to_bytes(8, "little") + header + values
    return whole[: len(whole) - cut]


def write_checkpoint(folder: Path, values: bytes = b"\0" * 8, cut: int = 0, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", **config}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(safetensors(values, cut))
    return folder


class FakeEvaluator:
    """Gives later steps higher scores. A checkpoint whose name is in ``codes`` ends with that code."""

    def __init__(self, during: Callable[[Path], None] | None = None) -> None:
        self.codes: dict[str, int] = {}
        self.evaluated: list[str] = []
        self.problem = ""
        self._during = during

    def fingerprint(self, value: Path | str, run: Path) -> str:
        return checkpoint_fingerprint(str(value))

    def is_done(self, value: Path | str, run: Path) -> bool:
        return (run / "run.json").exists() and read_run(run).complete

    def evaluate(self, value: Path | str, run: Path, look: Callable[[Progress], None] | None = None) -> int:
        folder = Path(value)
        self.evaluated.append(folder.name)
        self.problem = ""
        fingerprint = checkpoint_fingerprint(str(folder))
        if self._during:
            self._during(folder)
        code = self.codes.get(folder.name, 0)
        if code in (0, 1):
            step = int(folder.name.rsplit("-", 1)[1])
            write_run(run, {"t": bernoulli(30, 4, 0.5, 1, step / 1000 - 0.3)}, infos={"t": {"title": "Tee"}})
            path = run / "run.json"
            content = json.loads(path.read_text())
            content["model"]["fingerprint"], content["complete"] = fingerprint, code == 0
            path.write_text(json.dumps(content))
        elif code != 130:
            self.problem = str(EngineError("the weights are damaged"))
        return code


class Clock:
    """Time that passes while somebody sleeps, and what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 4e9  # far after all files
        self.events: dict[int, Callable[[], None]] = {}
        self.sleeps = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1
        self.events.pop(self.sleeps, lambda: None)()


def watcher(
    root: Path,
    evaluator: FakeEvaluator,
    clock: Clock | None = None,
    place: str | None = None,
    **settings: Any,
) -> tuple[Watcher, io.StringIO]:
    clock = clock or Clock()
    output = io.StringIO()
    return (
        Watcher(
            place or str(root / "train"),
            root / "watch",
            evaluator,
            WatchSettings(**{"until_idle_s": 60.0, **settings}),
            Console(file=output, width=200),
            clock,
            clock.sleep,
        ),
        output,
    )


def touch(folder: Path, seconds: float) -> None:
    """Set the time of change of all files of a folder."""
    for path in folder.iterdir():
        os.utime(path, (seconds, seconds))
