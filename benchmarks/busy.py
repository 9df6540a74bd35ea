"""The load of an engine under k2eval, and under bare vLLM with the same requests."""

from __future__ import annotations

import argparse
import asyncio
import bisect
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from k2eval.engines import Prompt
from k2eval.engines.vllm import Probe, Step, VllmEngine

TAIL = 0.02
START_S = 15.0
"""Seconds that an engine takes to start at least; meanwhile the graders start too."""
ROUNDS = 4
"""After round 0, in which vLLM compiles kernels and k2eval starts its graders."""


async def busy(probe: Probe, options: argparse.Namespace, tasks: list[str], say: Callable[..., None]) -> None:
    """Measure k2eval's runner with journal and grading, and bare vLLM, on one engine; empty the caches between."""
    from k2eval.config import RunConfig

    plain = options.recipe == "plain"
    for number in range(ROUNDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig(
                model=str(options.small), tasks=tuple(tasks), repeats=options.repeats, recipe=options.recipe,
                limit=options.questions // len(tasks), data=options.data, out=Path(folder) / "run",
                sampling={"max_tokens": options.longest},
            )  # fmt: skip
            first = await bare_speed(probe, config) if plain and number % 2 else None
            result = await run(probe, config, options.max_num_seqs)
            bare = first or (await bare_speed(probe, config) if plain else None)
        ratio = result["tokens_per_s"] / bare if bare else None
        say(
            "busy",
            round=number,
            recipe=options.recipe,
            bare_tokens_per_s=bare,
            ratio=ratio,
            **result,
        )


async def run(probe: Probe, config: Any, places: int) -> dict[str, Any]:
    from rich.console import Console

    from k2eval.journal import read_run
    from k2eval.run import Runner

    await probe.refresh()
    steps = probe.engine.counters.steps = []
    engine = Started(probe.engine)
    await Runner(config, {"solver": engine}, Console()).run()
    probe.engine.counters.steps = None
    [session] = read_run(config.out).sessions
    return {
        "tokens_per_s": session.generated_tokens / session.generation_s,
        "places_taken": taken(steps, places, engine.finished, len(engine.finished)),
        "work_taken": taken(steps, places, engine.finished),
        "below_half": below_half(steps, places),
        "samples": len(engine.finished),
        "session": session.model_dump(mode="json"),
    }


async def beside(probe: Probe, options: argparse.Namespace, say: Callable[..., None]) -> None:
    """Measure, in turn, programs graded in the sandbox beside the engine and the same generations ungraded."""
    from rich.console import Console

    from benchmarks.beside import EVERY, SIDES, Timed, write_tasks
    from k2eval.config import RunConfig
    from k2eval.run import Runner

    with tempfile.TemporaryDirectory() as folder:
        os.environ["K2EVAL_TASKS"] = str(write_tasks(Path(folder)))
        for number in range(ROUNDS + 1):
            for side in SIDES if number % 2 else reversed(SIDES):
                os.environ[EVERY] = str(options.every if side == "graded" else 0)
                config = RunConfig(
                    model=str(options.small), tasks=("nano_code",), repeats=options.repeats, limit=options.questions,
                    out=Path(folder) / f"{number}-{side}", sampling={"max_tokens": options.longest},
                )  # fmt: skip
                await probe.refresh()
                engine = Timed(Started(probe.engine, START_S))
                await Runner(config, {"solver": engine}, Console(file=io.StringIO())).run()
                say(
                    "beside",
                    round=number,
                    side=side,
                    tokens_per_s=engine.tokens / (engine.last - engine.first),
                )


def taken(steps: Sequence[Step], places: int, finished: list[float], samples: int | None = None) -> float:
    """Return the mean share of an engine's places that were taken, over time, until 2 % of the answers were left.

    Args:
        steps: Scheduler steps with their time and the requests that ran.
        places: Number of requests that may run at once.
        finished: Time at which each answer was there.
        samples: Number of answers that could be asked for at any time. If None, those that were left at each step, so
            that places without work do not count.
    """
    done = sorted(finished)
    end = done[max(0, int((1 - TAIL) * len(done)) - 1)]
    total, length = 0.0, 0.0
    for step, later in pairwise([step for step in steps if step.at <= end]):
        left = samples if samples is not None else len(done) - bisect.bisect_right(done, step.at)
        span = later.at - step.at
        total += span * min(1.0, step.running / min(places, max(1, left)))
        length += span
    return total / length if length else 0.0


def below_half(steps: Sequence[Step], places: int) -> float:
    """Return the share of time in which less than half of an engine's places were taken.

    Args:
        steps: Scheduler steps with their time and the requests that ran.
        places: Number of requests that may run at once.
    """
    low = sum(later.at - step.at for step, later in pairwise(steps) if step.running < places / 2)
    return low / (steps[-1].at - steps[0].at) if len(steps) > 1 else 0.0


async def bare_speed(probe: Probe, config: Any) -> float:
    """Return output tokens/s of the same requests given to vLLM all at once, nothing kept and nothing graded."""
    from k2eval.records import SampleKey, derive_seed
    from k2eval.run import Work

    await probe.refresh()
    requests = [
        (
            probe.prompt_ids(Prompt(messages=assignment.question.messages)),
            assignment.sampling,
            derive_seed(config.seed, SampleKey(*assignment.sample_key), "solve"),
        )
        for assignment in Work(config).assignments()
    ]
    start = time.perf_counter()
    answers = await asyncio.gather(*(probe.complete(*request) for request in requests))
    return sum(len(answer.ids) for answer in answers) / (time.perf_counter() - start)


class Started:
    """An engine that was started elsewhere: entering and leaving it does nothing. Notes when answers are there."""

    def __init__(self, engine: VllmEngine, wait_s: float = 0.0) -> None:
        self._engine = engine
        self._wait_s = wait_s
        self.finished: list[float] = []

    async def __aenter__(self) -> Started:
        await asyncio.sleep(self._wait_s)
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def generate(self, request: Any) -> Any:
        answer = await self._engine.generate(request)
        self.finished.append(time.monotonic())
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
