"""A run as two Parquet files: one row for each sample, and one for each generation.

Any program that reads Parquet can ask questions of them: pandas, polars, DuckDB. Rows are written question by question,
so a run of any size needs little memory. Texts are UTF-8; a character that UTF-8 cannot hold becomes its escape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from k2eval.interop.exported import HIDDEN, Folder, Run, Sample
from k2eval.recipes import parts_of
from k2eval.records import Generation, Json
from k2eval.values import as_json

_ROWS, _BYTES = 4096, 32_000_000
"""Rows and bytes of texts after which a group of rows is written."""
_TEXT, _COUNT, _SECONDS = pa.string(), pa.int64(), pa.float64()
_SAMPLE = [
    ("run", _TEXT),
    ("model", _TEXT),
    ("recipe", _TEXT),
    ("task", _TEXT),
    ("question_id", _TEXT),
    ("repeat_index", pa.int32()),
]
SAMPLES = pa.schema(
    [
        *_SAMPLE,
        ("outcome", _TEXT),
        ("score", pa.float64()),
        ("extracted", _TEXT),
        ("target", _TEXT),
        ("prompt", _TEXT),
        ("response", _TEXT),
        ("reasoning", _TEXT),
        ("finish_reason", _TEXT),
        ("output_tokens", _COUNT),
        ("recipe_tokens", _COUNT),
        ("grader", _TEXT),
        ("tags", pa.map_(_TEXT, _TEXT)),
        ("detail", _TEXT),
        ("notes", _TEXT),
        ("selected", _TEXT),
    ]
)
"""Columns of ``samples.parquet``. ``score`` is null where our side failed; ``detail`` and ``notes`` are JSON."""
GENERATIONS = pa.schema(
    [
        *_SAMPLE,
        ("key", _TEXT),
        ("stage", _TEXT),
        ("writer", _TEXT),
        ("selected", pa.bool_()),
        ("reasoning", _TEXT),
        ("answer", _TEXT),
        ("complete", pa.bool_()),
        ("finish_reason", _TEXT),
        ("prompt_tokens", _COUNT),
        ("cached_tokens", _COUNT),
        ("output_tokens", _COUNT),
        ("queue_s", _SECONDS),
        ("ttft_s", _SECONDS),
        ("duration_s", _SECONDS),
        ("seed", _COUNT),
    ]
)
"""Columns of ``generations.parquet``. ``complete`` is false where reasoning did not end, and null
if texts are left out."""


def write(run: Run, folder: Folder) -> None:
    """Write ``samples.parquet`` and ``generations.parquet``.

    Raises:
        OSError: If they cannot be written.
    """
    with ExitStack() as stack:
        path, other = (
            stack.enter_context(folder.file(name)) for name in ("samples.parquet", "generations.parquet")
        )
        samples = stack.enter_context(_Table(path, SAMPLES))
        generations = stack.enter_context(_Table(other, GENERATIONS))
        for name in run.scores:
            for of_question in run.by_question(name):
                for sample in of_question:
                    samples.add(_sample(run, sample))
                    for row in _generations(run, sample):
                        generations.add(row)


class _Table:
    """A file that grows by groups of rows."""

    def __init__(self, path: Any, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[dict[str, Json]] = []
        self._bytes = 0

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self._flush()
        self._writer.close()

    def add(self, row: dict[str, Json]) -> None:
        """Add a row."""
        sound = {name: as_json(value) if isinstance(value, str) else value for name, value in row.items()}
        self._rows.append(sound)
        self._bytes += sum(len(value) for value in sound.values() if isinstance(value, str))
        if len(self._rows) >= _ROWS or self._bytes >= _BYTES:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0


def _place(run: Run, sample: Sample) -> dict[str, Json]:
    verdict = sample.verdict
    return {
        "run": run.info.name,
        "model": run.model,
        "recipe": run.info.recipe,
        "task": verdict.task,
        "question_id": verdict.question_id,
        "repeat_index": verdict.repeat_index,
    }


def _sample(run: Run, sample: Sample) -> dict[str, Json]:
    verdict = sample.verdict
    return _place(run, sample) | {
        "outcome": verdict.outcome.value,
        "score": verdict.score,
        "extracted": verdict.extracted,
        "target": sample.target,
        "prompt": sample.prompt,
        "response": sample.text,
        "reasoning": sample.reasoning,
        "finish_reason": verdict.finish_reason,
        "output_tokens": verdict.output_tokens,
        "recipe_tokens": verdict.recipe_tokens,
        "grader": verdict.grader,
        "tags": sorted(verdict.tags.items()),
        "detail": json.dumps(verdict.detail, sort_keys=True),
        "notes": json.dumps(verdict.notes, sort_keys=True),
        "selected": verdict.selected,
    }


def _generations(run: Run, sample: Sample) -> Iterator[dict[str, Json]]:
    hidden = run.hidden(sample.verdict.task)
    for generation in sample.generations:
        parts = parts_of(generation, run.info.reasoning)
        yield _place(run, sample) | {
            "key": generation.key,
            "stage": generation.stage,
            "writer": generation.model,
            "selected": generation.key == sample.verdict.selected,
            "reasoning": HIDDEN if hidden else parts.reasoning,
            "answer": HIDDEN if hidden else parts.answer,
            "complete": None if hidden else parts.complete,
            **_measured(generation),
        }


def _measured(generation: Generation) -> dict[str, Json]:
    names = ("finish_reason", "prompt_tokens", "cached_tokens", "output_tokens", "queue_s", "ttft_s")
    return {name: getattr(generation, name) for name in (*names, "duration_s", "seed")}
