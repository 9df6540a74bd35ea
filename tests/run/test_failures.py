"""Failures around a run: of an engine, a journal, a folder. Each is tried again or ends the run, and nothing is lost."""

import asyncio
import io
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineError, EngineStopped, JournalError, PromptTooLong
from k2eval.journal import Journal, read_run
from k2eval.records import Generation, Outcome, Request
from k2eval.run import runner
from k2eval.run.plan import Work
from k2eval.run.runner import Runner
from tests.scripted_runs import carry_out, config, generations, right, verdicts


async def test_a_prompt_that_is_too_long_fails_that_question_alone(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()

    def script(request: Request) -> str:
        asked[request.question_id] += 1
        if request.question_id == first:
            raise PromptTooLong("the prompt has 9 tokens, the context 8")
        return right(request)

    first = next(Work(config(tmp_path / "x")).assignments()).question.id
    summary, _ = await carry_out(config(tmp_path / "run"), script)
    assert (summary.done, summary.infrastructure) == (12, 2)
    assert asked[first] == 2, "asking again cannot help"
    failed = [verdict for verdict in verdicts(tmp_path / "run") if verdict.question_id == first]
    assert {verdict.outcome for verdict in failed} == {Outcome.PROMPT_TOO_LONG}
    assert {verdict.score for verdict in failed} == {None}
    assert failed[0].detail["reason"] == "the prompt has 9 tokens, the context 8"
    assert read_run(tmp_path / "run").complete is False


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k2eval.run.queue._PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr("k2eval.run.queue._SIGNAL_DELAY_S", 0)


@pytest.mark.usefixtures("at_once")
async def test_an_engine_error_is_tried_three_times_and_then_recorded_as_ours(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()

    def script(request: Request) -> str:
        asked[request.key] += 1
        raise EngineError("overloaded")

    summary, _ = await carry_out(config(tmp_path / "run", limit=1), script)
    assert (summary.infrastructure, list(asked.values())) == (2, [3, 3])
    assert {verdict.outcome for verdict in verdicts(tmp_path / "run")} == {Outcome.ENGINE_ERROR}


@pytest.mark.usefixtures("at_once")
async def test_a_passing_engine_error_leaves_no_trace(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()

    def script(request: Request) -> str:
        asked[request.key] += 1
        if asked[request.key] < 3:
            raise EngineError("overloaded")
        return right(request)

    summary, _ = await carry_out(config(tmp_path / "run", limit=1), script)
    assert (summary.infrastructure, summary.generated) == (0, 2)


@pytest.mark.usefixtures("at_once")
async def test_what_failed_on_our_side_is_tried_again_by_the_next_start(tmp_path: Path) -> None:
    def script(request: Request) -> str:
        if request.repeat_index:
            raise EngineError("overloaded")
        return right(request)

    await carry_out(config(tmp_path / "run"), script)
    summary, engine = await carry_out(config(tmp_path / "run"))
    assert (summary.infrastructure, len(engine.requests)) == (0, 6)
    assert read_run(tmp_path / "run").complete is True


async def test_a_bug_in_an_engine_is_not_tried_again_and_not_recorded(tmp_path: Path) -> None:
    def script(request: Request) -> str:
        raise KeyError("a bug")

    engine = ScriptedEngine(script)
    with pytest.raises(KeyError, match="a bug"):
        await Runner(
            config(tmp_path / "run", limit=1, repeats=1), {"solver": engine}, Console(file=io.StringIO())
        ).run()
    assert len(engine.requests) == 1
    assert verdicts(tmp_path / "run") == []


@pytest.mark.usefixtures("at_once")
async def test_an_engine_that_dies_ends_the_run_and_keeps_what_is_finished(tmp_path: Path) -> None:
    count = 0

    def script(request: Request) -> str:
        nonlocal count
        count += 1
        if count > 5:
            raise EngineStopped("vLLM stopped")
        return right(request)

    with pytest.raises(EngineStopped, match="vLLM stopped"):
        await carry_out(config(tmp_path / "run"), script, capacity=1)
    assert len(generations(tmp_path / "run")) == 5
    [session] = read_run(tmp_path / "run").sessions
    assert session.generated == 5
    summary, engine = await carry_out(config(tmp_path / "run"))
    assert (summary.done, len(engine.requests)) == (12, 7)


async def test_a_journal_that_fails_while_grading_ends_the_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(journal: Journal, verdict: Any) -> None:
        raise JournalError("no space left")

    monkeypatch.setattr(Journal, "add_verdict", full)
    engine = ScriptedEngine(right, delay_s=0.05, capacity=1)
    with pytest.raises(JournalError, match="no space left"):
        await Runner(
            config(tmp_path / "run", limit=None, repeats=16), {"solver": engine}, Console(file=io.StringIO())
        ).run()
    assert len(engine.requests) < 400, "of 832"


async def test_a_description_that_cannot_be_written_does_not_hide_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Request) -> str:
        monkeypatch.setattr(Journal, "write_run", lambda *_: (_ for _ in ()).throw(JournalError("second")))
        raise EngineStopped("first")

    with pytest.raises(EngineStopped, match="first"):
        await carry_out(config(tmp_path / "run"), script)


class Destructive(ScriptedEngine):
    """Answers four requests, then deletes a folder and hangs."""

    folder: Path

    async def generate(self, request: Request) -> Generation:
        if len(self.requests) < 4:
            return await super().generate(request)
        if len(self.requests) == 4:
            self.requests.append(request)
            await asyncio.sleep(0.1)
            shutil.rmtree(self.folder)
        await asyncio.sleep(60)
        raise AssertionError("nobody noticed")


async def test_a_directory_that_is_deleted_meanwhile_is_noticed_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_CHECK_EVERY_S", 0.05)
    engine = Destructive(right)
    engine.folder = tmp_path / "run"
    with pytest.raises(JournalError, match="was deleted while the run went on"):
        await Runner(config(tmp_path / "run"), {"solver": engine}, Console(file=io.StringIO())).run()
    assert len(generations(tmp_path / "run")) == 4
    summary, _ = await carry_out(config(tmp_path / "run"))
    assert (summary.done, summary.generated) == (12, 8)
