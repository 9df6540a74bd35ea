"""Descriptions of runs made up for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k2eval.config.run import RunConfig
from k2eval.journal.run_record import (
    FORMAT,
    EngineRecord,
    MachineRecord,
    ModelRecord,
    RunRecord,
    SessionRecord,
    TaskRecord,
)
from k2eval.records import ROLES, Note, NoteKind, Sampling


def note(text: str, kind: NoteKind = NoteKind.OTHER) -> Note:
    return Note(kind=kind, text=text)


def session_record(**fields: Any) -> SessionRecord:
    defaults: dict[str, Any] = {
        "started": "2026-01-02T03:04:05Z",
        "finished": "2026-01-02T03:05:05Z",
        "generated": 10,
        "replayed": 0,
        "generated_tokens": 1000,
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "generation_s": 2.0,
        "work_s": 2.5,
        "speculative": {},
        "generations_with_speculation": 0,
        "engine_speculative": None,
    }
    return SessionRecord(**defaults | fields)


def task_record(**fields: Any) -> TaskRecord:
    defaults: dict[str, Any] = {
        "version": "1",
        "title": "",
        "kind": "mathematics",
        "micro": "math",
        "part": False,
        "questions": 1,
        "expected_questions": fields.get("questions", 1),
        "fingerprint": "f1a9",
        "source": "made up",
        "repeats": 1,
        "grader": "math/1",
        "protected": False,
        "sampling": Sampling(),
        "prompt": "",
        "options": {},
        "notes": (),
        "hashes": {},
    }
    return TaskRecord(**defaults | fields)


def run_record(tasks: Mapping[str, TaskRecord] | None = None, **fields: Any) -> RunRecord:
    tasks = {"t": task_record()} if tasks is None else tasks
    defaults: dict[str, Any] = {
        "k2eval": "0.2.0",
        "format": FORMAT,
        "name": "run",
        "model": model_record(),
        "recipe": "plain",
        "repeats": max((task.repeats for task in tasks.values()), default=1),
        "seed": 0,
        "reproducible": True,
        "engine": EngineRecord(settings={}, notes=(), fingerprints=dict.fromkeys(ROLES, "f00d")),
        "machine": MachineRecord(python="3.11", system="Linux"),
        "tasks": dict(tasks),
        "config": RunConfig(model="m", tasks=tuple(tasks) or ("t",), out=Path("runs/run")),
        "sessions": (),
        "complete": True,
        "speculative": None,
    }
    return RunRecord(**defaults | fields)


def model_record(name: str = "m", **fields: Any) -> ModelRecord:
    defaults: dict[str, Any] = {"fingerprint": "f00d", "engine": "scripted", "context": None}
    return ModelRecord(**{"name": name} | defaults | fields)
