"""Compare verdicts per second of grading pools with different numbers of workers.

Mathematics is that of `benchmarks.grading`. Programs are right and wrong submissions with ten tests each, through
LiveCodeBench's grader and the sandbox. Each pool gets as much work a worker as the others, and they take turns. All
pools are started before, and their start is not counted. No data are needed. The last line compares the largest pool
with the smallest one.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.grading import jobs_of, workload
from k2eval.grading import GradingJob, GradingPool
from k2eval.records import Question

_TESTS = 10
_PROGRAMS = 60
"""Submissions for each worker and repeat."""

Work = Callable[[int, int], list[GradingJob]]
"""Takes a seed and a number of workers."""


def mathematics(questions: int, attempts: int) -> Work:
    """Return the maker of answers to questions of mathematics."""

    def make(seed: int, workers: int) -> list[GradingJob]:
        return jobs_of(workload(seed, questions * workers, attempts))

    return make


def programs(seed: int, workers: int) -> list[GradingJob]:
    """Make submissions that sum numbers; one in four sums them wrongly, at the last test."""
    rng = random.Random(seed)
    jobs = []
    for index in range(_PROGRAMS * workers):
        rows = []
        for _ in range(_TESTS):
            values = [rng.randrange(1, 1000) for _ in range(50)]
            stdin, total = f"50\n{' '.join(map(str, values))}\n", sum(values)
            rows.append({"input": stdin, "output": f"{total}\n", "testtype": "stdin"})
        gold = {"public": json.dumps(rows), "private": "[]", "function": None}
        fault = f" + (total == {total})" if index % 4 == 0 else ""
        source = f"n = int(input())\ntotal = sum(map(int, input().split()))\nprint(total{fault})"
        question = Question(task="bench", id="", messages=(), gold=gold, metadata={"as_code": True})
        jobs.append(GradingJob(question, source, grader="code"))
    return jobs


def graded(pool: GradingPool, jobs: list[GradingJob]) -> tuple[float, float]:
    """Return verdicts per second, and seconds of the driver's processor for each."""
    start, used = time.perf_counter(), time.process_time()
    grades = [future.result() for future in [pool.submit(job) for job in jobs]]
    seconds, used = time.perf_counter() - start, time.process_time() - used
    failed = [grade.detail for grade in grades if grade.score is None]
    assert not failed, failed[:3]
    return len(jobs) / seconds, used / len(jobs)


def compare(numbers: list[int], options: argparse.Namespace) -> None:
    """Have the pools take turns, and print their verdicts per second."""
    kinds: dict[str, Work] = {
        "mathematics": mathematics(options.questions, options.attempts),
        "programs": programs,
    }
    with ExitStack() as stack:
        pools = {
            number: stack.enter_context(GradingPool(number, crew=options.crew, graders=["math", "code"]))
            for number in numbers
        }
        for number, pool in pools.items():
            while len(pool.pids()) < number:
                time.sleep(0.1)
            for make in kinds.values():
                graded(pool, make(10_000, number)[: 20 * number])
        rates: dict[tuple[str, int], list[float]] = {
            (kind, number): [] for kind in kinds for number in numbers
        }
        for repeat in range(options.repeats):
            for kind, make in kinds.items():
                for number in numbers if repeat % 2 == 0 else reversed(numbers):
                    rate, used = graded(pools[number], make(repeat, number))
                    rates[kind, number].append(rate)
                    print(
                        f"{kind}, {number} workers: {rate:.0f}/s, {1e6 * used:.0f} µs of the driver a verdict",
                        flush=True,
                    )
    print("\n| | " + " | ".join(f"{number} workers" for number in numbers) + " |")
    ratios = []
    for kind in kinds:
        medians = [statistics.median(rates[kind, number]) for number in numbers]
        print(f"| {kind}, verdicts/s | " + " | ".join(f"{median:,.0f}" for median in medians) + " |")
        print(
            f"| beside {numbers[0]} | "
            + " | ".join(f"{median / medians[0]:.1f}" for median in medians)
            + " |"
        )
        ratios.append(f"{kind} {medians[-1] / medians[0]:.2f}")
    print(f"{numbers[-1]} workers beside {numbers[0]}: {', '.join(ratios)}")
