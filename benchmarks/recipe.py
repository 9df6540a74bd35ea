"""The recipe ``k2`` as k2eval runs it, against the same work done stage by stage.

Both sides make the same generations with the same engine settings, journal and grading included. On one side
each sample goes on to its next stage as soon as it can. On the other all plans come first, then all
solutions, then all judgements: requests of a later stage wait until no request of an earlier one is under
way. The sides alternate, each round in a fresh process. The last line is the quotient of the median times;
the goal is at most 0.8.

What is gained is the idle engine at the end of each stage, while its longest answers finish. So the quotient
depends on how many requests there are for each of the engine's slots: simulated with the step times of a 32B
model on an H200, answers of exponentially distributed length and 256 slots, it is 0.74 for 26 samples, 0.80 for
104 and 0.87 for 480.
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
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines.protocol import Engine, EngineInfo
from k2eval.journal import read_run
from k2eval.records import Generation, Grade, Outcome, Question, Request
from k2eval.testing import make_tiny_checkpoint

ROOT = Path(__file__).resolve().parent.parent
VERSION = 1
STAGES = ("plan", "solve", "judge")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade nothing: random weights answer nothing. A grader of its own makes every text an answer to judge."""
    return Grade.of(Outcome.WRONG)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="Checkpoint; one with random weights where not given.")
    parser.add_argument("--recipe", default="k2")
    parser.add_argument("--limit", type=int, default=30, help="Questions; 30 is one pass over a contest.")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=2048, help="Of a solution.")
    parser.add_argument("--max-num-seqs", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=("flowing", "staged"), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        options.model = options.model or make_tiny_checkpoint(Path(scratch) / "model")
        write_task(Path(scratch) / "tasks")
        compare(options)


def write_task(folder: Path) -> None:
    """The smoke test's questions under the grader above."""
    for name in ("_common.yaml", "_mathematics.yaml"):
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tasks" / name, folder)
    shutil.copytree(ROOT / "tasks" / "smoke", folder / "smoke")
    task = folder / "smoke" / "smoke.yaml"
    task.write_text(task.read_text().replace("grader: math", "grader: benchmarks.recipe"))


def compare(options: argparse.Namespace) -> None:
    seconds: dict[str, list[float]] = {"staged": [], "flowing": []}
    for number in range(options.rounds):
        for side in ("staged", "flowing") if number % 2 else ("flowing", "staged"):
            result = in_process(options, side)
            seconds[side].append(result["seconds"])
            print(
                f"round {number + 1} {side:>7}: {result['seconds']:6.2f} s, {result['generations']:,.0f} generations, "
                f"{result['tokens']:,.0f} tokens"
            )
    staged, flowing = (statistics.median(seconds[side]) for side in ("staged", "flowing"))
    print(f"flowing / staged: {flowing / staged:.3f}")


def in_process(options: argparse.Namespace, side: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.recipe", "--side", side]
    for name in ("model", "recipe", "limit", "runs", "max_tokens", "max_num_seqs", "scratch"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    environment = {**os.environ, "K2EVAL_TASKS": str(options.scratch / "tasks")}
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
        tasks=("smoke",),
        recipe=options.recipe,
        runs=options.runs,
        limit=options.limit,
        out=options.scratch / f"run-{os.getpid()}",
        sampling={"max_tokens": options.max_tokens},
        roles={"planner": {"sampling": {"max_tokens": options.max_tokens // 4}}},
        engine={"arguments": {"max_num_seqs": options.max_num_seqs}},
    )
    engines = open_engines(config)
    if options.side == "staged":
        engines["solver"] = StageByStage(engines["solver"])
    asyncio.run(Runner(config, engines, Console(file=io.StringIO())).run())
    [session] = read_run(config.out)["sessions"]
    return {
        "seconds": session["work_s"],
        "tokens": session["generated_tokens"],
        "generations": session["generated"],
    }


class StageByStage:
    """An engine that holds back the requests of a stage while one of an earlier stage is under way."""

    capacity = 1_000_000
    """All samples begin at once, so that all plans come first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way = 0
        self._open = 0
        self._gates = [asyncio.Event() for _ in STAGES]
        self._gates[0].set()

    async def __aenter__(self) -> Self:
        await self._engine.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.__aexit__(kind, error, trace)

    @property
    def info(self) -> EngineInfo:
        """Those of the engine inside."""
        return self._engine.info

    async def generate(self, request: Request) -> Generation:
        """Answer once the request's stage has begun."""
        stage = next(number for number, name in enumerate(STAGES) if request.stage.startswith(name))
        await self._gates[stage].wait()
        self._under_way += 1
        try:
            return await self._engine.generate(request)
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
