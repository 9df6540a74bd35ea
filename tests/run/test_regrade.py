"""Grading again from the journal."""

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, JournalError
from k2eval.grading import registry
from k2eval.grading.pool import GradingPool
from k2eval.journal import GENERATIONS, VERDICTS, Journal, read_run
from k2eval.records import Grade, Outcome, Question
from k2eval.run.plan import Work
from k2eval.run.regrade import regrade_run, work_of
from tests.scripted_runs import config, golds, run, student, verdicts


async def run_of(out: Path, **fields: Any) -> Path:
    """A run where the first repeat of every question is right."""
    run_config = config(out, **fields)
    await run(run_config, student(golds(run_config), lambda request: request.repeat_index == 0))
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_grading_again_changes_nothing(tmp_path: Path) -> None:
    folder = await run_of(tmp_path / "run")
    before = contents(folder)
    result = await regrade_run(folder, workers=1)
    assert (result.graded, result.changed, result.missing, result.infrastructure) == (12, 0, 0, 0)
    assert contents(folder) == before


async def test_lost_verdicts_come_back_as_they_were(tmp_path: Path) -> None:
    folder = await run_of(tmp_path / "run")
    before = sorted((folder / VERDICTS).read_text().splitlines())
    (folder / VERDICTS).write_text("")
    assert (await regrade_run(folder, workers=1)).changed == 12
    assert sorted((folder / VERDICTS).read_text().splitlines()) == before


async def test_another_grader_replaces_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = await run_of(tmp_path / "run")

    async def grade(pool: GradingPool, question: Question, *_: Any, **__: Any) -> Grade:
        return Grade.of(Outcome.CORRECT, "by the new grader")

    monkeypatch.setattr(GradingPool, "grade_response", grade)
    result = await regrade_run(folder, workers=1)
    assert (result.graded, result.changed) == (12, 12)
    assert {verdict.extracted for verdict in verdicts(folder)} == {"by the new grader"}


async def test_another_version_of_the_grader_is_recorded_and_is_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await run_of(tmp_path / "run")
    label = registry.Grader.label.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(registry.Grader, "label", property(lambda grader: label(grader) + "0"))
    assert (await regrade_run(folder, workers=1)).changed == 0
    assert {verdict.grader for verdict in verdicts(folder)} == {read_run(folder).tasks["smoke"].grader}
    assert read_run(folder).tasks["smoke"].grader.endswith("0")


async def test_samples_without_their_generations_are_counted_and_keep_their_verdicts(tmp_path: Path) -> None:
    folder = await run_of(tmp_path / "run")
    lines = (folder / GENERATIONS).read_text().splitlines(keepends=True)
    (folder / GENERATIONS).write_text("".join(lines[:-3]))
    before = (folder / VERDICTS).read_bytes()
    result = await regrade_run(folder, workers=1)
    assert (result.graded, result.missing) == (9, 3)
    assert (folder / VERDICTS).read_bytes() == before


async def test_all_that_was_ever_asked_is_graded_whatever_the_last_start_asked(tmp_path: Path) -> None:
    folder = await run_of(
        tmp_path / "run", limit=4, repeats=2, overrides={"smoke": {"sampling": {"top_p": 0.5}}}
    )
    await run_of(folder, limit=5, repeats=1, overrides={"smoke": {"sampling": {"top_p": 0.5}}})
    assert read_run(folder).config.repeats == 1
    result = await regrade_run(folder, workers=1)
    assert (result.graded, result.missing) == (9, 1)


async def test_sampling_of_an_earlier_start_is_remembered(tmp_path: Path, two_tasks: None) -> None:
    folder = await run_of(tmp_path / "run", tasks=("toy",), limit=None, sampling={"top_p": 0.5})
    await run_of(folder, tasks=("other",), limit=None, sampling={"top_p": 0.7})
    result = await regrade_run(folder, workers=1)
    assert (result.graded, result.changed, result.missing) == (8, 0, 0)


@pytest.fixture
def two_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    rows = [{"id": str(number), "problem": f"1 + {number}", "answer": str(1 + number)} for number in range(2)]
    for name in ("toy", "other"):
        (tasks / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        block = {
            "task": name, "title": name, "kind": "mathematics", "grader": "math",
            "data": {"bundled": f"{name}.jsonl"}, "fields": {"id": "id"},
        }  # fmt: skip
        task = {"task": name, "doc_to_text": "{{problem}}", "metadata": {"version": 1, "k2eval": block}}
        (tasks / f"{name}.yaml").write_text(json.dumps(task))
    monkeypatch.setenv("K2EVAL_TASKS", str(tasks))


async def test_other_questions_are_refused(tmp_path: Path, two_tasks: None) -> None:
    folder = await run_of(tmp_path / "run", tasks=("toy",), limit=None)
    with (tmp_path / "tasks" / "toy.jsonl").open("a") as file:
        file.write('{"id": "9", "problem": "4 + 4", "answer": "8"}\n')
    with pytest.raises(JournalError, match=r"questions of toy are not those of the run: .* with --data"):
        await regrade_run(folder, workers=1)


async def test_another_prompt_is_refused(tmp_path: Path, two_tasks: None) -> None:
    folder = await run_of(tmp_path / "run", tasks=("toy",), limit=None)
    path = tmp_path / "tasks" / "toy.yaml"
    path.write_text(path.read_text().replace("{{problem}}", "Solve {{problem}}"))
    with pytest.raises(JournalError, match="The prompt of task toy changed since the run"):
        await regrade_run(folder, workers=1)


async def test_a_task_that_is_gone_is_named(tmp_path: Path, two_tasks: None) -> None:
    folder = await run_of(tmp_path / "run", tasks=("toy",), limit=None)
    (tmp_path / "tasks" / "toy.yaml").unlink()
    with pytest.raises(ConfigError, match=r"Unknown task 'toy'|Cannot read the task file .*toy.yaml"):
        await regrade_run(folder, workers=1)


async def test_what_a_run_wrote_while_tasks_were_loaded_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await run_of(tmp_path / "run")
    before = read_run(folder)

    def slow(*arguments: Any) -> Work:
        with Journal(folder) as journal:
            journal.write_run(before.model_copy(update={"sessions": before.sessions * 2}))
        return work_of(*arguments)

    monkeypatch.setattr("k2eval.run.regrade.work_of", slow)
    with pytest.raises(JournalError, match=r"wrote to .* while its tasks were loaded"):
        await regrade_run(folder, workers=1)
    assert len(read_run(folder).sessions) == 2


async def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is not a run directory"):
        await regrade_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_description_that_was_mangled_is_refused(tmp_path: Path) -> None:
    folder = await run_of(tmp_path / "run", limit=1)
    description = json.loads((folder / "run.json").read_text())
    description["config"]["repeats"] = "many"
    (folder / "run.json").write_text(json.dumps(description))
    with pytest.raises(
        JournalError, match=r"run.json is not what .* writes: field config.repeats: expected a valid integer"
    ):
        await regrade_run(folder, workers=1)


async def test_responses_that_a_stop_string_ended_within_their_reasoning_are_counted(tmp_path: Path) -> None:
    run_config = config(tmp_path / "run", limit=2)
    await run(run_config, lambda request: "<think>I put it into <answer> and </answer>")
    for _ in range(2):
        result = await regrade_run(run_config.out, workers=1)
        assert result.stopped == 4
        [note] = [note for note in read_run(run_config.out).engine.notes if "stop string" in note.text]
        assert note.text.startswith("4 responses were ended inside their reasoning")


async def test_another_reasoning_format_is_recorded_and_graded_by(tmp_path: Path) -> None:
    run_config = config(tmp_path / "run", limit=2)
    known = golds(run_config)
    await run(
        run_config, lambda request: f"<scratch>x</scratch>\\boxed{{{known[request.question_id]}}} <scratch>"
    )
    assert (
        await regrade_run(run_config.out, workers=1, reasoning={"start": "<scratch>", "end": "</done>"})
    ).changed == 4
    assert {verdict.outcome for verdict in verdicts(run_config.out)} == {Outcome.TRUNCATED}
    assert read_run(run_config.out).reasoning["solver"].pairs == (("<scratch>", "</done>"),)
    with pytest.raises(ConfigError, match="unknown format"):
        await regrade_run(run_config.out, workers=1, reasoning="thikn")
