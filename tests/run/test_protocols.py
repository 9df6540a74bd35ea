"""Runs under a protocol of others: run.json tells it, and nothing else may join them."""

from pathlib import Path

import pytest

from k2eval.errors import JournalError
from k2eval.journal import read_run
from k2eval.run.regrade import regrade_run
from k2eval.run.verify import verify_run
from tests.scripted_runs import carry_out, config

SCRIPTED = {"kind": "scripted"}


async def test_a_run_tells_its_protocol_and_what_it_deviates_in(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", protocol="matharena", sampling={"stop": ("###",)}, limit=1))
    task = read_run(tmp_path / "run").tasks["smoke"]
    assert task.protocol is not None and task.protocol_label == "matharena/1"
    assert task.deviations("plain") == {
        "repeats": "repeats 2 instead of 4",
        "stop": "stop ['###'] instead of []",
    }
    assert "temperature" in task.protocol.told and "top_k" in task.protocol.unknown


async def test_a_run_as_documented_deviates_in_nothing(tmp_path: Path) -> None:
    _, engine = await carry_out(config(tmp_path / "run", protocol="matharena", repeats=None, limit=1))
    assert read_run(tmp_path / "run").tasks["smoke"].deviations("plain") == {}
    assert len(engine.requests) == 4
    assert [message.role for message in engine.requests[0].messages] == ["user"]


async def test_another_recipe_or_system_text_is_a_deviation(tmp_path: Path) -> None:
    changes = {"recipe": "bo3", "system": "Think.", "repeats": 4}
    await carry_out(config(tmp_path / "run", protocol="matharena", limit=1, **changes))
    words = read_run(tmp_path / "run").tasks["smoke"].deviations("bo3")
    assert words == {"recipe": "recipe bo3 instead of plain", "prompt": "another system text"}


async def test_a_run_without_a_protocol_has_none(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", limit=1))
    task = read_run(tmp_path / "run").tasks["smoke"]
    assert (task.protocol, task.protocol_label, task.protocol_notes("plain")) == (None, "k2eval's own", [])


async def test_another_protocol_is_another_run(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", protocol="matharena", limit=1))
    with pytest.raises(JournalError, match=r"protocol: 'matharena' there, None now"):
        await carry_out(config(tmp_path / "run", limit=1))


async def test_more_repeats_join_and_the_deviation_goes(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", protocol="matharena", limit=1))
    await carry_out(config(tmp_path / "run", protocol="matharena", limit=1, repeats=4))
    assert read_run(tmp_path / "run").tasks["smoke"].deviations("plain") == {}


async def test_a_run_under_a_protocol_can_be_graded_again_and_holds(tmp_path: Path) -> None:
    settings = config(tmp_path / "run", protocol="simple-evals", limit=1, engine=SCRIPTED)
    await carry_out(settings)
    assert (await regrade_run(tmp_path / "run", workers=1)).changed == 0
    assert (await verify_run(tmp_path / "run", workers=1)).faults == []


def test_of_a_benchmark_that_its_sources_do_not_name_one_note_is_enough(tmp_path: Path) -> None:
    from k2eval.run.plan import Work

    work = Work(config(tmp_path / "run", tasks=("nano_choice",), protocol="matharena"))
    [note] = work.describe_task(work.sets[0]).protocol_notes("plain")
    assert "say nothing about this benchmark" in note
