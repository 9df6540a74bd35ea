"""Measure the sandbox: runs, batches and calls per second, beside LiveCodeBench's own grader or plain subprocesses.

    python -m benchmarks.sandbox [--official CHECKOUT] [--workers 2] [--seconds 5]

``--official`` names a checkout of github.com/LiveCodeBench/LiveCodeBench; its grader then gets the same submissions
and tests, with as many processes. Without ``--official`` every test is a plain ``python -I -S`` by `subprocess`,
without isolation; functional submissions get one process each. Both sides must find every submission correct.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from k2eval.sandbox import Call, RunOutcome, Sandbox

PROGRAM = """
import sys
from collections import Counter

def main():
    data = sys.stdin.read().split()
    n, values = int(data[0]), list(map(int, data[1:]))
    best = current = values[0]
    for value in values[1:]:
        current = max(value, current + value)
        best = max(best, current)
    print(n, best, Counter(values).most_common(1)[0][1])

main()
"""
FUNCTION = """
class Solution:
    def best(self, values, k):
        table = {}
        for index, value in enumerate(values):
            if k - value in table:
                return [table[k - value], index]
            table[value] = index
        return []
"""


@dataclass(frozen=True)
class Shape:
    """One kind of submission: its source and its tests as (input, expected output) texts."""

    name: str
    source: str
    function: str | None
    tests: list[tuple[str, str]]


def shapes() -> list[Shape]:
    programs = []
    for number in range(20):
        values = [(number * 7919 + 31 * n) % 201 - 100 for n in range(50)]
        best = max(sum(values[i:j]) for i in range(50) for j in range(i + 1, 51))
        common = max(map(values.count, values))
        programs.append((f"50\n{' '.join(map(str, values))}\n", f"50 {best} {common}\n"))
    calls = []
    for number in range(20):
        values = [(number * 131 + 17 * n) % 1009 for n in range(40)]
        calls.append(
            (f"{values}\n{values[3] + values[11]}", json.dumps(solve(values, values[3] + values[11])))
        )
    return [
        Shape("functional, 20 tests", FUNCTION, "best", calls),
        Shape("standard input, 1 test", PROGRAM, None, programs[:1]),
        Shape("standard input, 20 tests", PROGRAM, None, programs),
    ]


def solve(values: list[int], k: int) -> list[int]:
    scope: dict[str, type] = {}
    exec(FUNCTION, scope)
    result: list[int] = scope["Solution"]().best(values, k)
    return result


# ------------------------------------------------------------------------------------------------ the two sides


def grade(box: Sandbox, shape: Shape) -> bool:
    """Grade one submission with the sandbox; the comparison is outside."""
    if shape.function is None:
        outputs = [expected.encode().split() for _, expected in shape.tests]
        inputs = [text.encode() for text, _ in shape.tests]
        results = box.run_batch(
            shape.source, inputs, stop=lambda n, result: result.stdout.split() != outputs[n]
        )
        return len(results) == len(outputs) and all(
            result.outcome is RunOutcome.OK and result.stdout.split() == expected
            for result, expected in zip(results, outputs, strict=True)
        )
    answers = [json.loads(expected) for _, expected in shape.tests]
    calls = [
        Call(f"Solution.{shape.function}", [json.loads(t) for t in text.split("\n")])
        for text, _ in shape.tests
    ]
    run = box.call(shape.source, calls, stop=lambda n, answer: answer.value != answers[n])
    return run.outcome is RunOutcome.OK and [answer.value for answer in run.calls] == answers


def work(shape: Shape, seconds: float, start: float, out: multiprocessing.Queue[int]) -> None:
    with Sandbox("plain") as box:
        assert grade(box, shape), "an honest submission must pass"
        while time.time() < start:
            time.sleep(0.001)
        count = 0
        while time.time() < start + seconds:
            assert grade(box, shape), "an honest submission must pass"
            count += 1
        out.put(count)


def sandbox_rate(shape: Shape, workers: int, seconds: float) -> float:
    """Return submissions per second with the sandbox."""
    context = multiprocessing.get_context("spawn")
    out: multiprocessing.Queue[int] = context.Queue()
    start = time.time() + 6.0
    processes = [context.Process(target=work, args=(shape, seconds, start, out)) for _ in range(workers)]
    for process in processes:
        process.start()
    total = sum(out.get(timeout=seconds + 60) for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


OFFICIAL = """
import json, sys, time
from lcb_runner.evaluation.compute_code_generation_metrics import evaluate_generations
sample, source, workers, count = json.load(open(sys.argv[1]))
evaluate_generations([sample], [[source]], num_process_evaluate=1)
started = time.time()
results, _ = evaluate_generations([sample] * count, [[source]] * count, num_process_evaluate=workers)
seconds = time.time() - started
assert all(x is True or x > 0 for r in results.values() for one in r for x in one), results
print(count / seconds)
"""


def official_rate(shape: Shape, workers: int, seconds: float, checkout: Path) -> float:
    """Return submissions per second with LiveCodeBench's own grader."""
    tests = {
        "inputs": [text for text, _ in shape.tests],
        "outputs": [expected for _, expected in shape.tests],
    }
    sample = {"input_output": json.dumps({**tests, "fn_name": shape.function})}
    count = int(20 * seconds * (1 if len(shape.tests) > 1 else 2))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([sample, shape.source, workers, count], file)
        file.flush()
        done = subprocess.run(
            [sys.executable, "-c", OFFICIAL, file.name],
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"LiveCodeBench's grader failed: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def plain_rate(shape: Shape, workers: int, seconds: float) -> float:
    """Return submissions per second with plain subprocesses."""
    source = shape.source
    if shape.function is not None:
        source += f"\nimport sys\nfor line in sys.stdin:\n  print(Solution().{shape.function}(*eval(line)))\n"

    def grade_plainly() -> None:
        inputs = [text for text, _ in shape.tests]
        if shape.function is not None:
            inputs = ["\n".join("(" + text.replace("\n", ",") + ")" for text in inputs)]
        command = [sys.executable, "-I", "-S", "-c", source]
        for text in inputs:
            subprocess.run(command, input=text.encode(), capture_output=True, check=True)

    end = time.time() + seconds

    def loop() -> int:
        count = 0
        while time.time() < end:
            grade_plainly()
            count += 1
        return count

    with ThreadPoolExecutor(workers) as pool:
        return sum(future.result() for future in [pool.submit(loop) for _ in range(workers)]) / seconds


# --------------------------------------------------------------------------------------------- what isolation costs

BARE = """
import os, sys, time
for name in sys.argv[1].split(): __import__(name)
code = compile("print(input())", "main", "exec")
times = []
for _ in range(300):
    started = time.perf_counter()
    stdin, stdout = os.memfd_create("i"), os.memfd_create("o")
    os.pwrite(stdin, b"1", 0)
    child = os.fork()
    if child == 0:
        os.dup2(stdin, 0); os.dup2(stdout, 1)
        sys.stdin, sys.stdout = open(0), open(1, "w")
        exec(code, {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.pread(stdout, 9, 0) == b"1\\n"
    os.close(stdin); os.close(stdout)
    times.append(time.perf_counter() - started)
print(sorted(times)[len(times) // 2])
"""


def isolation_cost() -> tuple[float, float, float]:
    """Return the median milliseconds of a bare fork of a warm interpreter, of one `run`, and of one run of a batch."""
    from k2eval.sandbox import STANDARD

    names = " ".join(name for name in STANDARD.split() if "." not in name)
    command = [sys.executable, "-I", "-S", "-c", BARE, names]
    bare = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    with Sandbox("plain") as box:
        single = median(lambda: box.run("print(input())", stdin=b"1"), 200)
        moments: list[float] = []

        def stop(index: int, result: object) -> bool:
            moments.append(time.perf_counter())
            return False

        box.run_batch("print(input())", [b"1"] * 300, stop=stop)
    steps = [after - before for before, after in pairwise(moments)]
    return bare * 1e3, single * 1e3, statistics.median(steps) * 1e3


def median(action: Callable[[], object], times: int) -> float:
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official", type=Path, help="Checkout of LiveCodeBench to compare with.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="Length of each measurement.")
    options = parser.parse_args()
    bare, single, batch = isolation_cost()
    print(
        f"bare fork of a warm interpreter {bare:.2f} ms; one run {single:.2f} ms; one run of a batch {batch:.2f} ms"
    )
    print(f"isolation: {single - bare:.2f} ms a run, {batch - bare:.2f} ms a run of a batch")
    other = "LiveCodeBench's grader" if options.official else "plain subprocesses"
    ratios = []
    for shape in shapes():
        ours = sandbox_rate(shape, options.workers, options.seconds)
        if options.official:
            theirs = official_rate(shape, options.workers, options.seconds, options.official)
        else:
            theirs = plain_rate(shape, options.workers, options.seconds)
        print(f"{shape.name}: sandbox {ours:.0f} submissions/s, {other} {theirs:.1f} submissions/s")
        ratios.append(f"{shape.name} {ours / theirs:.2f}")
    print(f"sandbox / {other}: " + "; ".join(ratios))


if __name__ == "__main__":
    main()
