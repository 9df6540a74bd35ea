"""Evaluations from Python: in scripts, in event loops that run already, with engines and recipes that are objects."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

import k2eval
from tests.api.support import knows_one, settings


def test_an_evaluation_gives_the_run_that_it_wrote(tmp_path: Path) -> None:
    run = k2eval.evaluate(**settings(tmp_path / "run"))
    assert run.folder == tmp_path / "run"
    assert (run.complete, run.failed) == (True, 0)
    assert run.scores.loc["smoke", "score"] == pytest.approx(100 / 3)


def test_a_second_call_asks_nothing_again(tmp_path: Path) -> None:
    k2eval.evaluate(**settings(tmp_path / "run"))
    engine = k2eval.ScriptedEngine(knows_one, name="knows-one")
    k2eval.evaluate(**settings(tmp_path / "run", engine=engine))
    assert engine.requests == []


def test_more_repeats_extend_a_run(tmp_path: Path) -> None:
    k2eval.evaluate(**settings(tmp_path / "run"))
    assert len(k2eval.evaluate(**settings(tmp_path / "run", repeats=3)).verdicts()) == 9


def test_an_engine_may_be_a_kind_with_arguments(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"match": "", "responses": [r"\boxed{3}"]}) + "\n")
    run = k2eval.evaluate(
        script, **settings(tmp_path / "run", engine={"kind": "scripted", "capacity": 2, "delay_s": 0})
    )
    assert run.record.config.engine.arguments == {"capacity": 2, "delay_s": 0}


def test_a_protocol_gives_recipe_prompt_and_repeats(tmp_path: Path) -> None:
    own = settings(tmp_path / "run", protocol="matharena", repeats=None, limit=1)
    run = k2eval.evaluate(**own)
    assert len(run.verdicts()) == 4
    assert run.record.tasks["smoke"].deviations(run.record.recipe) == {}


def test_an_engine_object_names_the_model(tmp_path: Path) -> None:
    run = k2eval.evaluate(**settings(tmp_path / "run"))
    assert (run.record.model.name, run.record.config.model) == ("knows-one", "knows-one")
    assert run.record.config.engine.kind is None


def test_a_role_may_have_an_engine_of_its_own_beside_an_object(tmp_path: Path) -> None:
    judge = tmp_path / "judge.jsonl"
    words = json.dumps({"answer": "", "comparison": "", "equivalent": True})
    judge.write_text(json.dumps({"match": "", "responses": [words]}) + "\n")
    roles = {"answer_judge": {"kind": "scripted", "model": str(judge)}}
    run = k2eval.evaluate(**settings(tmp_path / "run", roles=roles))
    assert all("answer_judge" in notes for notes in run.verdicts().notes)


def test_changes_of_sampling_and_of_one_task_reach_the_requests(tmp_path: Path) -> None:
    engine = k2eval.ScriptedEngine(knows_one)
    changes = {"sampling": {"max_tokens": 7}, "overrides": {"smoke": {"sampling": {"temperature": 0.5}}}}
    k2eval.evaluate(**settings(tmp_path / "run", engine=engine, **changes))
    assert {(request.sampling.max_tokens, request.sampling.temperature) for request in engine.requests} == {
        (7, 0.5)
    }


async def twice(sample: k2eval.Sample) -> k2eval.Response:
    """Answer, and answer again."""
    await sample.solve("solve")
    return sample.select(await sample.solve("solve.again"))


def test_a_recipe_may_be_a_function(tmp_path: Path) -> None:
    run = k2eval.evaluate(**settings(tmp_path / "run", recipe=twice))
    assert run.record.recipe == "tests.api.test_evaluation:twice"
    assert {len(response.generations) for response in run.responses.values()} == {2}


def test_a_recipe_that_no_name_leads_to_is_refused(tmp_path: Path) -> None:
    async def local(sample: k2eval.Sample) -> k2eval.Response:
        return await sample.solve()

    with pytest.raises(k2eval.ConfigError, match="local"):
        k2eval.evaluate(**settings(tmp_path / "run", recipe=local))


def test_own_tasks_are_found_in_their_folder(tmp_path: Path) -> None:
    sums = Path(__file__).parents[2] / "examples" / "own_task"
    run = k2eval.evaluate(**settings(tmp_path / "run", tasks=["sums"], include_path=sums))
    assert list(run.scores.index) == ["sums"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "vllm"}, "Expected model=…, or an engine object"),
        ({"tasks": []}, r"Expected the names of tasks, such as tasks=\[\"aime24\"\]"),
        ({"tasks": "smok"}, "Unknown task 'smok'. Did you mean smoke?"),
        ({"out": ""}, "Expected a run directory as `out`, got an empty text"),
        ({"repeats": 0}, "repeats: Input should be greater than or equal to 1, got 0"),
        ({"overrides": {"smok": {}}}, "Unknown setting 'smok'. Did you mean smoke?"),
        ({"roles": {"juge": {}}}, "Unknown role 'juge'. Did you mean judge"),
        (
            {"engine": {"kind": None}, "model": "m"},
            "Unknown kind of engine 'None'. Known: endpoint, scripted, vllm",
        ),
    ],
)
def test_a_wrong_argument_is_explained(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(k2eval.ConfigError, match=message):
        k2eval.evaluate(**{**settings(tmp_path / "run"), **changes})


async def test_an_event_loop_that_runs_calls_for_the_asynchronous_function(tmp_path: Path) -> None:
    with pytest.raises(k2eval.ConfigError, match=r"Write `await k2eval.evaluate_async\(…\)` there"):
        k2eval.evaluate(**settings(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


async def test_the_asynchronous_function_works_in_a_loop_and_leaves_signals_alone(tmp_path: Path) -> None:
    seen = []

    def script(request: k2eval.Request) -> str:
        seen.append((signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
        return knows_one(request)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run = await k2eval.evaluate_async(**settings(tmp_path / "run", engine=k2eval.ScriptedEngine(script)))
    assert set(seen) == {before}
    assert run.complete


async def test_a_cancelled_evaluation_keeps_what_is_finished_and_goes_on(tmp_path: Path) -> None:
    asked: list[k2eval.Request] = []

    def script(request: k2eval.Request) -> str:
        asked.append(request)
        if len(asked) == 3:
            task.cancel()
        return knows_one(request)

    engine = k2eval.ScriptedEngine(script, capacity=1, delay_s=0.01)
    task = asyncio.create_task(k2eval.evaluate_async(**settings(tmp_path / "run", engine=engine)))
    with pytest.raises(asyncio.CancelledError):
        await task
    kept = k2eval.load_run(tmp_path / "run")
    assert not kept.complete
    run = await k2eval.evaluate_async(**settings(tmp_path / "run", engine=engine))
    assert run.complete
    assert len(asked) <= 7  # at most the one that was in flight is asked again


def test_failures_on_our_side_are_counted_and_tried_again(tmp_path: Path) -> None:
    def failing(request: k2eval.Request) -> str:
        if request.question_id == "smoke-01":
            raise k2eval.PromptTooLong("too long")
        return knows_one(request)

    broken = k2eval.ScriptedEngine(failing, name="knows-one")
    run = k2eval.evaluate(**settings(tmp_path / "run", engine=broken))
    assert (run.failed, run.complete) == (2, False)
    assert "2 samples failed on our side" in repr(run)
    assert k2eval.evaluate(**settings(tmp_path / "run")).failed == 0


def test_progress_goes_to_the_error_stream_or_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    k2eval.evaluate(**settings(tmp_path / "quiet"))
    assert capfd.readouterr() == ("", "")
    k2eval.evaluate(**settings(tmp_path / "told", progress=True))
    output, errors = capfd.readouterr()
    assert output == ""
    assert "6/6 samples" in errors


@pytest.mark.parametrize("engine", [5, object(), len, ["vllm"]])
def test_an_engine_that_is_none_is_refused(tmp_path: Path, engine: Any) -> None:
    with pytest.raises(k2eval.ConfigError, match="Expected a kind of engine"):
        k2eval.evaluate(**settings(tmp_path / "run", engine=engine))


@pytest.mark.parametrize("answer", [None, 5, b"x", ["x"]])
def test_a_script_that_returns_no_text_is_told_and_scores_nothing(tmp_path: Path, answer: Any) -> None:
    engine = k2eval.ScriptedEngine(lambda request: answer)
    with pytest.raises(k2eval.ConfigError, match="expected a text, got"):
        k2eval.evaluate(**settings(tmp_path / "run", engine=engine))
    assert not (tmp_path / "run" / "verdicts.jsonl").read_text()
