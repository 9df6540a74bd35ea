"""Put a load on an engine, and record the time at which each piece of each answer arrives."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from k2eval.engines import Load, Prompt, Target
from k2eval.errors import EngineStopped


@dataclass(slots=True)
class Trace:
    """One request's timings, in seconds of one clock."""

    started: float
    arrivals: list[float] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0
    error: str | None = None
    sizes: list[int] = field(default_factory=list)
    """Tokens of the piece that came at each arrival."""


async def put(load: Load, target: Target, prompts: Sequence[Prompt]) -> list[Trace]:
    """Put a load on a target; a failed request is a trace with its error.

    Args:
        load: The way in which requests come.
        target: The engine or server that answers.
        prompts: Taken in turn, again from the start if there are fewer prompts than requests.

    Raises:
        EngineStopped: If the engine died.
    """
    chosen = [prompts[number % len(prompts)] for number in range(load.requests)]
    if load.concurrency:
        return await _keep_full(load, target, chosen)
    return await _let_arrive(load, target, chosen)


async def _keep_full(load: Load, target: Target, prompts: Sequence[Prompt]) -> list[Trace]:
    traces: list[Trace] = []
    queue = iter(prompts)

    async def worker() -> None:
        for prompt in queue:
            traces.append(await _trace(load, target, prompt))

    await asyncio.gather(*(worker() for _ in range(min(load.concurrency or 1, len(prompts)))))
    return traces


async def _let_arrive(load: Load, target: Target, prompts: Sequence[Prompt]) -> list[Trace]:
    draw = random.Random(load.seed)
    tasks: list[asyncio.Task[Trace]] = []
    due = time.perf_counter()
    for prompt in prompts:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(_trace(load, target, prompt)))
        due += draw.expovariate(load.rate or 1.0)
    return list(await asyncio.gather(*tasks))


async def _trace(load: Load, target: Target, prompt: Prompt) -> Trace:
    trace = Trace(time.perf_counter())
    try:
        async for piece in target.stream(prompt, load):
            if piece.tokens:
                trace.arrivals.append(time.perf_counter())
                trace.sizes.append(piece.tokens)
            trace.tokens = piece.total if piece.total is not None else trace.tokens + piece.tokens
            trace.prompt_tokens = piece.prompt_tokens or trace.prompt_tokens
    except EngineStopped:
        raise
    except Exception as error:  # a measurement reports what failed and goes on
        trace.error = f"{type(error).__name__}: {error}"[:300]
    if trace.error is None and not trace.arrivals:
        trace.error = "the answer was empty"
    return trace
