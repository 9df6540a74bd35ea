"""What a run has to do, and the identity that must not change while its directory grows."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from k2eval.config.run import TaskOverrides
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import ConfigError, EngineError, JournalError
from k2eval.journal import RUN, read_run
from k2eval.journal.run_record import RunRecord
from k2eval.records import ROLES, NoteKind, Outcome, SampleKey, Sampling
from k2eval.run.identity import is_complete, limits_of_context, merge_run
from k2eval.run.plan import Work, failed
from tests.run_records import model_record, note, run_record, task_record
from tests.scripted_runs import config


def described(out: Path = Path("run"), name: str = "scripted", **fields: Any) -> RunRecord:
    info = ScriptedEngine(lambda request: "", name=name).info
    return Work(config(out, **fields)).describe(info, dict.fromkeys(ROLES, info.fingerprint))


@pytest.mark.parametrize(
    ("task", "recipe", "is_one"),
    [("smoke", "plain", True), ("smoke", "plan", False), ("nano_science", "plain", False)],
)
def test_a_sample_is_one_request_without_steps(task: str, recipe: str, is_one: bool) -> None:
    assert Work(config(Path("x"), tasks=(task,), recipe=recipe)).asks_once is is_one


def test_repeats_of_a_question_come_side_by_side() -> None:
    work = Work(config(Path("x"), limit=2, repeats=3))
    keys = [assignment.sample_key for assignment in work.assignments()]
    ids = list(dict.fromkeys(key.question_id for key in keys))
    assert keys == [SampleKey("smoke", question, run) for question in ids for run in range(3)]


def test_a_tasks_own_runs_win_over_those_for_all() -> None:
    work = Work(config(Path("x"), repeats=3, overrides={"smoke": {"repeats": 1}}))
    assert work.repeats_of(work.sets[0]) == 1


def test_runs_default_to_the_tasks() -> None:
    work = Work(config(Path("x"), repeats=None))
    assert work.repeats_of(work.sets[0]) == work.sets[0].task.repeats == 4


def test_sampling_for_one_task_wins_over_that_for_all() -> None:
    own = {"smoke": {"sampling": {"top_p": 0.5}}}
    work = Work(config(Path("x"), sampling={"top_p": 0.9, "temperature": 0.1}, overrides=own))
    sampling = work.sampling_of(work.sets[0])
    assert (sampling.top_p, sampling.temperature, sampling.max_tokens) == (0.5, 0.1, 64_000)


def test_a_wrong_sampling_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"Unknown sampling setting 'temprature'. Did you mean temperature"):
        Work(config(Path("x"), sampling={"temprature": 1.0}))


@pytest.mark.parametrize(
    "fields",
    [
        {"sampling": {"temperature": 0.5}},
        {"seed": 1},
        {"recipe": "bo3"},
        {"engine": {"arguments": {"quantization": "fp8"}}},
        {"engine": {"arguments": {"max_model_len": 100}}},
        {"speculative": {"method": "ngram"}},
        {"overrides": {"smoke": {"system": "Be brief."}}},
        {"system": "none"},
        {"thinking": False},
        {"reasoning_effort": "low"},
        {"thinking_budget": 100},
        {"overrides": {"smoke": {"thinking": True}}},
        {"roles": {"judge": {"thinking": False}}},
        {"roles": {"judge": {"model": "other"}}},
        {"name": "another checkpoint"},
    ],
    ids=str,
)
def test_what_shapes_answers_is_part_of_the_identity(fields: dict[str, Any]) -> None:
    with pytest.raises(
        JournalError, match=r"holds a different run. The differences:\n  \S+: .+ there, .+ now"
    ):
        merge_run(described(), described(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"out": Path("moved/run")},
        {"engine": {"arguments": {"tensor_parallel_size": 8, "gpu_memory_utilization": 0.5}}},
        {"workers": 7},
        {"roles": {"judge": {"base_url": "http://elsewhere/v1", "concurrency": 5}}},
        {"repeats": 5},
        {"limit": 9},
        {"limit": None},
    ],
    ids=str,
)
def test_what_does_not_shape_answers_may_change(fields: dict[str, Any]) -> None:
    assert merge_run(described(), described(**fields)).complete is False


def test_the_difference_names_both_values() -> None:
    with pytest.raises(
        JournalError, match=r"  seed: 0 there, 5 now\n  smoke.sampling.top_p: 0.95 there, 0.5 now"
    ):
        merge_run(described(), described(seed=5, sampling={"top_p": 0.5}))


def test_a_long_value_is_shown_by_its_start() -> None:
    with pytest.raises(JournalError) as caught:
        merge_run(described(), described(sampling={"stop": ["x" * 5000]}))
    assert len(str(caught.value)) < 1000


def test_more_runs_and_questions_extend_and_fewer_do_not_shrink() -> None:
    small, large = described(repeats=1, limit=2), described(repeats=3, limit=5)
    for merged in (merge_run(small, large), merge_run(large, small)):
        task = merged.tasks["smoke"]
        assert (merged.repeats, task.repeats, task.questions) == (3, 3, 5)
        assert task.notes == (note("limited to the first 5", NoteKind.LIMITED),)
        assert len(task.hashes) == 5


def test_tasks_of_earlier_starts_stay_with_their_changes() -> None:
    before = described(overrides={"smoke": {"sampling": {"top_p": 0.5}}})
    changed = {**before.config.overrides, "other": TaskOverrides(repeats=1)}
    before = before.model_copy(
        update={
            "tasks": {**before.tasks, "other": before.tasks["smoke"]},
            "config": before.config.model_copy(update={"overrides": changed}),
        }
    )
    merged = merge_run(before, described(overrides={"smoke": {"sampling": {"top_p": 0.5}}}))
    assert set(merged.tasks) == {"smoke", "other"}
    assert merged.config.overrides["other"] == TaskOverrides(repeats=1)


@pytest.mark.parametrize("system", ["none", "Be brief."])
def test_tasks_of_earlier_starts_keep_their_system_text(system: str) -> None:
    before = described(system=system)
    later = described(tasks=("nano_math",))
    config_now = merge_run(before, later).config
    assert config_now.overrides_of("smoke").system == system
    assert config_now.overrides_of("nano_math").system is None


def test_tasks_of_earlier_starts_keep_their_own_system_text() -> None:
    merged = merge_run(described(), described(tasks=("nano_math",), system="none"))
    assert merged.config.overrides_of("smoke").system == "keep"


@pytest.mark.parametrize(
    ("fields", "system"),
    [
        ({}, "own"),
        ({"system": "keep"}, "own"),
        ({"system": "none"}, ""),
        ({"system": "Be brief."}, "Be brief."),
        ({"system": "none", "overrides": {"smoke": {"system": "Be brief."}}}, "Be brief."),
        ({"system": "Be brief.", "overrides": {"smoke": {"system": ""}}}, ""),
        ({"system": "none", "overrides": {"smoke": {"system": "keep"}}}, "own"),
    ],
    ids=str,
)
def test_the_system_text_of_all_tasks_yields_to_that_of_one(fields: dict[str, Any], system: str) -> None:
    own = Work(config(Path("x"))).sets[0].task.system
    assert own
    assert Work(config(Path("x"), **fields)).sets[0].task.system == (own if system == "own" else system)


@pytest.mark.parametrize("task", ["smoke", "nano_science"])
def test_without_system_text_no_stage_of_a_solver_has_a_system_turn(task: str) -> None:
    work = Work(config(Path("x"), tasks=(task,), system="none", limit=1))
    [assignment, *_] = work.assignments()
    assert [turn.role for turn in assignment.question.messages] == ["user"]


def test_a_switch_for_one_task_wins_over_that_for_all() -> None:
    own = {"smoke": {"reasoning_effort": "low", "sampling": {"thinking_budget": 7}}}
    work = Work(config(Path("x"), thinking=True, reasoning_effort="high", overrides=own))
    drawn = work.sampling_of(work.sets[0])
    assert (drawn.thinking, drawn.reasoning_effort, drawn.thinking_budget) == (True, "low", 7)


def test_a_switch_of_a_role_changes_its_sampling_alone() -> None:
    work = Work(config(Path("x"), roles={"judge": {"thinking": True, "sampling": {"top_p": 0.5}}}))
    assert work.role_sampling["judge"] == {"thinking": True, "top_p": 0.5}
    assert work.sampling_of(work.sets[0]).thinking is None


def test_what_the_engine_said_stays_until_it_has_started_again() -> None:
    before = described()
    engine = before.engine.model_copy(update={"notes": (note("no chat template"),)})
    before = before.model_copy(
        update={"model": model_record(context=4096), "engine": engine, "reproducible": False}
    )
    merged = merge_run(before, described())
    assert (merged.model.context, merged.engine.notes) == (4096, (note("no chat template"),))
    assert not merged.reproducible


def test_options_that_yaml_reads_as_dates_can_be_written_and_are_no_difference(tmp_path: Path) -> None:
    dated: dict[str, Any] = {"overrides": {"nano_code": {"options": {"until": datetime.date(2099, 1, 1)}}}}
    run = described(tasks=("nano_code",), **dated)
    (tmp_path / RUN).write_text(run.to_json())
    merged = merge_run(read_run(tmp_path), described(tasks=("nano_code",), **dated))
    assert merged.tasks["nano_code"].options["until"] == "2099-01-01"


def test_a_run_is_complete_when_every_sample_it_speaks_of_is_settled() -> None:
    run = run_record({"a": task_record(questions=2, repeats=2), "b": task_record(questions=1, repeats=1)})
    keys = [SampleKey("a", question, index) for question in "xy" for index in (0, 1)]
    keys.append(SampleKey("b", "z", 0))
    assert is_complete(run, keys)
    assert not is_complete(run, keys[1:])
    assert not is_complete(run, keys[:-1])
    assert not is_complete(run, [*keys[1:], SampleKey("a", "x", 2)])


def test_answers_that_the_context_cuts_are_noted_once() -> None:
    tasks = {name: task_record(sampling=Sampling(max_tokens=64_000)) for name in ("a", "b")}
    tasks["c"] = task_record(sampling=Sampling(max_tokens=100))
    assert limits_of_context(tasks, None) == []
    [limit] = limits_of_context(tasks, 4096)
    assert limit.kind is NoteKind.CONTEXT
    assert limit.text.startswith(
        "max_tokens is 64000, but prompt and answer must fit a context of 4096 tokens"
    )
    assert limit.text.endswith("(a, b)")


def test_a_failure_of_ours_has_no_score() -> None:
    assignment = next(Work(config(Path("x"))).assignments())
    verdict = failed(assignment, EngineError("x" * 10_000))
    assert (verdict.outcome, verdict.score) == (Outcome.ENGINE_ERROR, None)
    assert len(verdict.detail["reason"]) == 500


def test_a_width_in_points_is_refused_for_a_task_that_is_measured_by_errors(tmp_path: Path) -> None:
    (tmp_path / "esol").mkdir()
    (tmp_path / "esol/rows.csv").write_text("smiles,measured log solubility in mols per litre\nCCO,0.5\n")
    with pytest.raises(ConfigError, match="molprops_esol is measured by errors, and --until is"):
        Work(config(tmp_path / "run", tasks=("molprops_esol",), data=tmp_path, until=2.0))
