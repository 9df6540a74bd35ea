"""``k2eval speed``: configurations one after the other, each under the same loads."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from k2eval.config import RunConfig, load_config
from k2eval.engines import Load, Prompt, Target
from k2eval.engines.vllm import kept_on_failure
from k2eval.errors import ConfigError
from k2eval.protocols import NO_PROTOCOL
from k2eval.records import Message, digest
from k2eval.speed.figures import Figures, figures_of
from k2eval.speed.load import put
from k2eval.speed.memory import Peak, watch
from k2eval.speed.report import print_tables, write
from k2eval.statistics import subtract_counts
from k2eval.system import terminal
from k2eval.tasks import load_questions, load_tasks, task_files

N = TypeVar("N", int, float)
WARM_UP = 2
"""Number of requests before the first load: kernels, graphs and connections are made on first use."""


@dataclass(frozen=True, slots=True)
class SpeedOptions:
    """The options of ``k2eval speed``."""

    configs: tuple[tuple[str, RunConfig], ...]
    """Titles with their configurations."""
    loads: tuple[Load, ...]
    task: str | None = None
    """Ask this task's questions instead of random prompts."""
    out: Path | None = None


def configurations(
    files: Sequence[Path],
    flags: dict[str, Any],
    sets: Sequence[str],
    endpoint: str | None,
) -> tuple[tuple[str, RunConfig], ...]:
    """Return one configuration per YAML file, or one from flags alone; flags and ``--set`` apply to all.

    Raises:
        ConfigError: If a file is wrong, or no model is named.
    """
    # A run needs these settings, a measurement does not.
    unused = {"tasks": "none", "out": Path()}
    if endpoint:
        sets = ["engine.kind=endpoint", f"engine.base_url={endpoint}", *sets]
    configs = []
    for file in files or (None,):
        settings = unused | {key: value for key, value in flags.items() if value is not None}
        if endpoint and settings.get("model") is None and file is None:
            settings["model"] = "default"
        config = load_config(file=file, flags=settings, sets=sets, task_names=task_files())
        title = file.stem if file else (config.speculative or {}).get("method") or Path(config.model).name
        configs.append((str(title), config))
    titles = [title for title, _ in configs]
    if len(set(titles)) < len(titles):
        configs = [(str(file), config) for file, (_, config) in zip(files, configs, strict=True)]
    return tuple(configs)


def numbers(text: str, kind: type[N]) -> list[N]:
    """Parse positive numbers separated by commas.

    >>> numbers("1, 16,64", int)
    [1, 16, 64]

    Raises:
        ConfigError: If a part is not a positive number.
    """
    parsed: list[N] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            number = kind(part)
        except ValueError:
            number = kind(0)
        if not number > 0:
            raise ConfigError(
                f"Expected positive numbers separated by commas, such as 1,16,64, got {text!r}."
            )
        parsed.append(number)
    return parsed


def loads(
    concurrency: Sequence[int],
    rates: Sequence[float],
    *,
    requests: int | None,
    input_tokens: int,
    output_tokens: int,
    temperature: float,
    ignore_eos: bool,
    seed: int = 0,
) -> tuple[Load, ...]:
    """Return the loads of a measurement, in order; without ``requests``, four rounds of each level and at least 8."""
    common = Load(requests or 0, output_tokens, input_tokens, None, None, temperature, ignore_eos, seed)
    levels = [
        replace(common, concurrency=level, requests=requests or max(8, 4 * level)) for level in concurrency
    ]
    arrivals = [replace(common, rate=rate, requests=requests or max(16, round(20 * rate))) for rate in rates]
    if not levels and not arrivals:
        raise ConfigError("Nothing to measure: give --concurrency 1,16 or --rate 2.")
    return (*levels, *arrivals)


def temperature_of(given: float | None, task: str | None, config: RunConfig) -> float:
    """Return the temperature of a measurement: the one that was given, that of the protocol, or 1.0.

    Args:
        given: The temperature that the user names; None for none.
        task: The task whose questions are asked; None for random prompts.
        config: The configuration, which may name a protocol.
    """
    overrides = config.overrides_of(task) if task else None
    if given is not None or task is None or overrides is None or overrides.protocol in (None, NO_PROTOCOL):
        return 1.0 if given is None else given
    [loaded] = load_tasks([task], {task: overrides}, config.include_path)
    return loaded.sampling.temperature


def speed_command(options: SpeedOptions) -> int:
    """Measure, write and print; return 1 if a request failed."""
    console = terminal()
    measured: list[Figures] = []
    for title, config in options.configs:
        measured += asyncio.run(measure(title, config, options, console))
    paths: Sequence[Path] = ()
    try:
        if options.out:
            paths = write(measured, options.out, "k2eval " + shlex.join(sys.argv[1:]))
    finally:  # what was measured is shown even if no file can be written
        print_tables(measured, console)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return int(any(figures.failed for figures in measured))


async def measure(title: str, config: RunConfig, options: SpeedOptions, console: Console) -> list[Figures]:
    """Return the figures of one configuration under each load."""
    questions = questions_of(options.task, config) if options.task else []
    measured: list[Figures] = []
    local = config.engine.kind == "vllm"
    console.print(f"[bold]{title}[/]: {config.model}, starting", soft_wrap=True)
    log = options.out.with_name(options.out.name + ".engine.log") if options.out else None
    with watch() as peak, kept_on_failure(log) as file:
        async with _target(config, file) as target:
            await warm_up(options.loads[0], target, questions)
            for load in options.loads:
                console.print(f"  {load.title}: {load.requests} requests", highlight=False)
                measured.append(await under(load, title, target, questions, peak if local else None))
    return measured


async def warm_up(load: Load, target: Target, questions: list[tuple[Message, ...]]) -> None:
    """Have a target answer a little, as the first load is to find everything in place."""
    await put(
        replace(load, concurrency=WARM_UP, rate=None, requests=WARM_UP, output_tokens=8),
        target,
        _prompts(load, questions, "warm up", WARM_UP),
    )


async def under(
    load: Load, title: str, target: Target, questions: list[tuple[Message, ...]], peak: Peak | None
) -> Figures:
    """Return the figures of one load on a target.

    Args:
        load: The load.
        title: The configuration's title.
        target: The engine or server.
        questions: Questions to ask in place of random prompts; none for these.
        peak: Memory under observation, if any.
    """
    await target.refresh()
    before = await target.speculation()
    traces = await put(load, target, _prompts(load, questions, load.title, load.requests))
    drafted = subtract_counts(await target.speculation(), before)
    memory = {"gpu_gib": peak.gpu_gib, "rss_gib": peak.rss_gib} if peak else {}
    return figures_of(title, load, traces, speculation=drafted, **memory)


def _prompts(load: Load, questions: list[tuple[Message, ...]], label: str, count: int) -> list[Prompt]:
    """Return prompts: the same for every configuration, different ones for every load."""
    seeds = [int(digest(load.seed, label, number)[:8], 16) for number in range(count)]
    if not questions:
        return [Prompt(tokens=load.input_tokens, seed=seed) for seed in seeds]
    return [Prompt(messages=questions[n % len(questions)], seed=seed) for n, seed in enumerate(seeds)]


def questions_of(task: str, config: RunConfig) -> list[tuple[Message, ...]]:
    """Return the questions of a task as they are asked."""
    [loaded] = load_tasks([task], {task: config.overrides_of(task)}, config.include_path)
    questions = load_questions(loaded, data=config.data, limit=config.limit)
    return [question.messages for question in questions.questions()]


@asynccontextmanager
async def _target(config: RunConfig, log: Path | None) -> AsyncIterator[Target]:
    if config.engine.kind == "vllm":
        from k2eval.engines.vllm import Probe, VllmEngine

        async with Probe(VllmEngine(config.model, config.engine.arguments, config.speculative, log)) as probe:
            yield probe
    elif config.engine.kind == "endpoint":
        from k2eval.engines.endpoint import ServedProbe

        arguments = dict(config.engine.arguments)
        url = arguments.get("base_url")
        if not isinstance(url, str) or "," in url:
            raise ConfigError(
                f"Expected one server's base URL to measure, got {url!r}: --endpoint http://host:8000/v1."
            )
        model = None if config.model == "default" else config.model
        async with ServedProbe(url, model, str(arguments.get("api_key_env") or "OPENAI_API_KEY")) as served:
            yield served
    else:
        raise ConfigError(
            f"Speed is measured of vllm or of an endpoint, not of the {config.engine.kind} engine."
        )
