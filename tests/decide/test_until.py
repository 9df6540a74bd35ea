"""Runs that repeat questions until their score is precise."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.decide import UntilPrecise
from k2eval.engines.scripted import ScriptedEngine
from k2eval.journal import read_run
from k2eval.leaderboard import build, load_run
from k2eval.records import Request, digest
from k2eval.run import Runner, Work, verify_run
from k2eval.statistics import PILOT, average
from tests.scripted_runs import config, golds, run as run_scripted, student, verdicts


async def _run(out: Path, until: float, **fields: object) -> Work:
    run_config = config(out, until=until, repeats=None, **fields)
    work = Work(run_config)
    script = student(golds(config(out)), _is_right)
    await Runner(
        run_config,
        {"solver": ScriptedEngine(script)},
        Console(file=io.StringIO()),
        work,
        batches=UntilPrecise(work),
    ).run()
    return work


def _is_right(request: Request) -> bool:
    """Know half of the questions for certain, and the others in every second repeat."""
    return digest(request.question_id)[-1] in "02468ace" or request.seed % 2 == 0


async def test_every_question_is_asked_as_a_pilot_and_in_every_stage(tmp_path: Path) -> None:
    await _run(tmp_path / "run", 20.0)
    counts: dict[str, int] = {}
    for verdict in verdicts(tmp_path / "run"):
        counts[verdict.question_id] = counts.get(verdict.question_id, 0) + 1
    assert min(counts.values()) >= PILOT + 2


async def test_a_narrower_goal_takes_more_repeats(tmp_path: Path) -> None:
    for name, until in (("wide", 15.0), ("narrow", 5.0)):
        await _run(tmp_path / name, until)
    assert len(verdicts(tmp_path / "narrow")) > 2 * len(verdicts(tmp_path / "wide"))


async def test_the_precision_is_told_and_the_run_is_ranked(tmp_path: Path) -> None:
    await _run(tmp_path / "run", 10.0)
    run = read_run(tmp_path / "run")
    assert run.stopped_early is not None and "points on these questions" in run.stopped_early
    scores = load_run(tmp_path / "run").benchmarks["smoke"]
    assert scores.missing == 0
    assert build([tmp_path / "run"]).frame["smoke"].notna().all()


async def test_the_score_is_the_unbiased_one(tmp_path: Path) -> None:
    await _run(tmp_path / "run", 10.0)
    scores = load_run(tmp_path / "run").benchmarks["smoke"]
    assert scores.unbiased is not None
    assert average(scores.values).value == pytest.approx(average(scores.unbiased).value)
    assert not (scores.unbiased == scores.scores).all()


async def test_a_second_start_makes_nothing_again(tmp_path: Path) -> None:
    await _run(tmp_path / "run", 10.0)
    before = len(verdicts(tmp_path / "run"))
    await _run(tmp_path / "run", 10.0)
    assert len(verdicts(tmp_path / "run")) == before


async def test_no_question_gets_more_than_the_most(tmp_path: Path) -> None:
    run_config = config(tmp_path / "run", until=0.5, repeats=12)
    work = Work(run_config)
    script = student(golds(config(tmp_path / "run")), _is_right)
    await Runner(
        run_config,
        {"solver": ScriptedEngine(script)},
        Console(file=io.StringIO()),
        work,
        batches=UntilPrecise(work),
    ).run()
    assert max(verdict.repeat_index for verdict in verdicts(tmp_path / "run")) < 12


async def test_a_precise_run_holds_and_one_that_only_claims_to_be_does_not(tmp_path: Path) -> None:
    await _run(tmp_path / "run", 10.0)
    assert (await verify_run(tmp_path / "run")).holds
    plain = config(tmp_path / "plain", repeats=9)
    await run_scripted(plain, student(golds(plain), _is_right))
    path = tmp_path / "plain" / "run.json"
    content = json.loads(path.read_text())
    content["config"]["until"] = 20.0
    path.write_text(json.dumps(content))
    result = await verify_run(tmp_path / "plain")
    assert any("would not have asked for" in fault for fault in result.faults)
