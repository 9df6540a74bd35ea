"""Whole runs through real servers: every sample graded, nothing lost, and what a server is not asked or cannot do said."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.config.run import RunConfig
from k2eval.engines.opening import open_engines
from k2eval.journal import GENERATIONS, read_lines, read_run
from k2eval.records import Generation, Outcome
from k2eval.run.runner import Runner, Summary
from tests.scripted_runs import config, verdicts
from tests.servers.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("servers")]

QUESTIONS = 10
servers = pytest.mark.parametrize("name", ["llamacpp", "litellm", "transformers", "vllm"])


@pytest.fixture
def served(request: pytest.FixtureRequest, name: str, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setenv("K2EVAL_TEST_KEY", "sk-test")
    value = request.getfixturevalue(name)
    assert isinstance(value, Served)
    return value


def settings_for(served: Served, out: Path, **fields: Any) -> RunConfig:
    engine = {"base_url": served.url, "attempts": 2, **served.settings, **fields.pop("engine", {})}
    return config(
        out,
        model=served.model,
        **{"tasks": ("nano_math",), "limit": QUESTIONS, "repeats": 1, **fields},
        engine={"kind": "endpoint", "arguments": engine},
    )


async def run(settings: RunConfig) -> Summary:
    return await Runner(settings, open_engines(settings), Console(file=io.StringIO())).run()


@servers
@pytest.mark.parametrize("recipe", ["plain", "bo3", "k2"])
async def test_ten_questions(served: Served, name: str, recipe: str, tmp_path: Path) -> None:
    settings = settings_for(served, tmp_path / "run", recipe=recipe)
    summary = await run(settings)
    notes = [note.text for note in read_run(settings.out).engine.notes]
    assert (summary.done, summary.infrastructure) == (QUESTIONS, 0), notes
    done = verdicts(settings.out)
    assert sum(verdict.outcome is Outcome.CORRECT for verdict in done) >= 1, [
        str(verdict) for verdict in done
    ]
    generations = [generation for _, generation in read_lines(settings.out / GENERATIONS, Generation)]
    assert all(generation.output_tokens > 0 for generation in generations)
    assert not any("asked again" in note or "time-out" in note for note in notes), notes


@servers
async def test_a_stream_gives_the_time_of_the_first_token(served: Served, name: str, tmp_path: Path) -> None:
    settings = settings_for(served, tmp_path / "run", limit=2, engine={"stream": True})
    summary = await run(settings)
    assert (summary.done, summary.infrastructure) == (2, 0)
    generations = [generation for _, generation in read_lines(settings.out / GENERATIONS, Generation)]
    assert all(generation.ttft_s for generation in generations)


@servers
async def test_no_answer_goes_on_behind_its_end(served: Served, name: str, tmp_path: Path) -> None:
    settings = settings_for(served, tmp_path / "run")
    await run(settings)
    for _, generation in read_lines(settings.out / GENERATIONS, Generation):
        _, stop, rest = generation.text.partition("</answer>")
        assert not (stop and rest), generation.text
        assert not generation.text.rstrip().endswith("<|im_end|>")


@servers
async def test_a_prompt_beyond_the_context_is_named_as_such(
    served: Served, name: str, tmp_path: Path
) -> None:
    if name == "transformers":
        pytest.skip("transformers serve has no limit of its own")
    system = "Count: " + " ".join(str(number) for number in range(3000))
    overrides = {"nano_math": {"system": system}}
    settings = settings_for(served, tmp_path / "run", limit=1, overrides=overrides)
    await run(settings)
    [verdict] = verdicts(settings.out)
    assert verdict.outcome is Outcome.PROMPT_TOO_LONG, verdict
