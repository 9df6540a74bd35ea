"""Pools whose workers belong to crews, and crews of other nodes behind scripted channels."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import k2eval
from k2eval.grading import GradingJob, GradingPool, crews, link
from k2eval.grading.registry import grader_for
from k2eval.records import Grade, Outcome
from tests.grading.conftest import make_question
from tests.grading.test_pool import ROGUE, SLOW, eventually, is_alive, response

QUESTION = make_question("x")
MORE_THAN_ONE_TAKES = 40
"""Answers that a crew of one worker does not take alone if it starts before the other one."""


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    """Two crews of one worker each."""
    with GradingPool(2, limit_s=1.0, stall_s=1.5, crew=1, graders=[ROGUE]) as pool:
        assert eventually(lambda: len(pool.pids()) == 2, 60)
        yield pool


def grade(pool: GradingPool, text: str, *, grader: str = ROGUE) -> Grade:
    return pool.submit(GradingJob(QUESTION, text, False, grader)).result(timeout=240)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def crew_pids() -> list[int]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has ended, and nobody has waited for it yet
            if "k2eval.grading.crew" in child.cmdline():
                found.append(child.pid)
    return sorted(found)


def test_each_crew_is_a_process_with_workers_of_its_own(pool: GradingPool) -> None:
    assert sorted(map(parent, pool.pids())) == crew_pids() and len(crew_pids()) == 2


def test_crews_grade_as_one_worker_does(pool: GradingPool) -> None:
    texts = ["x", "y", "a\ud800b\0c", "raise", "", "x" * 3_000_000, *map(str, range(200))]
    jobs = [GradingJob(QUESTION, text, False, ROGUE) for text in texts]
    jobs += [GradingJob(make_question(str(number)), f"\\boxed{{{number % 7}}}") for number in range(40)]
    with GradingPool(1, limit_s=1.0, stall_s=1.5) as alone:
        expected = [future.result(60) for future in [alone.submit(job) for job in jobs]]
    assert [future.result(60) for future in [pool.submit(job) for job in jobs]] == expected


async def test_crews_grade_asynchronously(pool: GradingPool) -> None:
    assert (
        await pool.grade_response(make_question("73"), response(r"\boxed{73}"))
    ).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("hang", Outcome.TIMEOUT), ("die", Outcome.GRADER_ERROR), ("sleep 60", Outcome.GRADER_ERROR)],
)
def test_an_answer_ends_its_worker_not_its_crew(pool: GradingPool, text: str, outcome: Outcome) -> None:
    before = crew_pids()
    assert grade(pool, text).outcome is outcome
    assert grade(pool, "x").outcome is Outcome.CORRECT
    assert crew_pids() == before


def test_a_program_that_runs_out_of_its_limit_is_our_failure(pool: GradingPool) -> None:
    question = make_question("x", metadata={"limit_s": 0.5})
    graded = pool.submit(GradingJob(question, "sleep 60", False, SLOW)).result(timeout=240)
    assert graded.outcome is Outcome.GRADER_ERROR


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_crew_that_ends_or_stops_costs_no_answer(
    pool: GradingPool, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        link, "_QUIET_S", 1.0
    )  # with 0.2 s a crew on a busy machine seems to have stopped, too
    before = crew_pids()
    workers = pool.pids()
    futures = [pool.submit(GradingJob(QUESTION, "compute 0.05", False, ROGUE)) for _ in range(60)]
    time.sleep(0.3)
    os.kill(before[0], number)
    assert {future.result(60).outcome for future in futures} == {Outcome.WRONG}
    assert eventually(lambda: not is_alive(before[0]))
    assert eventually(lambda: sum(map(is_alive, workers)) <= 1)
    assert eventually(lambda: len(set(crew_pids()) & set(before)) == 1 and len(crew_pids()) == 2)


def test_a_crew_that_never_grades_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k2eval.grading.channel.CREW", "tests.grading.no_such_module")
    with GradingPool(2, crew=1) as pool:
        graded = grade(pool, "x")
        again = grade(pool, "x")
    assert graded.outcome is again.outcome is Outcome.GRADER_ERROR
    assert "it ended with code 1" in graded.detail["reason"]


def test_questions_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k2eval.grading.questions._MOST_BYTES", 1000)
    with GradingPool(2, crew=1) as pool:
        questions = [make_question(str(number)) for number in range(60)]
        jobs = [GradingJob(question, str(question.gold), False, ROGUE) for question in questions * 2]
        futures = [pool.submit(job) for job in jobs]
        assert {future.result(60).outcome for future in futures} == {Outcome.CORRECT}


def test_hastened_workers_of_crews_take_their_share_of_the_processors() -> None:
    with GradingPool(2, idle=True, crew=1, graders=[ROGUE]) as pool:
        assert eventually(lambda: len(pool.pids()) == 2, 60)
        assert eventually(lambda: {os.sched_getscheduler(pid) for pid in pool.pids()} == {os.SCHED_IDLE})
        pool.hasten()
        futures = [pool.submit(GradingJob(QUESTION, "compute 0.05", False, ROGUE)) for _ in range(20)]
        assert {future.result(60).outcome for future in futures} == {Outcome.WRONG}
        assert {os.sched_getscheduler(pid) for pid in pool.pids()} == {os.SCHED_OTHER}


def test_closing_ends_crews_and_cancels_answers() -> None:
    others = crew_pids()
    pool = GradingPool(2, limit_s=600, crew=1)
    futures = [pool.submit(GradingJob(QUESTION, "hang", False, ROGUE)) for _ in range(MORE_THAN_ONE_TAKES)]
    assert eventually(lambda: len(pool.pids()) == 2, 60)
    processes = [*pool.pids(), *(set(crew_pids()) - set(others))]
    pool.close()
    assert all(future.cancelled() for future in futures)
    assert eventually(lambda: not any(map(is_alive, processes)))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_crew_and_no_worker_outlives_the_driver(end: signal.Signals) -> None:
    program = (
        "from k2eval.grading import GradingPool, GradingJob\n"
        "from tests.grading.conftest import make_question\n"
        "import time\n"
        "with GradingPool(2, crew=1, limit_s=600, stall_s=600) as pool:\n"
        f"    futures = [pool.submit(GradingJob(make_question('x'), 'hang', False, {ROGUE!r}))\n"
        f"        for _ in range({MORE_THAN_ONE_TAKES})]\n"
        "    while len(pool.pids()) < 2: time.sleep(0.05)\n"
        "    time.sleep(0.5)\n"
        "    print(*pool.pids(), flush=True)\n"
        "    futures[0].result()\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert driver.stdout is not None
    with driver.stdout:
        pids = [int(word) for word in driver.stdout.readline().split()]
        pids += [parent(pid) for pid in pids]
        assert len(set(pids)) == 4 and all(map(is_alive, pids))
        driver.send_signal(end)
        driver.wait(timeout=240)
    assert eventually(lambda: not any(map(is_alive, pids)))


# ------------------------------------------------------------------------------------------- crews of other nodes


class ScriptedNode:
    """A crew of another node: ``reply`` makes the outcome that it gives to a text, or ends it by raising an error."""

    def __init__(self, reply: Callable[[str], str], **hello: object) -> None:
        self.name = "node 10.0.0.7"
        self.end = "it ended with SIGKILL"
        self.texts: list[str] = []
        self._reply = reply
        self._hello = {
            "version": k2eval.__version__, "labels": {ROGUE: grader_for(ROGUE).label}, "failures": {}, "workers": 4,
        } | hello  # fmt: skip
        self.is_closed = False

    def open(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive
        receive(b"r%b\n" % json.dumps(self._hello).encode())

    def send(self, data: bytes) -> None:
        lines = data.split(b"\n")
        for header, rest in zip(lines, lines[1:], strict=False):
            if header.startswith(b"j"):
                number, text = json.loads(header[1:])[0], json.loads(b"{%b}" % rest)["text"]
                self.texts.append(text)
                try:
                    outcome = self._reply(text)
                    grade = {
                        "outcome": outcome,
                        "score": 0.0 if outcome == "wrong" else None,
                        "extracted": "there",
                    }
                    self._receive(b"g%d %b\n" % (number, json.dumps(grade).encode()))
                except RuntimeError:
                    self._receive(b"")

    def waited_s(self) -> float:
        return 0.0

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def full() -> Iterator[GradingPool]:
    """A pool for nodes with one worker, which is at an answer for long and has as many as it may have."""
    with GradingPool(1, nodes=True) as pool:
        futures = [pool.submit(GradingJob(QUESTION, "compute 0.1", False, ROGUE)) for _ in range(16)]
        assert eventually(lambda: bool(pool.pids()), 60)
        yield pool
        assert {future.result(60).outcome for future in futures} == {Outcome.WRONG}


def test_a_node_gets_answers_that_this_host_has_no_room_for(full: GradingPool) -> None:
    lines: list[str] = []
    node = ScriptedNode(lambda text: "wrong")
    full.join(node, lines.append)
    assert lines == ["node 10.0.0.7 grades with 4 workers."] and full.workers == 5
    assert grade(full, "elsewhere").extracted == "there" and node.texts == ["elsewhere"]


@pytest.mark.parametrize("outcome", ["grader_error", "timeout", "memory"])
def test_a_failure_of_a_node_is_no_verdict(full: GradingPool, outcome: str) -> None:
    node = ScriptedNode(lambda text: outcome)
    full.join(node, lambda line: None)
    assert grade(full, "x").outcome is Outcome.CORRECT and node.texts == ["x"]


def test_a_node_of_failures_is_left(full: GradingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_FAILURES", 2)
    lines: list[str] = []
    node = ScriptedNode(lambda text: "grader_error")
    full.join(node, lines.append)
    futures = [full.submit(GradingJob(QUESTION, "x", False, ROGUE)) for _ in range(20)]
    assert {future.result(60).outcome for future in futures} == {Outcome.CORRECT}
    assert len(node.texts) == 2 and eventually(lambda: node.is_closed)


def test_a_node_that_is_lost_costs_no_answer(full: GradingPool) -> None:
    def end(text: str) -> str:
        raise RuntimeError

    lines: list[str] = []
    node = ScriptedNode(end)
    full.join(node, lines.append)
    assert grade(full, "x").outcome is Outcome.CORRECT
    assert lines[1:] == ["node 10.0.0.7 was lost: it ended with SIGKILL. Others grade its 1 answers."]
    assert eventually(lambda: node.is_closed) and full.workers == 1


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        ({"version": "0.0.1"}, "got 0.0.1"),
        ({"labels": {ROGUE: f"{ROGUE}/6"}}, f"expected grader {ROGUE}/7, got {ROGUE}/6"),
        ({"failures": {ROGUE: "SandboxUnavailable: Expected user namespaces"}}, "Expected user namespaces"),
    ],
)
def test_a_node_that_would_grade_otherwise_gets_nothing(
    full: GradingPool, hello: dict[str, object], reason: str
) -> None:
    lines: list[str] = []
    node = ScriptedNode(lambda text: "wrong", **hello)
    full.join(node, lines.append)
    assert grade(full, "x").outcome is Outcome.CORRECT
    assert reason in lines[0] and not node.texts and eventually(lambda: node.is_closed)


def test_an_answer_that_outlives_its_crews_too_often_is_our_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_LOSSES", 1)
    others = crew_pids()
    with GradingPool(2, crew=1, graders=[ROGUE]) as pool:
        assert eventually(lambda: len(pool.pids()) == 2, 60)
        future = pool.submit(GradingJob(QUESTION, "sleep 600", False, ROGUE))
        killed = set(crew_pids()) - set(others)
        for crew in killed:
            os.kill(crew, signal.SIGKILL)
        graded = future.result(timeout=240)
        assert graded.outcome is Outcome.GRADER_ERROR and "it ended with SIGKILL" in graded.detail["reason"]
        assert eventually(lambda: len(set(crew_pids()) - killed - set(others)) == 2)
        assert grade(pool, "x").outcome is Outcome.CORRECT
