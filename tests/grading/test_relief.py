"""Answers that wait behind a slow one are graded by workers that have nothing to do."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from k2eval.grading import GradingJob, GradingPool, dispatcher
from k2eval.records import Outcome
from tests.grading.conftest import make_question
from tests.grading.test_pool import ROGUE, eventually, grade


def test_answers_behind_a_slow_one_are_graded_by_workers_that_have_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "_SLOW_S", 0.2)
    slow, other = make_question("slow"), make_question("x")
    with GradingPool(4, limit_s=60.0, graders=[ROGUE]) as pool:
        for _ in range(4):
            grade(pool, "sleep 0.2")
        jobs = [GradingJob(slow, "sleep-pid 0.5", False, ROGUE)] * dispatcher.BATCH
        jobs += [GradingJob(other, "x", False, ROGUE)] * 300
        grades = [future.result(timeout=240) for future in [pool.submit(job) for job in jobs]]
        outcomes = [each.outcome for each in grades]
        assert outcomes == [Outcome.WRONG] * dispatcher.BATCH + [Outcome.CORRECT] * 300
        by_worker = Counter(each.extracted for each in grades[: dispatcher.BATCH])
        assert max(by_worker.values()) < 0.8 * dispatcher.BATCH
        # The slow worker still has copies of graded answers. It is ended where it is needed.
        later = [pool.submit(GradingJob(other, "sleep 0.1", False, ROGUE)) for _ in range(12)]
        assert {future.result(timeout=240).outcome for future in later} == {Outcome.WRONG}


def test_an_answer_that_two_workers_have_gets_one_grade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_SLOW_S", 0.1)
    slow, other = make_question("slow"), make_question("x")
    grades: Counter[int] = Counter()
    with GradingPool(2, limit_s=60.0, graders=[ROGUE]) as pool:
        grade(pool, "sleep 0.2"), grade(pool, "sleep 0.2")
        jobs = [GradingJob(slow, "sleep 0.3", False, ROGUE)] * 8
        jobs += [GradingJob(other, "x", False, ROGUE)] * 200
        for number, job in enumerate(jobs):
            pool._queue(job, lambda graded, number=number: grades.update([number]), lambda: None)  # type: ignore[misc]
        assert eventually(lambda: len(grades) == len(jobs), 60.0)
        time.sleep(0.3 * 8)  # the copies, too
    assert set(grades.values()) == {1}
