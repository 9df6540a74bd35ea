from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from rich.console import Console
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.config.run import RunConfig
from k2eval.engines.opening import open_engines
from k2eval.errors import ConfigError, EngineError
from k2eval.interop.lm_eval import add_to_path, with_chat
from k2eval.interop.lm_eval_batch import Chat
from k2eval.interop.lm_eval_model import K2EvalModel, register
from k2eval.journal import read_run
from k2eval.run.runner import Runner
from k2eval.tasks.files import tasks_folder
from tests import scripted_runs as runs
from tests.interop.support import evaluate, generations, responses, write_script, write_sums

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    return write_sums(tmp_path / "mine")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    answers = {
        "1 + 2": ["3\nmore", "4", "5"],
        "3 + 4": ["7", "8", "9"],
        "": ["<think>a</think>\\boxed{35}", "\\boxed{1}"],
    }
    return write_script(tmp_path / "script.jsonl", **answers)


def test_a_task_that_we_do_not_know_is_scored_by_lm_eval(tmp_path: Path, sums: Path, script: Path) -> None:
    results = evaluate(["sums"], {"pretrained": script, "out": tmp_path / "run"}, sums)
    assert results["results"]["sums"]["exact_match,first"] == 1.0


def test_repeats_are_runs_with_seeds_of_their_own(tmp_path: Path, sums: Path, script: Path) -> None:
    results = evaluate(["sums"], {"pretrained": script, "out": tmp_path / "run"}, sums)
    assert responses(results, "sums") == [["3", "4", "5"], ["7", "8", "9"]]
    answers = generations(tmp_path / "run")
    assert sorted((generation.question_id, generation.repeat_index) for generation in answers) == [
        (q, k) for q in "01" for k in range(3)
    ]
    assert len({generation.seed for generation in answers}) == 6


def test_the_settings_of_the_task_reach_the_engine(tmp_path: Path, sums: Path, script: Path) -> None:
    evaluate(["sums"], {"pretrained": script, "out": tmp_path / "run"}, sums)
    sampling = read_run(tmp_path / "run").tasks["sums"].sampling
    assert (sampling.temperature, sampling.max_tokens, sampling.stop) == (0.8, 20, ("\n",))


def test_without_sampling_settings_a_task_is_asked_greedily(tmp_path: Path, script: Path) -> None:
    folder = write_sums(tmp_path / "greedy", generation_kwargs={"until": ["\n"]}, repeats=1)
    evaluate(["sums"], {"pretrained": script, "out": tmp_path / "run", "max_gen_toks": 99}, folder)
    sampling = read_run(tmp_path / "run").tasks["sums"].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.0, 1.0, 99)


def test_a_second_start_makes_nothing_again(tmp_path: Path, sums: Path, script: Path) -> None:
    arguments = {"pretrained": script, "out": tmp_path / "run"}
    first = evaluate(["sums", "smoke"], arguments, sums, limit=3)
    content = (tmp_path / "run" / "generations.jsonl").read_bytes()
    second = evaluate(["sums", "smoke"], arguments, sums, limit=3)
    assert (tmp_path / "run" / "generations.jsonl").read_bytes() == content
    assert second["results"] == first["results"]
    assert len(read_run(tmp_path / "run").sessions) == 1


def test_what_a_crash_left_is_completed(tmp_path: Path, sums: Path, script: Path) -> None:
    arguments = {"pretrained": script, "out": tmp_path / "run"}
    first = evaluate(["sums"], arguments, sums)
    path = tmp_path / "run" / "generations.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    second = evaluate(["sums"], arguments, sums)
    assert responses(second, "sums") == responses(first, "sums")
    assert path.read_text().splitlines(keepends=True)[:2] == lines[:2]
    assert len(generations(tmp_path / "run")) == 6


def test_our_tasks_get_the_very_generations_of_a_run(tmp_path: Path, script: Path) -> None:
    evaluate(["smoke"], {"pretrained": script, "out": tmp_path / "door"}, limit=3)
    config = RunConfig.model_validate(
        {
            "model": str(script),
            "tasks": ("smoke",),
            "limit": 3,
            "out": tmp_path / "run",
            "engine": {"kind": "scripted"},
        }
    )
    asyncio.run(Runner(config, open_engines(config), Console(file=io.StringIO())).run())
    ours, theirs = generations(tmp_path / "run"), generations(tmp_path / "door")
    assert {generation.key for generation in ours} == {generation.key for generation in theirs}
    assert {generation.seed for generation in ours} == {generation.seed for generation in theirs}


def test_a_run_goes_on_in_the_directory_of_lm_eval(tmp_path: Path, script: Path) -> None:
    evaluate(["smoke"], {"pretrained": script, "out": tmp_path / "run"}, limit=3)
    config = RunConfig.model_validate(
        {
            "model": str(script),
            "tasks": ("smoke",),
            "limit": 3,
            "out": tmp_path / "run",
            "engine": {"kind": "scripted"},
        }
    )
    summary = asyncio.run(Runner(config, open_engines(config), Console(file=io.StringIO())).run())
    assert (summary.generated, summary.done) == (0, 12)


def test_scores_and_verdicts_agree(tmp_path: Path, script: Path) -> None:
    results = evaluate(["smoke"], {"pretrained": script, "out": tmp_path / "run"}, limit=5)
    scores = [verdict.score for verdict in runs.verdicts(tmp_path / "run")]
    assert len(scores) == 20
    assert sum(score or 0 for score in scores) == 2
    assert results["results"]["smoke"]["avg_at_k,k2eval"] == pytest.approx(2 / 20)


def test_a_recipe_answers_in_place_of_the_model(tmp_path: Path, script: Path) -> None:
    arguments = {"pretrained": script, "out": tmp_path / "run", "recipe": "maj3"}
    results = evaluate(["smoke"], arguments, limit=1)
    assert len(generations(tmp_path / "run")) == 12
    assert responses(results, "smoke")[0][0].endswith("\\boxed{35}")


def test_a_cut_answer_is_truncated_through_this_door_too(tmp_path: Path) -> None:
    script = write_script(tmp_path / "s.jsonl", **{"": ["I think of \\boxed{35} " + "and " * 200]})
    results = evaluate(
        ["smoke"], {"pretrained": script, "out": tmp_path / "run"}, limit=1, gen_kwargs={"max_gen_toks": 50}
    )
    [outcome] = {verdict.outcome for verdict in runs.verdicts(tmp_path / "run")}
    assert results["results"]["smoke"]["truncated,k2eval"] == float(outcome == "truncated")


def test_reasoning_is_cut_from_answers_to_foreign_tasks(tmp_path: Path, sums: Path) -> None:
    script = write_script(tmp_path / "s.jsonl", **{"": ["<think>1\n2</think>\n3\n4", "<think>" + "x " * 50]})
    arguments = {"pretrained": script, "out": tmp_path / "run", "think_end_token": "</think>"}
    results = evaluate(["sums"], arguments, sums)
    assert responses(results, "sums")[0] == ["3", "", "3"]


def test_what_our_side_fails_on_is_never_a_wrong_answer(
    tmp_path: Path, sums: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on(monkeypatch, repeat_index=1)
    results = evaluate(["smoke"], {"pretrained": script, "out": tmp_path / "run"}, limit=1)
    assert results["results"]["smoke"]["infrastructure,k2eval"] == 0.25
    assert results["results"]["smoke"]["avg_at_k,k2eval"] == pytest.approx(2 / 3)
    with pytest.raises(EngineError, match="2 of 6 samples could not be finished"):
        evaluate(["sums"], {"pretrained": script, "out": tmp_path / "other"}, sums)
    assert len(generations(tmp_path / "other")) == 4


def fail_on(monkeypatch: pytest.MonkeyPatch, repeat_index: int) -> None:
    from k2eval.engines.scripted import ScriptedEngine
    from k2eval.run import queue

    answer = ScriptedEngine.generate

    async def generate(self: ScriptedEngine, request: Any) -> Any:
        if request.repeat_index == repeat_index:
            raise EngineError("no answer from the server.")
        return await answer(self, request)

    monkeypatch.setattr(ScriptedEngine, "generate", generate)
    monkeypatch.setattr(queue, "_PAUSES_S", ())


def test_log_likelihoods_are_refused(tmp_path: Path, script: Path) -> None:
    model = K2EvalModel(pretrained=str(script), engine="scripted", out=str(tmp_path / "run"))
    request = Instance("loglikelihood", {}, ("a", "b"), 0, ("arc", 0, 1))
    with pytest.raises(ConfigError, match=r"log-likelihood requests of arc.*--model"):
        model.loglikelihood([request])


def test_an_unknown_setting_of_a_task_is_refused(tmp_path: Path, script: Path) -> None:
    folder = write_sums(tmp_path / "beams", generation_kwargs={"until": ["\n"], "num_beams": 4})
    with pytest.raises(ConfigError, match=r"sums: unknown generation settings num_beams"):
        evaluate(["sums"], {"pretrained": script, "out": tmp_path / "run"}, folder)


def test_an_answer_begun_by_the_task_is_refused(tmp_path: Path, script: Path) -> None:
    folder = write_sums(tmp_path / "begun", gen_prefix="The sum is")
    with pytest.raises(ConfigError, match="begins the answer itself"):
        evaluate(["sums"], {"pretrained": script, "out": tmp_path / "run"}, folder)


def test_a_protocol_is_refused(tmp_path: Path, script: Path) -> None:
    (tmp_path / "run.yaml").write_text("protocol: matharena\n")
    with pytest.raises(ConfigError, match="lm-eval itself writes the prompts"):
        K2EvalModel(pretrained=str(script), out=str(tmp_path / "run"), config=str(tmp_path / "run.yaml"))


def test_a_protocol_among_the_arguments_of_the_model_is_refused(tmp_path: Path, script: Path) -> None:
    with pytest.raises(ConfigError, match="lm-eval itself writes the prompts and the sampling, got 'aa'"):
        K2EvalModel(pretrained=str(script), out=str(tmp_path / "run"), engine="scripted", protocol="aa")


@pytest.mark.parametrize("option", [("--protocol", "aa"), ("--protocol=aa",)])
def test_the_command_refuses_a_protocol(option: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="ask with `k2eval run --protocol`"):
        CliRunner().invoke(app, ["lm-eval", "run", *option], catch_exceptions=False)


def test_a_run_directory_is_needed(script: Path) -> None:
    with pytest.raises(ConfigError, match="needs a run directory"):
        K2EvalModel(pretrained=str(script), engine="scripted")


def test_without_chat_messages_the_prompt_is_one_turn(tmp_path: Path, script: Path) -> None:
    evaluate(["smoke"], {"pretrained": script, "out": tmp_path / "run"}, chat=False, limit=1)
    evaluate(["smoke"], {"pretrained": script, "out": tmp_path / "chat"}, limit=1)
    prompts = [read_run(tmp_path / name).tasks["smoke"].prompt for name in ("run", "chat")]
    assert prompts[0] != prompts[1]


def test_registering_keeps_lm_evals_own_models() -> None:
    register()
    register()
    assert get_model("k2eval") is K2EvalModel
    assert get_model("dummy") is not None


def test_chat_messages_survive_lm_evals_strings() -> None:
    turns = [{"role": "user", "content": 'é "x"'}]
    assert json.loads(Chat.of(turns)) == turns


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["--model", "k2eval"], True),
        (["--model=k2eval"], True),
        (["-M", "k2eval"], True),
        (["--model", "vllm"], False),
        (["--model", "k2eval", "--apply_chat_template", "false"], False),
    ],
)
def test_chat_messages_are_asked_for_where_the_model_is_ours(given: list[str], added: bool) -> None:
    assert with_chat(given) == given + ["--apply_chat_template"] * added


def test_a_users_own_tasks_do_not_hide_ours(sums: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr(TaskManager, "__init__", TaskManager.__init__)  # put back at the end
    add_to_path(tasks_folder())
    known = TaskManager(include_path=str(sums), include_defaults=False).all_tasks
    assert {"sums", "smoke"} <= set(known)
