"""The cost of grading programs beside generation: the same generations with and without the grader at work.

    python -m benchmarks.beside [--repeats 8] [--rounds 5] [--every 16] [--model models/nano/rl]

Both sides are whole runs of ``nano_code`` through vLLM, with the journal and as many grading processes as a run has.
On one side a program is judged in the sandbox as soon as it is there. On the other side a grader says "wrong" without
reading the program. The small model writes about 170 tokens for a program; a model that reasons first writes thousands.
With ``--every 16``, one answer in 16 is judged, which is a program for every 2,700 tokens. With 1, all are judged.

Seeds are equal, so both sides make the same tokens. The time is that from the first request to the last generation, so
the tail of the grading does not count. The sides alternate, each round in a fresh process. The last line is the
slowdown of the engine between the medians; the goal is at most 3 %. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
import zlib
from pathlib import Path

from benchmarks.sides import ROOT, Around, add_options, run, seconds_per_token, two_sides
from k2eval.config import RunConfig
from k2eval.engines import Engine
from k2eval.grading.code import livecodebench
from k2eval.records import Generation, Grade, Outcome, Question, Request

VERSION = 1
SIDES = ("graded", "ungraded")
EVERY = "K2EVAL_BENCHMARK_EVERY"
"""One answer in this number is judged; 0 means none."""
prepare, time_limit = livecodebench.prepare, livecodebench.time_limit


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Judge one answer in every N, chosen by its text, and call the others wrong."""
    every = int(os.environ[EVERY])
    chosen = every and zlib.crc32(text.encode()) % every == 0
    return livecodebench.grade(question, text, truncated) if chosen else Grade.of(Outcome.WRONG)


class Timed(Around):
    """An engine that remembers when its first request began, when its last ended, and how many tokens it made."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.first = self.last = 0.0
        self.tokens = 0

    async def generate(self, request: Request) -> Generation:
        """Answer, and look at the clock."""
        self.first = self.first or time.monotonic()
        generation = await self.engine.generate(request)
        self.last = time.monotonic()
        self.tokens += generation.output_tokens
        return generation


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="models/nano/rl")
    parser.add_argument("--repeats", type=int, default=8, help="Samples of each of the 100 questions.")
    parser.add_argument("--every", type=int, default=16, help="One answer in so many is judged.")
    add_options(parser, SIDES, rounds=5)
    if results := two_sides(
        parser, "benchmarks.beside", one_side, ("model", "repeats", "every"), write_tasks
    ):
        graded, ungraded = (seconds_per_token(results[side]) for side in SIDES)
        print(f"slowdown of the engine by grading beside it: {100 * (graded / ungraded - 1):.1f} %")


def write_tasks(scratch: Path) -> Path:
    """Write the project's tasks, with ``nano_code`` judged by this module; return their folder."""
    tasks = shutil.copytree(ROOT / "tasks", scratch / "tasks")
    task = tasks / "nano" / "nano_code.yaml"
    task.write_text(task.read_text().replace("grader: code", "grader: benchmarks.beside"))
    return tasks


def one_side(options: argparse.Namespace) -> dict[str, float]:
    config = RunConfig(
        model=str(options.model),
        tasks=("nano_code",),
        repeats=options.repeats,
        out=options.scratch / f"run-{os.getpid()}",
    )
    os.environ[EVERY] = str(options.every if options.side == "graded" else 0)
    timed: list[Timed] = []

    def watch(engine: Engine) -> Engine:
        timed.append(Timed(engine))
        return timed[-1]

    run(config, watch)
    [engine] = timed
    return {"seconds": engine.last - engine.first, "tokens": engine.tokens}


if __name__ == "__main__":
    main()
