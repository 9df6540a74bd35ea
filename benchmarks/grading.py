"""Compare verdicts on mathematics per second: the grading pool with all processors, and serial math-verify.

Both grade the same responses: questions with several attempts each, right and wrong, written in many ways.
Every repeat has fresh numbers, so no cache of an earlier repeat helps. The two sides take turns.
Start-up and imports are not counted. The last line is the ratio of the medians.

    python -m benchmarks.grading [--questions 60] [--attempts 16] [--repeats 3] [--workers N]

With several numbers, as in ``--workers 1,8,24``, pools of so many workers take turns instead, on mathematics and on
programs in the sandbox; see `benchmarks.workers`.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import statistics
import time
from collections.abc import Callable

from math_verify import parse, verify

from k2eval.grading import MOST_OF_A_CREW, GradingJob, GradingPool
from k2eval.records import Outcome, Question

Form = tuple[str, list[str], list[str]]
"""A gold, ways to write it, and wrong answers."""


def integer(rng: random.Random) -> Form:
    n = rng.randrange(2, 1000)
    right = [str(n), f"{n:03d}", f"{n}.0", rf"\text{{{n}}}", rf"x = {n}", rf"{n}^\circ", rf"{n - 7} + 7"]
    return (
        str(n),
        right,
        [str(n + 1), str(n - 1), str(10 * n), rf"\frac{{{n}}}{{2}}", f"{n}x", rf"\sqrt{{{n * n + 1}}}"],
    )


def fraction(rng: random.Random) -> Form:
    p, q = rng.randrange(1, 400), rng.choice([7, 11, 13, 17, 64, 101, 2017])
    right = [rf"\frac{{{p}}}{{{q}}}", rf"\dfrac{{{p}}}{{{q}}}", f"{p}/{q}", rf"\frac{{{3 * p}}}{{{3 * q}}}"]
    return right[0], right, [rf"\frac{{{p + 1}}}{{{q}}}", rf"\frac{{{q}}}{{{p}}}", f"{p / q:.4f}", str(p)]


def radical(rng: random.Random) -> Form:
    a, b, c = rng.randrange(1, 40), rng.randrange(2, 9), rng.choice([2, 3, 5, 7, 37, 113])
    right = [
        rf"{a}+{b}\sqrt{{{c}}}",
        rf"{b}\sqrt{{{c}}} + {a}",
        rf"{a} + \sqrt{{{b * b * c}}}",
        rf"\frac{{{2 * a}+{2 * b}\sqrt{{{c}}}}}{{2}}",
    ]
    return (
        right[0],
        right,
        [rf"{a}-{b}\sqrt{{{c}}}", rf"{a + 1}+{b}\sqrt{{{c}}}", rf"{a}+{b}\sqrt{{{c + 1}}}", str(a + b * c)],
    )


def constant(rng: random.Random) -> Form:
    p, q = rng.randrange(1, 60), rng.randrange(2, 13)
    right = [
        rf"\frac{{{p}\pi}}{{{q}}}",
        rf"\frac{{{p}}}{{{q}}}\pi",
        rf"{p}\pi/{q}",
        rf"\frac{{{2 * p} \pi}}{{{2 * q}}}",
    ]
    return (
        right[0],
        right,
        [rf"\frac{{{p}\pi}}{{{q + 1}}}", rf"\frac{{{p}}}{{{q}}}", rf"{p}\pi", f"{3.14159 * p / q:.4f}"],
    )


def power(rng: random.Random) -> Form:
    n, k = rng.randrange(20, 90), rng.randrange(20, 30)
    right = [
        rf"2^{{{n}}} \cdot {k}!",
        rf"{k}! \cdot 2^{{{n}}}",
        rf"{k}! 2^{{{n - 1}}} \cdot 2",
        rf"4^{{{n}}} \cdot \frac{{{k}!}}{{2^{{{n}}}}}",
    ]
    return (
        right[0],
        right,
        [rf"2^{{{n + 1}}} \cdot {k}!", rf"2^{{{n}}} \cdot {k + 1}!", rf"2^{{{n}}}", rf"{k}!"],
    )


def polynomial(rng: random.Random) -> Form:
    a, b = rng.randrange(1, 30), rng.randrange(1, 30)
    right = [
        f"n^2+{a + b}n+{a * b}",
        rf"(n+{a})(n+{b})",
        f"n(n+{a + b})+{a * b}",
        rf"n^{{2}} + {a * b} + {a + b} n",
    ]
    return right[0], right, [f"n^2+{a + b + 1}n+{a * b}", f"(n-{a})(n-{b})", f"n^2+{a * b}", str(a * b)]


def pair(rng: random.Random) -> Form:
    a, b = rng.randrange(-40, 40), rng.randrange(1, 40)
    right = [f"({a},{b})", rf"\left({a}, {b}\right)", f"({a}, {2 * b}/2)", f"(x,y) = ({a},{b})"]
    return right[0], right, [f"({b},{a - 1})", f"({a},{b + 1})", f"{a + b}", f"({a},{b},0)"]


FORMS: list[Callable[[random.Random], Form]] = [
    integer,
    integer,
    integer,
    fraction,
    radical,
    constant,
    power,
    polynomial,
    pair,
]
OPENINGS = [
    "Adding the cases gives",
    "After simplifying we find that the value is",
    "We check small cases, and so the answer must be",
]


def workload(seed: int, questions: int, attempts: int) -> list[tuple[str, str]]:
    """Return golds and responses in a random order of questions, the attempts of one question together."""
    rng = random.Random(seed)
    rows = []
    for index in range(questions):
        gold, right, wrong = FORMS[index % len(FORMS)](rng)
        for _ in range(attempts):
            answer = rng.choice(right if rng.random() < 0.6 else wrong)
            rows.append(
                (gold, f"{rng.choice(OPENINGS)} as required.\n\nThe final answer is $\\boxed{{{answer}}}$.")
            )
    return rows


def serial(rows: list[tuple[str, str]]) -> tuple[float, int]:
    """Return the seconds and the number of right answers of math-verify, one answer after the other."""
    start = time.perf_counter()
    right = sum(verify(parse(f"${gold}$"), parse(text)) for gold, text in rows)
    return time.perf_counter() - start, right


def jobs_of(rows: list[tuple[str, str]]) -> list[GradingJob]:
    """Return rows as jobs of which those with the same gold share a question, as the samples of a run do."""
    asked = {gold: Question(task="bench", id=gold, messages=(), gold=gold) for gold, _ in rows}
    return [GradingJob(asked[gold], text, grader="math") for gold, text in rows]


def pooled(pool: GradingPool, rows: list[tuple[str, str]]) -> tuple[float, int]:
    """Return the seconds and the number of right answers of the pool."""
    start = time.perf_counter()
    items = jobs_of(rows)
    grades = [future.result() for future in [pool.submit(item) for item in items]]
    return time.perf_counter() - start, sum(grade.outcome is Outcome.CORRECT for grade in grades)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--attempts", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--crew", type=int, default=MOST_OF_A_CREW, help="Most workers of a crew.")
    options = parser.parse_args()
    numbers = [int(number) for number in options.workers.split(",")]
    if len(numbers) > 1:
        from benchmarks.workers import compare

        compare(numbers, options)
        return
    [options.workers] = numbers
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    rates: dict[str, list[float]] = {"serial": [], "pool": []}
    with GradingPool(options.workers, crew=options.crew) as pool:
        serial(workload(10_000, 9, 2))
        while len(pool.pids()) < options.workers:
            pooled(pool, workload(10_000, 9, 20))
        for repeat in range(options.repeats):
            rows = workload(repeat, options.questions, options.attempts)
            runs = [
                ("serial", lambda rows=rows: serial(rows)),
                ("pool", lambda rows=rows: pooled(pool, rows)),
            ]
            for name, run in runs if repeat % 2 == 0 else reversed(runs):
                seconds, right = run()
                rates[name].append(len(rows) / seconds)
                print(
                    f"{name:>6}: {len(rows)} answers in {seconds:.2f} s, {rates[name][-1]:.0f}/s, {right} right",
                    flush=True,
                )
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(
        f"medians: pool of {options.workers} {medians['pool']:.0f}/s, serial math-verify {medians['serial']:.0f}/s"
    )
    print(f"ratio {medians['pool'] / medians['serial']:.2f}")


if __name__ == "__main__":
    main()
