"""The demand of a start: requests in flight, and tokens as far as they are known."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.engines import Demand, WarmEngines
from k2eval.engines.scripted import ScriptedEngine
from k2eval.records import Note
from k2eval.run.demand import MIXED, mixed, was_eager
from k2eval.run.runner import Runner
from tests.run_records import run_record, session_record
from tests.scripted_runs import config, right


class Anticipating(ScriptedEngine):
    """Keeps the demand that it was told."""

    demand: Demand | None = None

    def anticipate(self, demand: Demand) -> None:
        self.demand = demand


async def demand(folder: Path, **fields: Any) -> Demand:
    engine = Anticipating(right)
    await Runner(config(folder, **fields), {"solver": engine}, Console(file=io.StringIO())).run()
    assert engine.demand is not None
    return engine.demand


async def test_nothing_known_counts_with_the_limit_of_each_answer(tmp_path: Path) -> None:
    told = await demand(tmp_path / "run", sampling={"max_tokens": 100})
    assert told == Demand(requests=12, tokens=1200.0, basis="at most")


async def test_each_stage_and_candidate_counts(tmp_path: Path) -> None:
    plain = await demand(tmp_path / "plain", sampling={"max_tokens": 100})
    many = await demand(tmp_path / "bo8", recipe="bo8", sampling={"max_tokens": 100})
    assert many.requests >= 8 * plain.requests
    assert many.tokens >= 8 * plain.tokens


async def test_siblings_of_an_earlier_start_tell_the_lengths(tmp_path: Path) -> None:
    await demand(tmp_path / "run", repeats=1, sampling={"max_tokens": 1000})
    told = await demand(tmp_path / "run", repeats=2, sampling={"max_tokens": 1000})
    assert told.requests == 6
    assert told.basis == "as earlier samples were long,"
    assert 0 < told.tokens < 600


async def test_engines_that_outlive_the_run_are_told_nothing(tmp_path: Path) -> None:
    engine = Anticipating(right)
    warm = WarmEngines()
    await Runner(config(tmp_path / "run"), {"solver": engine}, Console(file=io.StringIO()), warm=warm).run()
    assert engine.demand is None


@pytest.mark.parametrize(
    ("engine", "generated", "settings", "expected"),
    [
        ("vllm 0.25.1 (gpu)", 10, {"enforce_eager": True}, True),
        ("vllm 0.25.1 (gpu)", 10, {}, False),
        ("vllm 0.25.1 (gpu)", 0, {"enforce_eager": True}, None),
        ("vllm 0.32.0 (cpu)", 10, {"enforce_eager": True}, None),
    ],
)
def test_the_kind_of_earlier_starts_is_read_from_the_run(
    engine: str, generated: int, settings: dict[str, Any], expected: bool | None
) -> None:
    assert was_eager(record(engine, generated, settings)) is expected


@pytest.mark.parametrize(
    ("before", "now", "notes"), [(True, True, []), (True, False, [MIXED]), (False, True, [MIXED])]
)
def test_samples_of_both_kinds_are_noted(before: bool, now: bool, notes: list[Note]) -> None:
    settings = {"enforce_eager": True}
    run = record("vllm 0.25.1 (gpu)", 10, settings if before else {})
    assert mixed(run, settings if now else {}) == notes


def test_the_note_stays_with_later_starts() -> None:
    run = record("vllm 0.25.1 (gpu)", 10, {})
    run = run.model_copy(update={"engine": run.engine.model_copy(update={"notes": (MIXED,)})})
    assert mixed(run, {}) == [MIXED]


def record(engine: str, generated: int, settings: dict[str, Any]) -> Any:
    run = run_record(sessions=(session_record(generated=generated),))
    return run.model_copy(
        update={
            "model": run.model.model_copy(update={"engine": engine}),
            "engine": run.engine.model_copy(update={"settings": settings}),
        }
    )
