"""Measure two sides: whole runs in turn, each round in a fresh process."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines import Engine, EngineInfo
from k2eval.journal import read_run
from k2eval.records import Generation, Request
from k2eval.testing import make_tiny_checkpoint

ROOT = Path(__file__).resolve().parent.parent
Result = dict[str, float]
"""``seconds``, ``tokens``, and whatever else a side has to say."""


def add_options(parser: argparse.ArgumentParser, sides: Sequence[str], rounds: int) -> None:
    """Add ``--rounds``, and the options of a process that measures one side."""
    parser.set_defaults(sides=tuple(sides))
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--side", choices=sides, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)


def two_sides(
    parser: argparse.ArgumentParser,
    module: str,
    one_side: Callable[[argparse.Namespace], Result],
    names: Sequence[str],
    prepare: Callable[[Path], Path | None] = lambda scratch: None,
) -> dict[str, list[Result]] | None:
    """Measure both sides in turn, or one of them if this process was told to.

    Args:
        parser: The parser of the benchmark's options, with those of `add_options`.
        module: The module that each process runs, with ``--side``.
        one_side: Function that measures the side of ``options.side``; its result is printed as the last line.
        names: Options that a process needs.
        prepare: Function that fills the scratch folder before the first round and returns the folder of tasks, if any.

    Returns:
        The results of all rounds by side; None in a process that measured one side.
    """
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options)))
        return None
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        if options.model is None:
            options.model = make_tiny_checkpoint(options.scratch / "model")
        return alternate(module, options.sides, options, names, prepare(options.scratch))


def alternate(
    module: str,
    sides: Sequence[str],
    options: argparse.Namespace,
    names: Sequence[str],
    tasks: Path | None = None,
) -> dict[str, list[Result]]:
    """Return the results of all rounds by side, and print a line for each.

    Args:
        module: The module that each process runs, with ``--side``; it prints its result as its last line.
        sides: The sides in the order of every second round; the other rounds reverse it.
        options: The options, with ``rounds`` and those of ``names``.
        names: Options that a process needs.
        tasks: The folder of tasks, if it is not the project's.
    """
    environment = {"K2EVAL_TASKS": str(tasks)} if tasks else {}
    results: dict[str, list[Result]] = {side: [] for side in sides}
    for number in range(options.rounds):
        for side in sides if number % 2 else reversed(sides):
            result = _in_process(module, side, options, names, environment)
            results[side].append(result)
            print(
                f"round {number + 1} {side}: {result['tokens']:,.0f} tokens in {result['seconds']:.2f} s, "
                f"{result['tokens'] / result['seconds']:,.0f} tokens/s",
                flush=True,
            )
    return results


def seconds_per_token(results: Sequence[Result]) -> float:
    """Return the median of seconds per output token over rounds."""
    return statistics.median(result["seconds"] / result["tokens"] for result in results)


def _in_process(
    module: str, side: str, options: argparse.Namespace, names: Sequence[str], environment: Mapping[str, str]
) -> Result:
    command = [sys.executable, "-m", module, "--side", side]
    for name in (*names, "scratch"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


class Around:
    """An engine that hands on to another one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.capacity = engine.capacity

    async def __aenter__(self) -> Self:
        await self.engine.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.engine.__aexit__(kind, error, trace)

    @property
    def info(self) -> EngineInfo:
        """That of the engine inside."""
        return self.engine.info

    async def generate(self, request: Request) -> Generation:
        """Answer one request."""
        return await self.engine.generate(request)


def run(config: RunConfig, around: Callable[[Engine], Engine] | None = None) -> Result:
    """Make a whole run, with journal and grading; ``seconds`` is from the first request to the last verdict."""
    from k2eval.engines import open_engines
    from k2eval.run import Runner

    engines = open_engines(config)
    if around:
        engines["solver"] = around(engines["solver"])
    asyncio.run(Runner(config, engines, Console(file=io.StringIO())).run())
    [session] = read_run(config.out).sessions
    return {
        "seconds": session.work_s,
        "tokens": session.generated_tokens,
        "generations": session.generated,
    }
