"""Task files and what they say."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from k2eval.config.run import TaskOverrides
from k2eval.errors import ConfigError
from k2eval.records import Message
from k2eval.tasks import lm_eval_yaml
from k2eval.tasks.files import task_files, tasks_folder, tasks_folders
from k2eval.tasks.imports import import_object
from k2eval.tasks.task import (
    Item,
    Task,
    load_task,
    load_tasks,
    sampling_with,
)

BLOCK = {"task": "toy", "title": "Toy", "kind": "general", "grader": "math", "data": {"bundled": "toy.jsonl"}}
CONTENT = {
    "task": "toy",
    "doc_to_text": "{{problem}}\n",
    "description": "Think about {{problem}}.",
    "generation_kwargs": {"do_sample": True, "temperature": 0.6, "max_gen_toks": 100, "until": ["</answer>"]},
    "repeats": 4,
}


def written(folder: Path, block: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A task file, with changes to its ``metadata.k2eval`` and to its other keys; None takes a key away."""
    content = {**CONTENT, "metadata": {"version": 1, "k2eval": {**BLOCK, **(block or {})}}, **changes}
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


@pytest.fixture
def toy(tmp_path: Path) -> Task:
    return load_task(written(tmp_path))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own tasks folder with one task in it."""
    monkeypatch.setenv("K2EVAL_TASKS", str(tmp_path))
    written(tmp_path)
    return tmp_path


def test_sampling_comes_from_the_keys_of_lm_eval(toy: Task) -> None:
    sampling = toy.sampling
    assert (sampling.temperature, sampling.max_tokens, sampling.stop) == (0.6, 100, ("</answer>",))


def test_a_missing_lm_eval_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_eval_yaml, "find_spec", lambda name: None)
    monkeypatch.setattr(lm_eval_yaml, "_loader", lm_eval_yaml._loader.__wrapped__)
    with pytest.raises(ConfigError, match="make setup"):
        lm_eval_yaml.read(tmp_path / "task.yaml")


def test_sampling_is_greedy_where_lm_eval_does_not_sample(tmp_path: Path) -> None:
    path = written(tmp_path, generation_kwargs={"do_sample": False, "until": "stop"})
    assert load_task(path).sampling.temperature == 0.0


def test_a_single_stop_string_is_one_stop_string(tmp_path: Path) -> None:
    path = written(tmp_path, generation_kwargs={"until": "stop"})
    assert load_task(path).sampling.stop == ("stop",)


def test_runs_are_the_repeats_of_lm_eval(toy: Task) -> None:
    assert toy.repeats == 4


def test_runs_of_the_metadata_win_over_the_repeats(tmp_path: Path) -> None:
    metadata = {"version": 1, "repeats": 16, "k2eval": BLOCK}
    assert load_task(written(tmp_path, metadata=metadata, repeats=1)).repeats == 16


def test_an_included_file_is_the_ground_a_task_stands_on(tmp_path: Path) -> None:
    (tmp_path / "_common.yaml").write_text("repeats: 8\ndoc_to_text: from the include\n")
    task = load_task(written(tmp_path, include="_common.yaml", repeats=None))
    assert (task.repeats, task.prompt) == (8, CONTENT["doc_to_text"])


def test_a_prompt_has_the_system_turn_and_the_question(toy: Task) -> None:
    asked = toy.ask(Item(id="q", gold="2", fields={"problem": "1 + 1"}))
    expected = (Message(role="system", content="Think about 1 + 1."), Message(role="user", content="1 + 1\n"))
    assert asked.messages == expected


def test_without_a_description_there_is_no_system_turn(tmp_path: Path) -> None:
    task = load_task(written(tmp_path, description=None))
    assert [m.role for m in task.ask(Item("q", "2", {"problem": "p"})).messages] == ["user"]


def test_brackets_in_a_problem_are_not_a_template(toy: Task) -> None:
    problem = r"{{ 7 * 7 }} {% if %} \frac{1}{2} {# note #} <b>&amp;</b>"
    assert toy.ask(Item("q", "2", {"problem": problem})).messages[-1].content == problem + "\n"


def test_a_field_that_the_template_misses_is_named(toy: Task) -> None:
    with pytest.raises(
        ConfigError,
        match=r"question 'q': UndefinedError: 'problem' is undefined\. Fields there: answer, prompt\.",
    ):
        toy.ask(Item("q", "2", {"prompt": "p", "answer": "2"}))


def test_tasks_come_in_the_order_asked_and_each_once() -> None:
    names = ["hmmt25", "aime24", "hmmt25"]
    assert [task.name for task in load_tasks(names)] == ["hmmt25", "aime24"]


def test_every_task_file_of_the_project_loads() -> None:
    names = list(task_files())
    assert [task.name for task in load_tasks(names)] == names
    assert {"aime24", "aime25", "hmmt25", "omni_math_hard", "math500", "gpqa_diamond", "smoke"} <= set(names)


def test_an_unknown_task_gets_a_near_match() -> None:
    with pytest.raises(
        ConfigError, match=r"Unknown task 'amie24'. Did you mean aime24.*\? `k2eval tasks` lists"
    ):
        load_tasks(["amie24"])


def test_the_folders_of_the_environment_add_tasks_to_our_own(folder: Path) -> None:
    files = task_files()
    assert files["toy"] == folder / "toy.yaml"
    assert files["smoke"] == tasks_folder() / "smoke" / "smoke.yaml"


def test_the_environment_may_name_several_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder.parent / "other"
    other.mkdir()
    written(other, {"task": "second"}, task="second")
    monkeypatch.setenv("K2EVAL_TASKS", f"{folder}{os.pathsep}{other}")
    assert tasks_folders() == (folder, other, tasks_folder())
    assert [task.name for task in load_tasks(["second", "toy"])] == ["second", "toy"]


def test_an_included_folder_counts_before_those_of_the_environment(folder: Path) -> None:
    included = folder.parent / "included"
    included.mkdir()
    written(included, {"title": "Included"})
    assert load_tasks(["toy"], include=[included])[0].spec.title == "Included"


def test_an_own_task_stands_in_for_one_of_ours_with_a_warning(tmp_path: Path) -> None:
    written(tmp_path, {"task": "smoke", "title": "Mine"}, task="smoke")
    with pytest.warns(UserWarning, match=r"Task smoke is read from .*toy\.yaml, in place of k2eval's own\."):
        [task] = load_tasks(["smoke"], include=[tmp_path])
    assert task.spec.title == "Mine"


def test_bundled_rows_may_lie_beside_the_task_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep")
    rows = tmp_path / "deep" / "toy.jsonl"
    rows.touch()
    assert load_tasks(["toy"], include=[tmp_path])[0].bundled == rows


def test_bundled_rows_may_lie_below_the_tasks_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep")
    assert load_tasks(["toy"], include=[tmp_path])[0].bundled == tmp_path / "toy.jsonl"


def test_a_task_that_was_renamed_meanwhile_is_found_by_its_new_name(folder: Path) -> None:
    assert "toy" in task_files()
    changed = written(folder, {"task": "game"}, task="game").stat()
    os.utime(folder / "toy.yaml", ns=(changed.st_atime_ns, changed.st_mtime_ns + 1))
    assert "game" in task_files()
    assert "toy" not in task_files()


def test_two_files_of_one_task_are_refused(folder: Path) -> None:
    (folder / "twin.yaml").write_text((folder / "toy.yaml").read_text())
    with pytest.raises(ConfigError, match=r"got .*toy\.yaml and .*twin\.yaml for 'toy'"):
        task_files()


def test_files_that_begin_with_an_underscore_are_no_tasks(folder: Path) -> None:
    (folder / "_shared.yaml").write_text("task: shared\n")
    assert "shared" not in task_files()


def test_a_tasks_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"No tasks folder at .*nowhere\. Give --include-path and K2EVAL_TASKS"
    ):
        task_files([tmp_path / "nowhere"])


def test_overrides_reach_the_task_they_name(folder: Path) -> None:
    changes = {"toy": TaskOverrides(sampling={"temperature": 0.0}, system="", repeats=2)}
    task = load_tasks(["toy"], changes)[0]
    assert (task.sampling.temperature, task.sampling.max_tokens, task.system, task.repeats) == (
        0.0,
        100,
        "",
        2,
    )


def test_a_task_option_can_be_changed(tmp_path: Path) -> None:
    path = written(tmp_path, {"options": {"from": "2024-08", "until": None}})
    task = load_task(path, TaskOverrides(options={"until": "2025-02"}))
    assert task.spec.options == {"from": "2024-08", "until": "2025-02"}


def test_an_unknown_task_option_gets_a_near_match(tmp_path: Path) -> None:
    path = written(tmp_path, {"options": {"until": None}})
    with pytest.raises(ConfigError, match=r"Task toy has no option 'untill'. Did you mean until\?"):
        load_task(path, TaskOverrides(options={"untill": "2025-02"}))


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"questions": "many"}, "questions: .* got 'many'"),
        ({"questions": 0}, "questions: .* got 0"),
        ({"kind": "poetry"}, "kind: .* got 'poetry'"),
        ({"data": "toy.jsonl"}, "data: .* got 'toy.jsonl'"),
        ({"data": {"files": "toy.jsonl"}}, "data.files: .* got 'toy.jsonl'"),
        ({"where": {"difficulty": {"min": "high"}}}, "where.difficulty.min: .* got 'high'"),
        ({"tags": {"level": 3}}, "tags.level: .* got 3"),
        ({"grade": "math"}, "grade: .* got 'math'"),
    ],
)
def test_a_wrong_value_in_the_block_is_named_with_its_file(
    tmp_path: Path, block: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)toy\.yaml is not a valid task:.*{field}"):
        load_task(written(tmp_path, block))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"repeats": "four"}, "repeats must be a whole number of at least 1, got 'four'"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, got 0"),
        ({"repeats": True}, "repeats must be a whole number of at least 1, got True"),
        ({"doc_to_text": None}, "doc_to_text must be a text, got None"),
        ({"doc_to_text": 7}, "doc_to_text must be a text, got 7"),
        ({"generation_kwargs": [1]}, r"generation_kwargs must be a mapping, got \[1\]"),
        (
            {"generation_kwargs": {"temprature": 1}},
            r"unknown generation_kwargs \['temprature'\]. Known: temperature",
        ),
        ({"generation_kwargs": {"top_p": 3}}, "(?s)toy.yaml is not a valid task:.*top_p: .* got 3"),
        (
            {"metadata": {"repeats": "many", "k2eval": BLOCK}},
            "metadata.repeats must be a whole number .* got 'many'",
        ),
        ({"metadata": {"repeats": 0, "k2eval": BLOCK}}, "metadata.repeats must be a whole number .* got 0"),
        ({"metadata": {"k2eval": {**BLOCK, "options": [1]}}}, r"k2eval.options must be a mapping, got \[1\]"),
        ({"metadata": None}, "expected a mapping metadata.k2eval, got None"),
        ({"metadata": {"k2eval": "toy"}}, "expected a mapping metadata.k2eval, got {'k2eval': 'toy'}"),
    ],
)
def test_a_wrong_value_of_another_key_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_task(written(tmp_path, **changes))


def test_a_task_under_two_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"task is 'toy' but metadata\.k2eval\.task is 'other'; make them equal"
    ):
        load_task(written(tmp_path, {"task": "other"}))


@pytest.mark.parametrize("text", ["task: [toy", "include: nowhere.yaml\ntask: toy\n"])
def test_a_file_that_is_not_yaml_or_lacks_its_include_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"Cannot read the task file .*toy\.yaml"):
        load_task(path)


def test_an_unknown_sampling_setting_gets_a_near_match(toy: Task) -> None:
    with pytest.raises(ConfigError, match=r"Unknown sampling setting 'temprature'. Did you mean temperature"):
        sampling_with(toy.sampling, {"temprature": 1.0})


def test_an_impossible_sampling_value_is_named(toy: Task) -> None:
    with pytest.raises(ConfigError, match=r"(?s)The sampling is not valid:.*temperature: .* got -1"):
        sampling_with(toy.sampling, {"temperature": -1})


@pytest.mark.parametrize(
    "path",
    [
        "k2eval.tasks.adapters",
        ":answers",
        ".adapters:answers",
        "k2eval.nowhere:answers",
        "k2eval.tasks.adapters:nothing",
    ],
)
def test_an_adapter_that_cannot_be_imported_is_named(path: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"Cannot import '{path}' \(adapter\): expected package.module:name"
    ):
        import_object(path, "adapter")


def test_a_protocol_is_above_the_file_and_below_the_changes_of_a_run(tmp_path: Path) -> None:
    path = written(tmp_path)
    by_protocol = load_task(path, TaskOverrides(protocol="aa"))
    assert by_protocol.system == "" and "\\boxed" in by_protocol.prompt
    assert (by_protocol.sampling.temperature, by_protocol.sampling.max_tokens, by_protocol.repeats) == (
        0.6,
        100,
        10,
    )
    changed = load_task(
        path, TaskOverrides(protocol="aa", repeats=2, system="Think.", sampling={"temperature": 0.2})
    )
    assert (changed.system, changed.sampling.temperature, changed.repeats) == ("Think.", 0.2, 2)
    assert changed.documented == by_protocol.documented


def test_to_keep_the_system_text_keeps_that_of_the_protocol(tmp_path: Path) -> None:
    assert load_task(written(tmp_path), TaskOverrides(protocol="aa", system="keep")).system == ""


def test_a_task_may_be_left_out_of_a_protocol(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert load_task(path, TaskOverrides(protocol="none")) == load_task(path)


def test_rows_of_the_hub_come_from_pinned_revisions() -> None:
    data = {name: load_task(path).spec.data for name, path in task_files().items()}
    pinned = {name: spec.revision for name, spec in data.items() if spec.hub and name != "aime24_zh"}
    assert [
        name for name, revision in pinned.items() if not re.fullmatch("[0-9a-f]{40}", revision or "")
    ] == []
