"""Whole runs against servers that misbehave: no wrong score, nothing lost, and a clear report."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.config.run import RunConfig
from k2eval.engines.opening import open_engines
from k2eval.errors import EngineStopped
from k2eval.journal import GENERATIONS, read_run
from k2eval.records import Outcome
from k2eval.run.plan import Work
from k2eval.run.regrade import regrade_run
from k2eval.run.runner import Runner, Summary
from k2eval.run.verify import verify_run
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply, chunk, error, well
from tests.scripted_runs import config, golds, verdicts


def settings_for(server: FakeServer, out: Path, recipe: str = "plain") -> RunConfig:
    arguments = {"base_url": server.url, "backoff_s": 0.001, "attempts": 2, "timeout_s": 2.0, "probe": False}
    return config(
        out, model=MODEL, recipe=recipe, limit=4, engine={"kind": "endpoint", "arguments": arguments}
    )


async def run(settings: RunConfig) -> Summary:
    return await Runner(settings, open_engines(settings), Console(file=io.StringIO())).run()


def solver(settings: RunConfig) -> Callable[[Body], Reply]:
    """Knows every answer by the problem's words."""
    from k2eval.run.plan import Work

    known = {
        assignment.question.messages[-1].content: str(assignment.question.gold)
        for assignment in Work(settings).assignments()
    }
    return lambda body: well(f"\\boxed{{{known[body['messages'][-1]['content']]}}}")


@pytest.mark.parametrize(
    "bad",
    [
        error(429),
        error(500),
        Reply(events=[chunk("\\boxed{1")], cut=True),
        Reply(events=["{"]),
        Reply(events=["[DONE]"]),
    ],
)
async def test_what_fails_is_named_and_made_up_for_by_the_next_start(tmp_path: Path, bad: Reply) -> None:
    async with FakeServer() as server:
        settings = settings_for(server, tmp_path / "run")
        good = solver(settings)
        first = next(iter(golds(settings)))
        words = [
            assignment.question.messages[-1].content
            for assignment in Work(settings).assignments()
            if assignment.question.id == first
        ]
        server.behave = lambda body: bad if body["messages"][-1]["content"] in words else good(body)
        summary = await run(settings)
        assert (summary.done, summary.infrastructure) == (8, 2)
        failed = [verdict for verdict in verdicts(settings.out) if verdict.score is None]
        assert {verdict.outcome for verdict in failed} == {Outcome.ENGINE_ERROR}
        assert all("2 attempts" in verdict.detail["reason"] for verdict in failed)
        assert all(verdict.score == 1.0 for verdict in verdicts(settings.out) if verdict not in failed)
        assert any("asked again after" in note.text for note in read_run(settings.out).engine.notes)
        server.behave = good
        summary = await run(settings)
    assert (summary.infrastructure, summary.generated) == (0, 2)
    assert [verdict.score for verdict in verdicts(settings.out)] == [1.0] * 8


async def test_another_model_ends_the_run_and_keeps_what_was_made(tmp_path: Path) -> None:
    async with FakeServer() as server:
        settings = settings_for(server, tmp_path / "run")
        good, left = solver(settings), [None] * 3

        def behave(body: Body) -> Reply:
            return good(body) if left and left.pop() is None else well("\\boxed{1}", model="other")

        server.behave = behave
        with pytest.raises(EngineStopped, match="answered as 'other'"):
            await run(settings)
    assert all(verdict.score == 1.0 for verdict in verdicts(settings.out))
    assert "other" not in (settings.out / GENERATIONS).read_text()


async def test_the_key_is_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    async with FakeServer() as server:
        settings = settings_for(server, tmp_path / "run")
        good = solver(settings)
        server.behave = lambda body: error(500, "sk-very-secret") if body["seed"] % 2 else good(body)
        await run(settings)
    assert all("sk-very-secret" not in path.read_text() for path in settings.out.iterdir() if path.is_file())


@pytest.mark.parametrize("recipe", ["plain", "bo3"])
async def test_a_block_within_reasoning_that_a_server_split_off_never_passes(
    tmp_path: Path, recipe: str
) -> None:
    async with FakeServer() as server:
        settings = settings_for(server, tmp_path / "run", recipe)
        known = solver(settings)

        def behave(body: Body) -> Reply:
            guess = json.loads(known(body).events[0])["choices"][0]["delta"]["content"]
            return well("I cannot tell.", reasoning_content=f"Or <think>x</think>{guess}?")

        server.behave = behave
        await run(settings)
    assert {verdict.outcome for verdict in verdicts(settings.out)} == {Outcome.NO_ANSWER}
    assert (await regrade_run(settings.out)).changed == 0
    assert (await verify_run(settings.out)).holds
