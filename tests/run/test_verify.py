"""A run directory that is what it claims, and those that are not."""

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.journal import GENERATIONS, RUN, VERDICTS
from k2eval.run.verify import Verification, verify_run
from tests.scripted_runs import config, golds, run, student


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    settings = config(tmp_path / "run", recipe="k2", limit=3)
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
    assert "2 of 6 verdicts were checked" in result.notes


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
    assert "1 samples failed where the run was made, and are in no score" in result.notes


async def test_a_sample_that_failed_and_left_nothing_holds(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / VERDICTS).read_text().splitlines()]
    edit(folder / VERDICTS, 0, outcome="engine_error", score=None, generations=[], selected="")
    others = [
        line
        for line in (folder / GENERATIONS).read_text().splitlines(keepends=True)
        if json.loads(line)["key"] not in lines[0]["generations"]
    ]
    (folder / GENERATIONS).write_text("".join(others))
    assert (await check(folder)).holds


async def test_a_verdict_that_claims_an_answer_judge_does_not_hold_in_a_run_without_one(folder: Path) -> None:
    forged = {"outcome": "correct", "score": 1.0, "notes": {"answer_judge": {"score": 1.0}}}
    for number in range(6):
        edit(folder / VERDICTS, number, **forged)
    assert not (await check(folder)).holds


async def test_a_run_whose_verdicts_are_missing_is_not_whole(folder: Path) -> None:
    lines = (folder / VERDICTS).read_text().splitlines(keepends=True)
    (folder / VERDICTS).write_text("".join(lines[:2]))
    result = await check(folder)
    assert result.holds and not result.is_whole
