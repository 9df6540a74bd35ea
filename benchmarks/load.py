"""Test whether verdicts depend on the load: the same 200 submissions graded on an idle and on a busy machine.

    python -m benchmarks.load [--submissions 200] [--cpu 1.0] [--busy CORES]

The submissions go through LiveCodeBench's grader and the grading pool, with ``--cpu`` seconds per test instead of 6 to
save time. They are right and wrong programs, crashes, sleepers, threads, and loops of fixed work from 5 % to 300 % of
the limit. Those planned to within 20 % of the limit are marked and excepted. In the second pass one spinning process
per core runs beside, at a higher priority than the grading. Verdicts that differ are printed; the last line counts
them. The exit code is 1 if an unmarked verdict differs. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from k2eval.grading import GradingJob, GradingPool
from k2eval.grading.code import livecodebench
from k2eval.records import Grade, Question
from k2eval.sandbox import Sandbox

VERSION = 1
time_limit, prepare = livecodebench.time_limit, livecodebench.prepare

WORK = "def work(n):\n    x = 1\n    for i in range(n):\n        x = (x * 1103515245 + i) % 2147483647\n    return x\n"
SHARES = (*(0.05 + 0.06 * n for n in range(10)), 0.85, 0.95, 1.05, 1.15, 1.6, 2.0, 3.0)
"""CPU time of the loops as shares of the limit."""
NEAR = 0.2


@dataclass(frozen=True)
class Submission:
    """A program, its tests, and whether it is planned to come near the limit."""

    name: str
    source: str
    tests: list[tuple[str, str]]
    function: str | None = None
    marked: bool = False


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade with LiveCodeBench's grader and the time limit that the question names."""
    livecodebench.LIMITS = replace(livecodebench.LIMITS, cpu_s=question.metadata["cpu_s"])
    return livecodebench.grade(question, text, truncated)


def calibrate(cpu_s: float) -> int:
    """Return the rounds of the loop that take the whole limit in the sandbox."""
    rounds = 300_000
    with Sandbox("plain") as box:
        seconds = statistics.median(box.run(f"{WORK}\nwork({rounds})").cpu_s for _ in range(5))
    return int(rounds * cpu_s / seconds)


def submissions(count: int, limit_rounds: int) -> list[Submission]:
    numbers = [("1 2\n", "3\n"), ("40 2\n", "42\n"), ("-5 5\n", "0\n")]
    add = "print(sum(map(int, input().split())))"
    kinds = [
        Submission("right", add, numbers),
        Submission("wrong at the last test", f"import sys\n{add.replace('sum', 'max')}", numbers),
        Submission("crash", "print(1 // 0)", numbers),
        Submission("sleeper", f"import time\ntime.sleep(0.5)\n{add}", numbers[:1]),
        Submission("thread", f"import threading\nthreading.Thread(target=lambda: {add}).start()", numbers),
        Submission("memory", f"x = bytearray(b'x') * (200 << 20)\n{add}", numbers[:1]),
        Submission("function", "class Solution:\n    def f(self, x): return x + 1", [("1", "2"), ("5", "6")], "f"),
        Submission("bad function", "class Solution:\n    def f(self, x): return x * 2", [("1", "2"), ("5", "6")], "f"),
    ]  # fmt: skip
    for share in SHARES:
        marked, loop = abs(share - 1) <= NEAR, f"work({int(share * limit_rounds)})"
        program = Submission(f"loop of {share:.2f}", f"{WORK}{loop}\n{add}", numbers[:1], marked=marked)
        function = f"{WORK}class Solution:\n    def f(self, x):\n        {loop}\n        return x + 1"
        kinds += [program, Submission(f"call of {share:.2f}", function, [("1", "2")], "f", marked)]
    return [kinds[index % len(kinds)] for index in range(count)]


def verdicts(pool: GradingPool, planned: list[Submission], cpu_s: float) -> list[Grade]:
    items = []
    for index, submission in enumerate(planned):
        kind = "functional" if submission.function else "stdin"
        rows = [{"input": stdin, "output": out, "testtype": kind} for stdin, out in submission.tests]
        gold = {"public": json.dumps(rows), "private": "[]", "function": submission.function}
        metadata = {"as_code": True, "cpu_s": cpu_s}
        question = Question(task="load", id=str(index), messages=(), gold=gold, metadata=metadata)
        items.append(GradingJob(question, submission.source, grader="benchmarks.load"))
    return [future.result() for future in [pool.submit(item) for item in items]]


@contextlib.contextmanager
def spinning(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--cpu", type=float, default=1.0, help="CPU seconds a test.")
    parser.add_argument("--busy", type=int, default=cores, help="Spinning processes in the second pass.")
    parser.add_argument("--workers", type=int, default=cores)
    options = parser.parse_args()
    planned = submissions(options.submissions, calibrate(options.cpu))
    passes: list[list[Grade]] = []
    with GradingPool(options.workers) as pool:
        for name, spinners in (("idle", 0), ("busy", options.busy)):
            started = time.monotonic()
            with spinning(spinners):
                passes.append(verdicts(pool, planned, options.cpu))
            counts = ", ".join(
                f"{n} {outcome}" for outcome, n in Counter(g.outcome for g in passes[-1]).items()
            )
            print(f"{name}: {counts} in {time.monotonic() - started:.0f} s", flush=True)
    differing: Counter[bool] = Counter()
    for submission, idle, busy in zip(planned, *passes, strict=True):
        if (idle.outcome, idle.detail) != (busy.outcome, busy.detail):
            differing[submission.marked] += 1
            mark = " (within 20 % of the limit)" if submission.marked else ""
            print(f"{submission.name}{mark}: {idle.outcome} idle, {busy.outcome} busy")
    marked = sum(submission.marked for submission in planned)
    print(
        f"differing verdicts: {differing[False]} of {len(planned) - marked}; "
        f"{differing[True]} of {marked} within 20 % of the limit"
    )
    sys.exit(1 if differing[False] else 0)


if __name__ == "__main__":
    main()
