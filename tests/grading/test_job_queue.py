import weakref
from typing import Any

import pytest

from k2eval.grading.job_queue import JobQueue
from k2eval.grading.seat import Job, Seat


def job(question: int, *, programs: bool = False) -> Job:
    return Job(b"{}", b"", "math", 5.0, programs, lambda _: None, lambda: None, question)


def seat() -> Seat:
    process: Any = None
    return Seat(process, stall_s=1.0)


@pytest.fixture
def one() -> Seat:
    return seat()


@pytest.fixture
def other() -> Seat:
    return seat()


@pytest.fixture
def queue(one: Seat, other: Seat) -> JobQueue:
    queue = JobQueue()
    queue.enter(one)
    queue.enter(other)
    return queue


def put(queue: JobQueue, *jobs: Job) -> list[Job]:
    for each in jobs:
        queue.put(each)
    return list(jobs)


def test_answers_to_a_question_wait_for_the_worker_that_has_it(
    queue: JobQueue, one: Seat, other: Seat
) -> None:
    first, second, another = put(queue, job(1), job(1), job(2))
    assert queue.take(one) is first
    assert queue.take(other) is another
    assert queue.has_own(one)
    assert queue.take(one) is second


def test_an_answer_that_comes_later_goes_to_the_worker_that_has_its_question(
    queue: JobQueue, one: Seat, other: Seat
) -> None:
    put(queue, job(1), job(2))
    queue.take(one), queue.take(other)
    [later] = put(queue, job(2))
    assert queue.first(one) is None
    assert queue.first(other) is later


def test_a_worker_without_work_takes_the_later_half_of_the_longest_queue(
    queue: JobQueue, one: Seat, other: Seat
) -> None:
    jobs = put(queue, *(job(1) for _ in range(6)))
    queue.take(one)
    assert queue.first(other) is None
    assert [queue.take(other) for _ in range(3)] == jobs[3:]
    assert [queue.take(one) for _ in range(2)] == jobs[1:3]


def test_a_worker_that_is_lost_is_forgotten_with_its_answers() -> None:
    queue, lost = JobQueue(), seat()
    queue.enter(lost)
    put(queue, job(1))
    queue.take(lost)
    queue.leave(lost)
    known = weakref.ref(lost)
    del lost
    assert known() is None


def test_a_worker_that_is_lost_leaves_its_questions_to_all(queue: JobQueue, one: Seat, other: Seat) -> None:
    jobs = put(queue, job(1), job(1), job(2))
    queue.take(one)
    queue.has_own(one), queue.first(other)
    queue.leave(one)
    assert [queue.take(other) for _ in range(2)] == jobs[1:]


def test_programs_belong_to_nobody(queue: JobQueue, one: Seat, other: Seat) -> None:
    jobs = put(queue, job(1, programs=True), job(1, programs=True))
    assert [queue.take(one), queue.take(other)] == jobs


def test_jobs_that_are_put_back_come_first_in_their_order(queue: JobQueue, one: Seat) -> None:
    [waiting] = put(queue, job(3))
    back = [job(1), job(2)]
    queue.put_back(back)
    assert [queue.take(one) for _ in range(3)] == [*back, waiting]


def test_all_jobs_count_and_can_be_drained(queue: JobQueue, one: Seat, other: Seat) -> None:
    jobs = put(queue, job(1), job(1), job(2), job(3))
    queue.take(one)
    queue.take(other)
    assert len(queue) == 2
    assert set(map(id, queue.drain())) < set(map(id, jobs))
    assert not queue


def test_taking_from_an_empty_queue_is_an_error(queue: JobQueue, one: Seat) -> None:
    with pytest.raises(IndexError):
        queue.take(one)
