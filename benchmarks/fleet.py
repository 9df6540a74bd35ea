"""Whether one driver keeps a fleet full: scripted replicas in Ray, whose answers take simulated time.

Each replica is a real actor in a process of its own, with a window of requests that sleep for as long as an answer
of random length would take. Queue, journal and grading are those of a real run. Printed are the part of the time in
places that is the answers' own, the driver's peak memory, its processor time for each sample, all of its threads
together, and the share of places that requests hold until 98 % of the requests have begun. Near the end fewer requests
can be asked than there are places, whoever drives: a sample of ``k2`` asks for one after the other. So the last line is
the share of the places for which there was a request. The goal is at least 0.97 with 64 replicas of 256 places, 100,000
samples of ``plain`` and 20,000 of ``k2``.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines import EngineInfo, ScriptedEngine
from k2eval.engines.fleet import FleetEngine, FleetSettings
from k2eval.engines.ray import Blueprint, RaySupply
from k2eval.records import Generation, Request
from k2eval.run import Runner
from k2eval.system import terminal

QUESTIONS = 52
"""Those of the smoke test."""
_SPREAD = 0.8
"""Standard deviation of the logarithm of an answer's time."""
_LONGEST = 4.0
"""Longest answer as a multiple of the mean: a limit of tokens cuts it."""
_LOOK_S = 0.5
_END = 0.98
_FULL = 0.99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=64)
    parser.add_argument("--window", type=int, default=256, help="Places of each replica.")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--recipe", default="plain")
    parser.add_argument("--mean", type=float, default=120.0, help="Mean seconds of an answer.")
    parser.add_argument("--characters", type=int, default=4000, help="Length of an answer's text.")
    parser.add_argument("--workers", type=int, default=1, help="Grading processes.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="k2eval-bench-") as folder:
        asyncio.run(measure(options, Path(folder)))


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """Run, and print the figures."""
    repeats = max(1, options.samples // QUESTIONS)
    config = RunConfig(
        model="simulated",
        tasks=("smoke",),
        recipe=options.recipe,
        repeats=repeats,
        workers=options.workers,
        out=folder / "run",
    )
    fleet = Complete(options)
    console = terminal(stderr=True)
    started, used = time.monotonic(), 0.0
    try:
        summary = await Runner(config, {"solver": fleet}, console, signals=False).run()
        used = time.process_time() - fleet.used_before
    finally:
        shutil.rmtree(folder / "run", ignore_errors=True)
    wall = time.monotonic() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share, of_work, real = fleet.figures(summary.done)
    out = Console(highlight=False)
    speed = summary.done / wall
    out.print(
        f"{summary.done:,} samples of {options.recipe} in {wall:.0f} s ({speed:.0f}/s), {fleet.answered:,} requests"
    )
    out.print(
        f"{options.replicas} replicas × {options.window} places, answers of {options.mean:g} s on average"
    )
    out.print(
        f"driver: {1000 * used / summary.done:.2f} ms of processor time a sample, peak memory {memory:,.0f} MiB"
    )
    out.print(f"of the time in which places were taken, {100 * real:.1f} % were answers' own")
    out.print(f"99 % of the places were taken after {fleet.full_after:.1f} s")
    out.print(f"places taken until {100 * _END:.0f} % of the requests have begun: {share:.3f}")
    out.print(f"of those for which there was a request: {of_work:.3f}")


@dataclass
class Look:
    """The fleet at one moment."""

    at: float
    share: float
    asked: int
    """Number of requests so far."""
    open: int
    """Requests without an answer yet, those that wait for a place included."""
    begun: int
    """Number of samples that have asked for something."""


@dataclass(eq=False)
class Complete(FleetEngine):
    """A fleet that begins once all its replicas are up, and is looked at meanwhile."""

    options: argparse.Namespace
    looks: list[Look] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    own_s: float = 0.0
    """Simulated seconds of all answers."""
    begun: set[tuple[str, int]] = field(default_factory=set)
    """Question and repeat of each sample that has asked for something."""
    used_before: float = 0.0

    def __post_init__(self) -> None:
        arguments = {name: getattr(self.options, name) for name in ("window", "mean", "characters")}
        blueprint = Blueprint(kind="benchmarks.fleet:simulated", model="simulated", arguments=arguments)
        supply = RaySupply(lambda: blueprint, self.options.replicas)
        super().__init__(Simulated(blueprint), supply, FleetSettings(hang_s=10_000.0, look_s=5.0))

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        while self.replicas < self.options.replicas:
            await asyncio.sleep(_LOOK_S)
        self.used_before = time.process_time()
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        await super().__aexit__(kind, error, trace)

    async def _look(self) -> None:
        while True:
            unanswered = self.asked - self.answered
            self.looks.append(Look(time.monotonic(), self.occupancy, self.asked, unanswered, len(self.begun)))
            await asyncio.sleep(_LOOK_S)

    async def generate(self, request: Request) -> Generation:
        """Answer one request, and count."""
        self.asked += 1
        self.begun.add((request.question_id, request.repeat_index))
        generation = await super().generate(request)
        self.answered += 1
        self.own_s += generation.duration_s
        return generation

    @property
    def full_after(self) -> float:
        """Seconds from the first look until nearly all places were taken."""
        full = (look.at for look in self.looks if look.share >= _FULL)
        return next(full, math.nan) - self.looks[0].at

    def figures(self, samples: int) -> tuple[float, float, float]:
        """Return the share of places taken, that of places with work, and the answers' own part of the time in places.

        The shares are those until nearly all requests have begun.

        Args:
            samples: Number of samples of the run. Each of those that have not begun is a request that could be asked.
        """
        places = self.options.replicas * self.options.window
        whole = list(pairwise(self.looks))
        steps = [
            (before, after.at - before.at) for before, after in whole if before.asked <= _END * self.asked
        ]
        held = sum(before.share * span for before, span in steps)
        work = sum(min(1.0, (before.open + samples - before.begun) / places) * span for before, span in steps)
        all_held = sum(before.share * (after.at - before.at) for before, after in whole) * places
        return held / sum(span for _, span in steps), held / work, self.own_s / all_held


class Simulated:
    """An engine whose answers take the time of answers of random length, and are right one time in two or so."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._arguments: dict[str, Any] = blueprint.arguments
        self.capacity = int(self._arguments["window"])
        self._info = ScriptedEngine(lambda request: "", name="simulated").info

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def info(self) -> EngineInfo:
        """Identity of the script."""
        return self._info

    async def generate(self, request: Request) -> Generation:
        """Sleep, and answer."""
        drawn = random.Random(request.key)
        multiple = min(_LONGEST, drawn.lognormvariate(-(_SPREAD**2) / 2, _SPREAD))
        seconds = self._arguments["mean"] * multiple
        await asyncio.sleep(seconds)
        return Generation.answering(
            request, text=self._text(request, drawn), finish_reason="stop", prompt_tokens=200,
            output_tokens=int(self._arguments["characters"] / 4), duration_s=round(seconds, 3), model="simulated",
        )  # fmt: skip

    def _text(self, request: Request, drawn: random.Random) -> str:
        if request.stage.startswith(("plan", "topics")):
            return "<plan>First see what is asked, then compute it.</plan>"
        if request.stage.startswith("judge"):
            return f'{{"explanation": "the first one checks its steps", "index": {drawn.randrange(2)}}}'
        thought = "so the sum is " * (self._arguments["characters"] // 14)
        return f"<think>{thought}</think>The answer is \\boxed{{{drawn.randrange(30, 40)}}}."


def simulated(blueprint: Blueprint) -> Simulated:
    """Open the engine of one actor."""
    return Simulated(blueprint)


if __name__ == "__main__":
    main()
