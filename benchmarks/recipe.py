"""Compare the recipe ``k2`` as k2eval runs it with the same work done stage by stage.

Both sides make the same generations with the same engine settings, journal and grading included. On one side
each sample goes on to its next stage as soon as it can. On the other all plans come first, then all
solutions, then all judgements: requests of a later stage wait until no request of an earlier stage is under
way. The sides alternate, each round in a fresh process. The last line is the quotient of the median times;
the goal is at most 0.8.

The gain is the time of an idle engine at the end of each stage, while its longest answers finish. So the quotient
depends on the number of requests for each of the engine's slots, and on the part of a step's time that does not
depend on the number of requests. Measured: 0.72 for 10 questions (the default) and 0.88 for 30 on 2 CPU cores,
0.82 for 30 on an H200 with a small model. Simulated with the step times of a 32B model on an H200, answers of
exponentially distributed length and 256 slots: 0.74 for 26 samples, 0.80 for 104 and 0.87 for 480.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

from benchmarks.sides import ROOT, Around, add_options, run, two_sides
from k2eval.config import RunConfig
from k2eval.engines import Engine
from k2eval.records import Generation, Grade, Outcome, Question, Request

SIDES = ("staged", "flowing")
VERSION = 1
STAGES = ("plan", "solve", "judge")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade nothing: random weights answer nothing. A grader of its own makes every text an answer to judge."""
    return Grade.of(Outcome.WRONG)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="Checkpoint; one with random weights where not given.")
    parser.add_argument("--recipe", default="k2")
    parser.add_argument("--limit", type=int, default=10, help="Questions.")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=2048, help="Of a solution.")
    parser.add_argument("--max-num-seqs", type=int, default=128)
    add_options(parser, SIDES, rounds=3)
    names = ("model", "recipe", "limit", "repeats", "max_tokens", "max_num_seqs")
    if results := two_sides(parser, "benchmarks.recipe", one_side, names, write_task):
        staged, flowing = (statistics.median(result["seconds"] for result in results[side]) for side in SIDES)
        print(f"flowing / staged: {flowing / staged:.3f}")


def write_task(scratch: Path) -> Path:
    """Write the smoke test's questions under the grader above; return the folder of tasks."""
    folder = scratch / "tasks"
    for name in ("_common.yaml", "_mathematics.yaml"):
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tasks" / name, folder)
    shutil.copytree(ROOT / "tasks" / "smoke", folder / "smoke")
    task = folder / "smoke" / "smoke.yaml"
    task.write_text(task.read_text().replace("grader: math", "grader: benchmarks.recipe"))
    return folder


def one_side(options: argparse.Namespace) -> dict[str, float]:
    config = RunConfig(
        model=str(options.model),
        tasks=("smoke",),
        recipe=options.recipe,
        repeats=options.repeats,
        limit=options.limit,
        out=options.scratch / f"run-{os.getpid()}",
        sampling={"max_tokens": options.max_tokens},
        roles={"planner": {"sampling": {"max_tokens": options.max_tokens // 4}}},
        engine={"arguments": {"max_num_seqs": options.max_num_seqs}},
    )
    return run(config, StageByStage if options.side == "staged" else None)


class StageByStage(Around):
    """An engine that holds back the requests of a stage while one of an earlier stage is under way."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.capacity = 1_000_000
        """All samples begin at once, so that all plans come first."""
        self._under_way = 0
        self._open = 0
        self._gates = [asyncio.Event() for _ in STAGES]
        self._gates[0].set()

    async def generate(self, request: Request) -> Generation:
        """Answer once the request's stage has begun."""
        stage = next(number for number, name in enumerate(STAGES) if request.stage.startswith(name))
        await self._gates[stage].wait()
        self._under_way += 1
        try:
            return await self.engine.generate(request)
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                asyncio.get_running_loop().call_later(0.02, self._advance)

    def _advance(self, *_: Any) -> None:
        """Open the next stage, once what has finished has had the time to ask for more of its own."""
        if self._under_way == 0 and self._open + 1 < len(STAGES):
            self._open += 1
            self._gates[self._open].set()
            if self._open + 1 < len(STAGES):
                asyncio.get_running_loop().call_later(0.02, self._advance)


if __name__ == "__main__":
    main()
