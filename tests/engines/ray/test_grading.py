"""Crews on other nodes of a cluster: asked, killed and left; with real raylets and workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from k2eval.grading import GradingPool
from k2eval.records import Grade, Outcome, Question
from k2eval.run import graders
from k2eval.run.graders import NodeGraders
from tests.engines.ray.conftest import another_node
from tests.grading.conftest import make_question
from tests.grading.test_pool import ROGUE, eventually, is_alive, response

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines"), pytest.mark.filterwarnings("ignore")]


class Started:
    """A pool with one worker here, and crews on other nodes."""

    def __init__(self, pool: GradingPool) -> None:
        self.pool = pool
        self.lines: list[str] = []
        self.nodes: NodeGraders

    async def grade_all(self, text: str, count: int) -> list[Grade]:
        question = make_question("x").model_copy(update={"grader": ROGUE})
        return await asyncio.gather(
            *(self.pool.grade_response(question, response(text)) for _ in range(count))
        )

    async def until_told(self, word: str) -> str:
        async with asyncio.timeout(240):
            while not any(word in line for line in self.lines):
                await asyncio.sleep(0.05)
        return next(line for line in self.lines if word in line)


@contextlib.asynccontextmanager
async def started(
    cluster: Any, workers: int | None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Started]:
    monkeypatch.setattr(graders, "_LOOK_S", 0.2)
    monkeypatch.setattr("k2eval.system.cores.count", lambda: 1)
    async with GradingPool(1, nodes=True) as pool:
        start = Started(pool)
        async with NodeGraders(pool, cluster.address, workers, {ROGUE, "math"}, start.lines.append) as nodes:
            start.nodes = nodes
            yield start


async def test_workers_beyond_the_cores_of_this_host_are_on_other_nodes(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(cluster, 2, monkeypatch) as start:
        assert (await start.until_told("grades")).endswith("grades with 1 workers.")
        assert start.pool.workers == 2
        pids = {grade.extracted for grade in await start.grade_all("pid", 100)}
        assert len(pids) == 2
    assert eventually(lambda: not any(is_alive(int(str(pid))) for pid in pids))


async def test_nodes_are_asked_when_answers_wait(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(cluster, None, monkeypatch) as start:
        await asyncio.sleep(1)
        assert not start.lines
        asking = asyncio.create_task(start.grade_all("compute 0.1", 100))
        await start.until_told("grades with 1 workers")
        assert {grade.outcome for grade in await asking} == {Outcome.WRONG}


async def test_nodes_grade_as_this_host_does(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [
        Question(task="t", id=str(number), messages=(), gold=rf"\frac{{{number}}}{{7}}")
        for number in range(80)
    ]
    texts = [rf"\boxed{{{number % 9}/7}}" for number in range(80)]
    with GradingPool(1) as pool:
        pairs = list(zip(questions, texts, strict=True))
        alone = await asyncio.gather(
            *(pool.grade_response(question, response(text)) for question, text in pairs)
        )
    async with started(cluster, 2, monkeypatch) as start:
        await start.until_told("grades")
        grades = await asyncio.gather(
            *(start.pool.grade_response(question, response(text)) for question, text in pairs)
        )
    assert [grade.to_line() for grade in grades] == [grade.to_line() for grade in alone]


async def test_kill_of_a_nodes_crew_costs_no_answer_and_it_starts_again(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(cluster, 2, monkeypatch) as start:
        await start.until_told("grades")
        asking = asyncio.create_task(start.grade_all("compute 0.1", 60))
        await asyncio.sleep(0.5)
        [program] = start.nodes._programs.values()
        os.kill(program.pid, signal.SIGKILL)
        assert "it ended with SIGKILL" in await start.until_told("was lost")
        start.lines.clear()
        await start.until_told("grades with 1 workers")
        assert {grade.outcome for grade in await asking} == {Outcome.WRONG}


async def test_kill_of_a_node_costs_no_answer(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with another_node(cluster, cpus=4) as late:
        async with started(cluster, 4, monkeypatch) as start:
            assert late.node_id[:6] in await start.until_told("grades with 3 workers")
            asking = asyncio.create_task(start.grade_all("compute 0.1", 80))
            await asyncio.sleep(0.5)
            os.kill(late.all_processes["raylet"][0].process.pid, signal.SIGKILL)
            await start.until_told("was lost")
            assert {grade.outcome for grade in await asking} == {Outcome.WRONG}
