"""The backlog of responses that wait for their grade."""

import asyncio
import contextlib

import pytest

from k2eval.run.queue import Backlog, hasten_if_starved


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


@pytest.mark.parametrize(("others", "is_full", "hastened"), [(9.0, True, 1), (9.0, False, 0), (0.0, True, 0)])
async def test_graders_are_hastened_when_the_engine_waits_for_them_and_other_programs_do_not(
    monkeypatch: pytest.MonkeyPatch, others: float, is_full: bool, hastened: int
) -> None:
    monkeypatch.setattr("k2eval.system.load.others_since", lambda before: others)
    backlog, calls = Backlog(1), list[None]()
    if is_full:
        await backlog.enter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hasten_if_starved(backlog, lambda: calls.append(None), every_s=0.001), 0.5)
    assert len(calls) == hastened
