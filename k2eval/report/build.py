"""Runs -> one page; the texts of samples are in the page or, if they are many, in files beside the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from k2eval.errors import ConfigError
from k2eval.leaderboard import Leaderboard, RunScores, board_tables, build, load_runs
from k2eval.pages import render, script_json
from k2eval.records import Json
from k2eval.report import charts
from k2eval.report.samples import Samples, payload
from k2eval.system import write_text

PAGE, TEXTS = "report.html", "samples"
EMBEDDED = 6_000_000
"""Most bytes of sample texts that are put into the page itself."""
_PREVIEW, _EXTRACTED = 160, 60
_NAMED = 5
"""Most runs that the title names."""


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    include_protected: bool = False,
    data: Path | None = None,
    exclude: Path | None = None,
    embedded: int = EMBEDDED,
) -> Path:
    """Write ``OUT/report.html``, and ``OUT/samples/`` if the texts are too long for one file.

    Args:
        runs: Run directories.
        out: Directory to write to; made if missing.
        include_protected: Show texts of benchmarks whose authors ask not to publish them (GPQA, HLE).
        data: Folder with the questions, as for ``k2eval run``; None for the run's own setting.
        exclude: File that lists questions to leave out of all scores.
        embedded: Most bytes of texts that are put into the page.

    Returns:
        The path of the page.

    Raises:
        ConfigError: If no run is given, or the directory cannot be written.
        JournalError: If a run directory cannot be read.
    """
    board = build(runs, exclude=exclude)
    scored = load_runs(runs)
    samples = [Samples.load(run, data) for run in runs]
    hidden = (
        set()
        if include_protected
        else {name for run in samples for name in run.run.tasks if run.protected(name)}
    )
    index = _index(scored, samples, hidden)
    try:
        out.mkdir(parents=True, exist_ok=True)
        texts = _texts(index, samples, hidden, out, embedded)
        page = _page(board, scored, samples, hidden, index.described, texts)
        write_text(out / PAGE, page)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the report to {out}: {error.strerror}. Choose another --out."
        ) from error
    return out / PAGE


class _Index(NamedTuple):
    tasks: list[str]
    questions: dict[str, list[str]]
    """Ids of questions by task, in the order of the page."""
    described: Json
    """The data that the page's script starts with."""


def _page(
    board: Leaderboard,
    scored: Sequence[RunScores],
    samples: Sequence[Samples],
    hidden: set[str],
    described: Json,
    texts: dict[str, Json] | None,
) -> str:
    names = ", ".join(run.info.name for run in scored[:_NAMED])
    names += f" and {len(scored) - _NAMED} more" if len(scored) > _NAMED else ""
    notes = [note for run in samples for note in (*run.notes, *run.gaps)]
    if hidden:
        notes.append(
            f"Texts of {', '.join(sorted(hidden))} are left out, as the authors ask; --include-protected shows them."
        )
    described |= {"beside": None if texts is not None else TEXTS}
    votes = [
        {name: table for name in run.run.tasks if (table := run.votes(name)) is not None} for run in samples
    ]
    return render(
        "report.html",
        styles=("report.css",),
        scripts=("report.js",),
        title=f"Report: {names}",
        tables=board_tables(board),
        runs=[run.info.name for run in scored],
        forest=charts.forest(board, scored),
        attempts=charts.attempts(scored, votes),
        lengths=charts.lengths(scored),
        outcomes=charts.outcomes(scored),
        notes=notes,
        index=script_json(described),
        texts=script_json(texts or {}),
    )


def _index(scored: Sequence[RunScores], samples: Sequence[Samples], hidden: set[str]) -> _Index:
    """Return every sample's outcome and answer, small enough to be put into the page."""
    tasks = list(dict.fromkeys(name for run in scored for name in run.benchmarks))
    questions = {
        task: list(dict.fromkeys(question for run in samples for question in run.verdicts.get(task, {})))
        for task in tasks
    }
    described = []
    for task in tasks:
        info = next(run.tasks[task].info for run in scored if task in run.tasks)
        described.append(
            {
                "name": task,
                "title": info.title or task,
                "hidden": task in hidden,
                "questions": questions[task],
                "previews": ["" if task in hidden else _preview(samples, task, q) for q in questions[task]],
                "cells": [
                    [_cells(run, task, question, task in hidden) for question in questions[task]]
                    for run in samples
                ],
            }
        )
    runs = [
        {"name": run.info.name, "label": f"{run.info.model.name}, recipe {run.info.recipe}"} for run in scored
    ]
    return _Index(tasks, questions, {"runs": runs, "tasks": described})


def _cells(samples: Samples, task: str, question: str, hidden: bool) -> Json:
    """Return [kind, outcome, tokens, score, extracted] of each repeat; None if there is no verdict."""
    by_repeat = samples.verdicts.get(task, {}).get(question, {})
    repeats = max(by_repeat, default=-1) + 1
    row: list[Json] = []
    for repeat_index in range(repeats):
        verdict = by_repeat.get(repeat_index)
        if verdict is None:
            row.append(None)
            continue
        extracted = None if hidden or verdict.extracted is None else verdict.extracted[:_EXTRACTED]
        kind = charts.kind_of(verdict.outcome, verdict.score)
        row.append([kind, verdict.outcome.value, verdict.output_tokens, verdict.score, extracted])
    return row


def _preview(samples: Sequence[Samples], task: str, question_id: str) -> str:
    for run in samples:
        question = run.question(task, question_id, 0)
        if question is not None:
            return " ".join(question.messages[-1].content.split())[:_PREVIEW]
    return ""


def _texts(
    index: _Index, samples: Sequence[Samples], hidden: set[str], out: Path, embedded: int
) -> dict[str, Json] | None:
    """Return the payloads by their path, or None once they have been written to files beside the page."""
    embedding: dict[str, Json] = {}
    size = 0
    for earlier in (out / TEXTS).glob("*/*/*.js"):  # they may hold protected texts of an earlier report
        earlier.unlink()
    for path, shown in _payloads(index, samples, hidden):
        if size <= embedded:
            embedding[path] = shown
            size += len(json.dumps(shown))
            if size > embedded:
                for before, text in embedding.items():
                    _write_beside(out, before, text)
        else:
            _write_beside(out, path, shown)
    return embedding if size <= embedded else None


def _payloads(index: _Index, samples: Sequence[Samples], hidden: set[str]) -> Iterator[tuple[str, Json]]:
    for row, run in enumerate(samples):
        for number, task in enumerate(index.tasks):
            if task not in hidden:
                for question, question_id in enumerate(index.questions[task]):
                    if question_id in run.verdicts.get(task, {}):
                        yield f"{row}/{number}/{question}", payload(run, task, question_id)


def _write_beside(out: Path, path: str, shown: Json) -> None:
    """Write a script, since pages from disk may load scripts but not read files."""
    file = out / TEXTS / f"{path}.js"
    write_text(file, f"k2evalText({json.dumps(path)}, {script_json(shown)});\n", durable=False)
