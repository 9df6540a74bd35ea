"""Measure what a checkpoint costs that takes over a running engine, against one that starts it: ``make bench-swap``.

Both checkpoints are started fresh first and answer a greedy probe. Then the first one starts again and hands its engine
to the second, which hands it back. Their answers must be those of the fresh starts, byte for byte. The last line is the
longest swap as a share of the shortest start.

On a GPU, with the small checkpoints grown to a shape of Qwen2.5 (15 GB each for 7b)::

    python -m benchmarks.swap --shape 7b --scratch /dev/shm/swap --set max_model_len=8192
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks.expand import SHAPES, Expansion
from k2eval.engines.vllm import VllmEngine
from k2eval.records import Message, Request, Sampling
from k2eval.system import terminal

QUESTIONS = 32
WORDS = "Think step by step, and give the answer in a box. " * 40
"""Common to all questions and longer than a block of the prefix cache, which old weights must not serve."""


class Answered(NamedTuple):
    """One checkpoint that has answered the probe."""

    seconds: float
    """Time until the engine was ready."""
    texts: tuple[str, ...]
    cached_tokens: int
    """Prompt tokens of the first question that the prefix cache served."""


def question(number: int) -> Request:
    """Return a question of the probe, to be answered greedily."""
    content = f"{WORDS}What is {number + 17} + {3 * number + 8}?"
    return Request(
        key=f"probe-{number}",
        task="probe",
        question_id=str(number),
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content=content),),
        sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=64, stop=()),
        seed=number,
    )


async def answers(engine: VllmEngine, seconds: float) -> Answered:
    """Ask the probe, the first question alone so that the cache is what it was, and the order the same."""
    first = await engine.generate(question(0))
    others = [await engine.generate(question(number)) for number in range(1, QUESTIONS)]
    return Answered(seconds, tuple(one.text for one in (first, *others)), first.cached_tokens)


async def started(model: Path, arguments: Mapping[str, Any], log: Path) -> Answered:
    """Start a checkpoint, ask it, and end it."""
    began = time.perf_counter()
    async with VllmEngine(str(model), arguments, log=log) as engine:
        return await answers(engine, time.perf_counter() - began)


async def swapped(models: tuple[Path, Path], arguments: Mapping[str, Any], log: Path) -> list[Answered]:
    """Start the first checkpoint, and let the second and the first take over its engine."""
    engine = VllmEngine(str(models[0]), arguments, log=log)
    results = []
    await engine.__aenter__()
    try:
        await answers(engine, engine.start_s)
        for model in reversed(models):
            began = time.perf_counter()
            successor = VllmEngine(str(model), arguments, log=log)
            obstacle = successor.obstacle(engine)
            if obstacle:
                raise SystemExit(f"{model} cannot take over the engine of {engine.info.name}: {obstacle}.")
            await successor.take_over(engine)
            engine = successor
            results.append(await answers(engine, time.perf_counter() - began))
    finally:
        await engine.__aexit__(None, None, None)
    return results


def grown(model: Path, shape: str, scratch: Path) -> Path:
    """Return the checkpoint in a larger shape, which is written unless it is there."""
    folder = scratch / f"{model.name}-{shape}"
    if not (folder / "model.safetensors").exists():
        Expansion(model, SHAPES[shape]).write(folder)
    return folder


async def measure(options: argparse.Namespace) -> int:
    """Print the table; return 1 if an answer differs."""
    console = terminal()
    arguments = {
        name: yaml.safe_load(value) for name, _, value in (text.partition("=") for text in options.set)
    }
    models = tuple(
        grown(model, options.shape, options.scratch) if options.shape else model for model in options.models
    )
    first, second = models
    log = options.scratch / "swap.log"
    fresh = {model: await started(model, arguments, log) for model in models}
    if fresh[first].texts == fresh[second].texts:
        raise SystemExit("Both checkpoints give the same answers, so the probe would show nothing.")
    results = await swapped((first, second), arguments, log)
    wrong = 0
    for model, result in zip((second, first), results, strict=True):
        expected = fresh[model]
        differing = sum(a != b for a, b in zip(result.texts, expected.texts, strict=True))
        wrong += differing + result.cached_tokens
        console.print(
            f"{model.name}: start {expected.seconds:.1f} s, swap {result.seconds:.2f} s; {differing} of {QUESTIONS} "
            f"answers differ from those of the start; {result.cached_tokens} tokens were old weights'",
            highlight=False,
            soft_wrap=True,
        )
    share = max(result.seconds for result in results) / min(answered.seconds for answered in fresh.values())
    console.print(f"swap / start: {share:.3f}", highlight=False)
    return int(bool(wrong))


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "models", nargs="*", type=Path, default=[Path("models/nano/sft"), Path("models/nano/rl")]
    )
    parser.add_argument("--shape", choices=SHAPES, help="grow both checkpoints to this shape first")
    parser.add_argument(
        "--scratch", type=Path, default=Path("build/swap"), help="folder for these and for the log"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an engine argument of vLLM"
    )
    options = parser.parse_args()
    if len(options.models) != 2:
        parser.error("expected two checkpoints")
    options.scratch.mkdir(parents=True, exist_ok=True)
    code = asyncio.run(measure(options))
    sys.stdout.flush()
    os._exit(code)  # without tearing down vLLM, which takes seconds


if __name__ == "__main__":
    main()
