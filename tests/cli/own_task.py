"""A task of the user's own with everything that belongs to it, for tests that break one part of it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import K2EvalError
from k2eval.journal import VERDICTS, read_lines
from k2eval.records import Outcome, Verdict

ROW = {"id": "q1", "problem": "What is 1 + 1?", "answer": "2", "level": 3}
ROWS = (ROW, {**ROW, "id": "q2", "problem": "What is 2 + 2?", "answer": "4"})
BLOCK: dict[str, Any] = {
    "task": "own", "title": "Own", "kind": "general", "grader": "math", "data": {"bundled": "own.jsonl"},
    "fields": {"id": "id"}, "options": {"mode": "a"},
}  # fmt: skip
TASK: dict[str, Any] = {
    "task": "own",
    "doc_to_text": "{{problem}}",
    "generation_kwargs": {"max_gen_toks": 100},
    "metadata": {"version": 1, "k2eval": BLOCK},
}
HEAD = """
from k2eval.records import *
from k2eval.tasks import *
from k2eval import Sample
"""
_number = iter(range(10**9))


class OwnTask:
    """A folder with a task of the user's own, a script to answer it, and room for a module of the user's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.module = f"own_module_{next(_number)}"
        """Modules stay imported, so each test has one of its own."""
        self.write_rows(*ROWS)
        self.write_task(TASK)
        self.write_script("\\boxed{2}")

    def write_rows(self, *rows: Any) -> None:
        (self.folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write_task(self, content: Any) -> None:
        text = content if isinstance(content, bytes) else yaml.safe_dump(content).encode()
        (self.folder / "own.yaml").write_bytes(text)

    def write_module(self, code: str) -> None:
        (self.folder / f"{self.module}.py").write_text(HEAD + code)
        importlib.invalidate_caches()

    def write_script(self, text: str) -> None:
        line = json.dumps({"match": "", "responses": [text]})
        (self.folder / "script.jsonl").write_text(line + "\n")

    def use(self, **block: Any) -> None:
        """Change the task's block."""
        self.write_task({**TASK, "metadata": {"version": 1, "k2eval": {**BLOCK, **block}}})

    def run(self, *more: str) -> int:
        """The exit code of ``k2eval run``; an error of ours counts as 2, as in a process of its own."""
        arguments = [
            "run", "--engine", "scripted", "--model", str(self.folder / "script.jsonl"), "--tasks", "own",
            "--include-path", str(self.folder), "--workers", "1", "--out", str(self.out), *more,
        ]  # fmt: skip
        result = CliRunner().invoke(app, arguments)
        self.words = result.output
        if isinstance(result.exception, K2EvalError):
            self.words = str(result.exception)
            return 2
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code

    def refuses(self, *more: str) -> str:
        """Make sure that a run, and a rehearsal of it, is refused with a message and leaves nothing behind."""
        assert self.run(*more, "--dry-run") == 2, self.words
        assert self.run(*more) == 2, self.words
        assert not (self.out / VERDICTS).exists() or not (self.out / VERDICTS).read_bytes()
        assert self.words.strip() and "Traceback" not in self.words
        return self.words

    def outcomes(self) -> set[Outcome]:
        return {verdict.outcome for _, verdict in read_lines(self.out / VERDICTS, Verdict)}

    def scores(self) -> list[float | None]:
        return [verdict.score for _, verdict in read_lines(self.out / VERDICTS, Verdict)]


def label(value: Any) -> str:
    return ascii(value)[:40]
