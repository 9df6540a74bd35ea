"""A run directory that is what it claims, and those that are not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import JournalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS
from k2eval.records import Grade, Outcome, digest
from k2eval.run.verify import Verification, verify_run
from k2eval.tasks.files import tasks_folder
from tests.journal.test_run_record import changed
from tests.scripted_runs import config, golds, right, run, student

SCRIPTED = {"kind": "scripted"}


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    settings = config(tmp_path / "run", recipe="k2", limit=3, engine=SCRIPTED)
    await run(settings, student(golds(settings), lambda request: request.repeat_index == 0))
    return tmp_path / "run"


async def check(folder: Path, **options: Any) -> Verification:
    return await verify_run(folder, workers=1, **options)


def edit(path: Path, number: int, **fields: Any) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[number] |= fields
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


async def test_an_honest_run_holds(folder: Path) -> None:
    result = await check(folder)
    assert (result.faults, result.checked, result.verdicts, result.asked) == ([], 6, 6, 6)
    assert result.is_whole


async def test_a_sample_is_checked_if_asked_and_that_is_said(folder: Path) -> None:
    result = await check(folder, sample=2)
    assert result.holds and result.checked == 2 and not result.is_whole
    assert f"2 of 6 verdicts were checked, drawn with --seed {result.seed}" in result.notes


async def test_a_part_is_drawn_anew_each_time_unless_its_seed_is_given(folder: Path) -> None:
    first, second = [(await check(folder, sample=1)).seed for _ in range(2)]
    assert first != second
    assert (await check(folder, sample=1, seed=first)).seed == first


async def test_a_verdict_that_was_raised_does_not_hold(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / VERDICTS).read_text().splitlines()]
    number = next(number for number, line in enumerate(lines) if line["outcome"] == "wrong")
    edit(folder / VERDICTS, number, outcome="correct", score=1.0)
    [fault] = (await check(folder)).faults
    assert "outcome is 'correct' in the run, and 'wrong' by its texts" in fault


async def test_a_text_of_another_answer_does_not_hold(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / GENERATIONS).read_text().splitlines()]
    for number, line in enumerate(lines):
        if line["stage"].startswith("solve"):
            edit(folder / GENERATIONS, number, text="<think>so</think>\\boxed{another}")
    assert not (await check(folder)).holds


async def test_generations_that_changed_places_do_not_hold(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / GENERATIONS).read_text().splitlines()]
    first, second = [number for number, line in enumerate(lines) if line["stage"] == "solve"][:2]
    edit(folder / GENERATIONS, first, key=lines[second]["key"])
    edit(folder / GENERATIONS, second, key=lines[first]["key"])
    assert any("by its key" in fault for fault in (await check(folder)).faults)


async def test_a_generation_that_is_missing_does_not_hold(folder: Path) -> None:
    lines = (folder / GENERATIONS).read_text().splitlines(keepends=True)
    others = [line for line in lines if json.loads(line)["stage"] != "solve"]
    (folder / GENERATIONS).write_text("".join(others))
    assert any("the journal lacks the generation" in fault for fault in (await check(folder)).faults)


async def test_another_sampling_than_was_used_does_not_hold(folder: Path) -> None:
    described = json.loads((folder / RUN).read_text())
    described["tasks"]["smoke"]["sampling"]["temperature"] = 0.1
    (folder / RUN).write_text(json.dumps(described))
    assert not (await check(folder)).holds


async def test_another_checkpoint_than_was_used_does_not_hold(folder: Path) -> None:
    described = json.loads((folder / RUN).read_text())
    described["engine"]["fingerprints"] = {role: "0" * 32 for role in described["engine"]["fingerprints"]}
    (folder / RUN).write_text(json.dumps(described))
    assert not (await check(folder)).holds


async def test_an_answer_that_is_passed_off_as_a_failure_does_not_hold(folder: Path) -> None:
    edit(folder / VERDICTS, 0, outcome="engine_error", score=None)
    result = await check(folder)
    assert any("outcome is 'engine_error' in the run" in fault for fault in result.faults)
    assert any(doubt.startswith("1 samples failed where the run was made") for doubt in result.doubts)


async def test_a_sample_that_failed_and_left_nothing_holds(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / VERDICTS).read_text().splitlines()]
    edit(folder / VERDICTS, 0, outcome="engine_error", score=None, generations=[], selected="")
    others = [
        line
        for line in (folder / GENERATIONS).read_text().splitlines(keepends=True)
        if json.loads(line)["key"] not in lines[0]["generations"]
    ]
    (folder / GENERATIONS).write_text("".join(others))
    result = await check(folder)
    assert result.holds and not result.is_whole


async def test_a_verdict_that_claims_an_answer_judge_does_not_hold_in_a_run_without_one(folder: Path) -> None:
    forged = {"outcome": "correct", "score": 1.0, "notes": {"answer_judge": {"score": 1.0}}}
    for number in range(6):
        edit(folder / VERDICTS, number, **forged)
    assert not (await check(folder)).holds


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("recipe",), "plain"),
        (("model", "fingerprint"), "0" * 32),
        (("repeats",), 1),
        (("tasks", "smoke", "title"), "AIME 2026"),
        (("tasks", "smoke", "kind"), "code"),
        (("tasks", "smoke", "micro"), "math"),
        (("tasks", "smoke", "part"), True),
        (("tasks", "smoke", "expected_questions"), 3),
        (("tasks", "smoke", "protected"), True),
        (("tasks", "smoke", "error_unit"), "K"),
        (("tasks", "smoke", "twins"), {"smoke-1": "0" * 16}),
        (("tasks", "smoke", "notes"), []),
        (("tasks", "smoke", "notes"), [{"kind": "other", "text": "verified by NIST"}]),
        (("tasks", "smoke", "grader"), "math/99"),
        (("model", "name"), "K2-Think-V3"),
        (("sessions", 0, "generated_tokens"), 10**9),
        (("sessions", 0, "generated"), 10**9),
    ],
)
async def test_a_claim_that_does_not_follow_keeps_a_run_from_being_marked(
    folder: Path, path: tuple[Any, ...], value: Any
) -> None:
    described = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps(changed(described, path, value)))
    assert not (await check(folder)).is_whole


async def test_a_run_of_fewer_questions_than_it_was_asked_does_not_hold(folder: Path) -> None:
    """The question with the worst answers is left out of everything."""
    described = json.loads((folder / RUN).read_text())
    task = described["tasks"]["smoke"]
    worst = next(iter(task["hashes"]))
    del task["hashes"][worst]
    task["questions"] -= 1
    (folder / RUN).write_text(json.dumps(described))
    for name in (VERDICTS, GENERATIONS):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text(
            "".join(line for line in lines if json.loads(line)["question_id"] != worst)
        )
    assert not (await check(folder)).holds


@pytest.mark.parametrize(
    "fields",
    [
        {"finish_reason": "length"},
        {"tags": {"date": "2030-01-01"}},
        {"output_tokens": 7},
        {"recipe_tokens": 7},
        {"detail": {"sub_passed": 3, "sub_total": 3}},
        {"detail": {"reading": -0.77, "residual": 0.0}},
        {"notes": {"tokens_saved_estimate": 10**6}},
        {"notes": {"marks": ["lost"]}},
    ],
    ids=str,
)
async def test_a_field_of_a_verdict_that_does_not_repeat_is_named(
    folder: Path, fields: dict[str, Any]
) -> None:
    edit(folder / VERDICTS, 0, **fields)
    [fault] = (await check(folder)).faults
    assert next(iter(fields)) in fault


async def test_a_verdict_of_another_grader_keeps_a_run_from_being_marked(folder: Path) -> None:
    edit(folder / VERDICTS, 0, grader="math/99")
    assert not (await check(folder)).is_whole


async def test_more_tokens_than_the_limit_allows_do_not_hold(folder: Path) -> None:
    edit(folder / GENERATIONS, 0, output_tokens=10**6)
    assert any("expected at most" in fault for fault in (await check(folder)).faults)


async def test_a_grader_error_of_the_run_is_graded_again_and_said(folder: Path) -> None:
    edit(folder / VERDICTS, 0, outcome="grader_error", score=None)
    result = await check(folder)
    assert result.holds and not result.is_whole
    assert any("the grader failed in the run, and says" in note for note in result.notes)


async def test_a_grader_that_fails_here_verifies_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> Grade:
        return Grade.of(Outcome.GRADER_ERROR)

    monkeypatch.setattr("k2eval.grading.pool.GradingPool.grade_response", fail)
    result = await check(folder)
    assert (result.ungraded, result.is_whole) == (6, False)


@pytest.mark.parametrize("lost", [5, [5], [{}], [{"stage": "solve"}]], ids=str)
async def test_candidates_lost_in_a_way_of_their_own_do_not_hold(folder: Path, lost: Any) -> None:
    (folder / GENERATIONS).write_text("")
    edit(folder / VERDICTS, 0, notes={"lost": lost})
    assert not (await check(folder)).holds


async def test_a_run_whose_verdicts_are_missing_is_not_whole(folder: Path) -> None:
    lines = (folder / VERDICTS).read_text().splitlines(keepends=True)
    (folder / VERDICTS).write_text("".join(lines[:2]))
    result = await check(folder)
    assert result.holds and not result.is_whole


async def test_answers_that_the_run_brings_along_are_not_believed(tmp_path: Path) -> None:
    """Own task files, named by ``run.json`` alone, give the same questions another answer."""
    own = tmp_path / "own"
    shutil.copytree(tasks_folder() / "smoke", own / "smoke")
    for shared in tasks_folder().glob("_*.yaml"):
        shutil.copy(shared, own)
    path = own / "smoke" / "questions.jsonl"
    rows = [json.loads(line) | {"answer": "35"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.warns(UserWarning, match="in place of k2eval's own"):
        await run(config(tmp_path / "run", limit=3, include_path=(own,), engine=SCRIPTED), right)
        assert (await check(tmp_path / "run", include=[own])).is_whole
    with pytest.raises(JournalError, match="not those of the run"):
        await check(tmp_path / "run")


async def test_rows_that_the_run_brings_along_are_not_read(folder: Path) -> None:
    edited = json.loads((folder / RUN).read_text())
    edited["config"]["data"] = str(folder / "none")
    (folder / RUN).write_text(json.dumps(edited))
    assert (await check(folder)).holds


async def test_a_question_that_was_picked_out_is_not_the_first(folder: Path) -> None:
    """All but the best question are left out of everything, and the note says that these were the first."""
    text = (folder / RUN).read_text().replace("limited to the first 3", "limited to the first 1")
    described = json.loads(text)
    task = described["tasks"]["smoke"]
    best = list(task["hashes"])[-1]
    task["hashes"], task["questions"] = {best: task["hashes"][best]}, 1
    (folder / RUN).write_text(json.dumps(described))
    for name in (VERDICTS, GENERATIONS):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if json.loads(line)["question_id"] == best))
    assert any("not the first" in fault for fault in (await check(folder)).faults)


def cut_to_its_first_repeat(folder: Path, **config: Any) -> None:
    described = json.loads((folder / RUN).read_text())
    described["repeats"] = described["tasks"]["smoke"]["repeats"] = 1
    described["config"] |= config
    (folder / RUN).write_text(json.dumps(described))
    for name in (VERDICTS, GENERATIONS):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if json.loads(line)["repeat_index"] == 0))


async def test_a_run_that_was_cut_to_its_first_repeat_does_not_hold(folder: Path) -> None:
    cut_to_its_first_repeat(folder)
    [fault] = (await check(folder)).faults
    assert fault == "smoke: run.json asks for 2 repeats, and holds 1"


async def test_fewer_repeats_than_the_tasks_own_are_in_doubt_if_nothing_asks_for_them(folder: Path) -> None:
    cut_to_its_first_repeat(folder, repeats=None)
    result = await check(folder)
    assert result.holds and not result.is_whole
    assert any("nothing tells why" in doubt for doubt in result.doubts)


async def test_more_repeats_than_the_last_start_asked_for_hold(folder: Path) -> None:
    await run(config(folder, recipe="k2", limit=2, repeats=1, engine=SCRIPTED), student({}, lambda _: True))
    result = await check(folder)
    assert result.is_whole, result


async def test_fewer_questions_than_the_limit_do_not_hold(folder: Path) -> None:
    """All but the first question are left out of everything, and the note says that there was a limit of one."""
    described = json.loads((folder / RUN).read_text().replace("the first 3", "the first 1"))
    task = described["tasks"]["smoke"]
    first = next(iter(task["hashes"]))
    task["hashes"], task["questions"] = {first: task["hashes"][first]}, 1
    (folder / RUN).write_text(json.dumps(described))
    for name in (VERDICTS, GENERATIONS):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text(
            "".join(line for line in lines if json.loads(line)["question_id"] == first)
        )
    assert (await check(folder)).faults == ["smoke: run.json asks for 3 questions, and holds 1"]


def claim(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    described = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps(changed(described, path, value)))


async def test_a_commit_of_another_model_does_not_hold(folder: Path) -> None:
    claim(folder, ("model", "commit"), "0" * 40)
    assert any("model.commit" in fault for fault in (await check(folder)).faults)


@pytest.mark.parametrize("commit", ["a" * 40, "b" * 40])
async def test_a_commit_is_that_of_the_fingerprint(folder: Path, commit: str) -> None:
    described = json.loads((folder / RUN).read_text())
    described["config"] |= {"model": "owner/name", "engine": {"kind": "vllm"}}
    described["model"] |= {"commit": commit, "fingerprint": digest("hub", "owner/name", "a" * 40)}
    (folder / RUN).write_text(json.dumps(described))
    about = [fault for fault in (await check(folder)).faults if "model.commit" in fault]
    assert bool(about) == (commit[0] == "b")


async def test_a_context_shorter_than_what_was_said_does_not_hold(folder: Path) -> None:
    edit(folder / GENERATIONS, 0, prompt_tokens=5000)
    claim(folder, ("model", "context"), 4096)
    assert any("model.context is 4096" in fault for fault in (await check(folder)).faults)


async def test_a_context_that_would_need_a_note_is_in_doubt_without_it(folder: Path) -> None:
    claim(folder, ("model", "context"), 512)
    result = await check(folder)
    assert result.holds and not result.is_whole
    assert "the notes on the context are not those that model.context makes" in result.doubts


async def test_a_context_that_its_engine_did_not_have_does_not_hold(folder: Path) -> None:
    claim(folder, ("config", "engine"), {"kind": "vllm", "arguments": {"max_model_len": 4096}})
    claim(folder, ("model", "context"), 131_072)
    assert any("engine.max_model_len 4096" in fault for fault in (await check(folder)).faults)


async def test_answers_that_vllm_cut_before_their_limit_are_in_doubt(folder: Path) -> None:
    for name, number in ((GENERATIONS, 0), (VERDICTS, 0)):
        edit(folder / name, number, finish_reason="length")
    claim(folder, ("config", "engine"), {"kind": "vllm"})
    claim(folder, ("model", "context"), 131_072)
    assert any("1 answers were cut before their limit" in doubt for doubt in (await check(folder)).doubts)


async def test_a_context_that_nobody_told_is_said(folder: Path) -> None:
    result = await check(folder)
    assert result.is_whole and any("the engine told no context" in note for note in result.notes)
