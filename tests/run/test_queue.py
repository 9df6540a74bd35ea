"""The backlog of responses that wait for their grade."""

import asyncio

from k2eval.run.queue import Backlog


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
