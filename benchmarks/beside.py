"""What grading programs beside generation costs the engine: the same generations with and without the grader at work.

    python -m benchmarks.beside [--runs 8] [--rounds 5] [--model models/nano/rl]

Both sides are whole runs of ``nano_code`` through vLLM, with the journal and as many grading processes as a run has.
On one side each program is judged in the sandbox as soon as it is there, on the other a grader says "wrong" without
looking. Seeds are equal, so both make the same tokens. What counts is the time from the first request to the last
generation, so the tail of the grading does not. The sides alternate, each round in a fresh process; the last line is
the slowdown of the engine between the medians; the goal is at most 3 %. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines.protocol import Engine, EngineInfo
from k2eval.records import Generation, Grade, Outcome, Question, Request

ROOT = Path(__file__).resolve().parent.parent
VERSION = 1
SIDES = ("graded", "ungraded")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade nothing."""
    return Grade.of(Outcome.WRONG)


class Timed:
    """An engine that remembers when its first request began, when its last ended, and how many tokens it made."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.capacity = engine.capacity
        self.first = self.last = 0.0
        self.tokens = 0

    async def __aenter__(self) -> Self:
        await self._engine.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.__aexit__(kind, error, trace)

    @property
    def info(self) -> EngineInfo:
        """That of the engine inside."""
        return self._engine.info

    async def generate(self, request: Request) -> Generation:
        """Answer, and look at the clock."""
        self.first = self.first or time.monotonic()
        generation = await self._engine.generate(request)
        self.last = time.monotonic()
        self.tokens += generation.output_tokens
        return generation


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="models/nano/rl")
    parser.add_argument("--runs", type=int, default=8, help="Samples of each of the 100 questions.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        for side in SIDES:
            shutil.copytree(ROOT / "tasks", options.scratch / side)
        task = options.scratch / "ungraded" / "nano" / "nano_code.yaml"
        task.write_text(task.read_text().replace("grader: code", "grader: benchmarks.beside"))
        compare(options)


def compare(options: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(options.rounds):
        for side in SIDES if number % 2 else reversed(SIDES):
            result = in_process(options, side)
            rates[side].append(result["tokens"] / result["seconds"])
            print(
                f"round {number + 1} {side:>8}: {result['tokens']:,.0f} tokens in {result['seconds']:.1f} s, "
                f"{rates[side][-1]:,.0f} tokens/s",
                flush=True,
            )
    graded, ungraded = (statistics.median(rates[side]) for side in SIDES)
    print(f"slowdown of the engine by grading beside it: {100 * (ungraded / graded - 1):.1f} %")


def in_process(options: argparse.Namespace, side: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.beside", "--side", side]
    for name in ("model", "runs", "scratch"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = {**os.environ, "K2EVAL_TASKS": str(options.scratch / side)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def one_side(options: argparse.Namespace) -> dict[str, float]:
    from k2eval.engines.opening import open_engines
    from k2eval.runner import Runner

    config = RunConfig(
        model=str(options.model),
        tasks=("nano_code",),
        runs=options.runs,
        out=options.scratch / f"run-{os.getpid()}",
    )
    engines = open_engines(config)
    timed = {name: Timed(engine) for name, engine in engines.items()}
    asyncio.run(Runner(config, dict(timed), Console(file=io.StringIO())).run())
    return {
        "seconds": max(each.last for each in timed.values())
        - min(each.first for each in timed.values() if each.first),
        "tokens": sum(each.tokens for each in timed.values()),
    }


if __name__ == "__main__":
    main()
