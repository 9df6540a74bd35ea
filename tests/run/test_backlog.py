"""Responses that wait for their grade, and what follows if there are many."""

import asyncio
import contextlib

import pytest

from k2eval.engines.scripted import ScriptedEngine
from k2eval.run.backlog import Backlog, hasten_if_starved, share_processors


async def test_a_full_backlog_lets_none_in_until_most_have_gone() -> None:
    backlog = Backlog(8)
    for _ in range(8):
        await backlog.enter()
    assert backlog.is_closed
    waiting = [asyncio.create_task(backlog.enter()) for _ in range(4)]
    for _ in range(5):
        backlog.leave()
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    backlog.leave()
    await asyncio.gather(*waiting)
    assert not backlog.is_closed


async def test_those_that_are_let_in_at_once_are_not_too_many() -> None:
    backlog = Backlog(4)
    for _ in range(4):
        await backlog.enter()
    waiting = [asyncio.create_task(backlog.enter()) for _ in range(10)]
    for _ in range(3):
        backlog.leave()
    for _ in range(5):
        await asyncio.sleep(0)
    assert sum(task.done() for task in waiting) == 3
    assert backlog.is_closed
    for task in waiting:
        task.cancel()


async def test_a_backlog_of_one_place_goes_on() -> None:
    backlog = Backlog(1)
    for _ in range(3):
        await backlog.enter()
        backlog.leave()
    assert not backlog.is_closed


async def is_hastened(backlog: Backlog, monkeypatch: pytest.MonkeyPatch, others: float = 9.0) -> bool:
    monkeypatch.setattr("k2eval.system.load.others_since", lambda before: others)
    calls = list[None]()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hasten_if_starved(backlog, lambda: calls.append(None), every_s=0.001), 0.5)
    return bool(calls)


@pytest.mark.parametrize(("others", "hastened"), [(9.0, True), (0.0, False)])
async def test_graders_are_hastened_when_the_engine_waits_for_them_and_other_programs_do_not(
    monkeypatch: pytest.MonkeyPatch, others: float, hastened: bool
) -> None:
    backlog = Backlog(1)
    await backlog.enter()
    assert await is_hastened(backlog, monkeypatch, others) is hastened


async def test_graders_are_hastened_when_they_grade_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = Backlog(100)
    await backlog.enter()
    assert await is_hastened(backlog, monkeypatch)


async def test_graders_without_answers_are_not_hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = Backlog(100)
    await backlog.enter()
    backlog.leave()
    assert not await is_hastened(backlog, monkeypatch)


async def test_a_backlog_that_widens_lets_more_in() -> None:
    backlog = Backlog(2)
    backlog.widen(3)
    backlog.widen(1)
    for _ in range(2):
        await backlog.enter()
    assert not backlog.is_closed
    await backlog.enter()
    assert backlog.is_closed


class Sharing(ScriptedEngine):
    """Notes whether it is to leave time to the graders."""

    def __init__(self) -> None:
        super().__init__(lambda request: "no answer")
        self.told: list[bool] = []

    async def leave_time(self, wanted: bool) -> None:
        self.told.append(wanted)


async def told_with(waiting: int) -> list[bool]:
    backlog, engine = Backlog(100), Sharing()
    for _ in range(waiting):
        await backlog.enter()
    with contextlib.suppress(TimeoutError):
        other = ScriptedEngine(lambda request: "no answer")
        await asyncio.wait_for(share_processors(backlog, lambda: 2, [other, engine], every_s=0.001), 0.05)
    return engine.told


async def test_an_engine_leaves_time_to_graders_for_whom_many_responses_wait() -> None:
    *while_waiting, at_the_end = await told_with(waiting=8)
    assert set(while_waiting) == {True}
    assert not at_the_end
    assert set(await told_with(waiting=7)) == {False}


async def test_an_engine_elsewhere_is_told_nothing() -> None:
    await asyncio.wait_for(share_processors(Backlog(1), lambda: 2, [ScriptedEngine(lambda request: "")]), 1.0)
