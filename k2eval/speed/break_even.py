"""``k2eval speed --start --break-even``: how many tokens pay for compilation and graphs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from k2eval.engines.vllm import (
    BreakEven,
    Probe,
    VllmEngine,
    Way,
    break_even_file,
    cache_folders,
    import_engine,
    is_cpu,
    kept_on_failure,
    vllm_version,
    write_break_even,
)
from k2eval.errors import ConfigError
from k2eval.speed.command import SpeedOptions, questions_of, under, warm_up
from k2eval.system import terminal


def break_even_command(options: SpeedOptions) -> int:
    """Start eagerly and compiled, measure both, and keep the break-even for later runs.

    Raises:
        ConfigError: If there is nothing to compare, or no place for the result.
        EngineError: If an engine cannot start.
    """
    [(_, config), *more] = options.configs
    if more or config.engine.kind != "vllm":
        got = f"{len(options.configs)} of them" if more else f"the {config.engine.kind} engine"
        raise ConfigError(
            f"Expected one configuration of vLLM in this process to start both ways, got {got}."
        )
    if any(load.concurrency is None for load in options.loads):
        raise ConfigError(
            "Expected numbers of requests in flight to measure with, got a rate. Leave --rate out."
        )
    set_already = [
        name for name in ("enforce_eager", "compilation_config") if name in config.engine.arguments
    ]
    if set_already:
        raise ConfigError(f"engine.{set_already[0]} is what is measured here, and it is set. Leave it out.")
    console = terminal()
    log = options.out.with_name(f"{options.out.name}.engine.log") if options.out else None
    import_engine()  # else the first start alone would take the time for it
    compiled, engine = _start("compiled", options, console, log, eager=False)
    if engine.filled_caches:
        console.print("  compiled code is in the caches now: once more", highlight=False)
        again, engine = _start("compiled", options, console, log, eager=False, answers=False)
        compiled = Way(again.start_s, compiled.speeds)
    eager, _ = _start("eager", options, console, log, eager=True)
    measured = BreakEven(eager, compiled)
    try:
        path = break_even_file(
            engine.fingerprint, config.engine.arguments, config.speculative, vllm_version(), on_cpu=is_cpu()
        )
    except OSError as error:
        raise ConfigError(
            f"Cannot keep the break-even: {error}. Set XDG_CACHE_HOME to another place."
        ) from error
    write_break_even(path, measured, config.model)
    _print(measured, console)
    console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    if is_cpu():
        console.print(
            "On the CPU every start is eager unless engine.enforce_eager=false is set.", soft_wrap=True
        )
    return 0


class _Started:
    """Facts of an engine that was started."""

    def __init__(self, fingerprint: str, filled_caches: bool) -> None:
        self.fingerprint = fingerprint
        self.filled_caches = filled_caches


def _start(
    title: str,
    options: SpeedOptions,
    console: Console,
    log: Path | None,
    *,
    eager: bool,
    answers: bool = True,
) -> tuple[Way, _Started]:
    [(_, config)] = options.configs
    questions = questions_of(options.task, config) if options.task else []
    console.print(f"[bold]{title}[/]: {config.model}, starting", soft_wrap=True)
    arguments = {**config.engine.arguments, "enforce_eager": eager}

    async def measure(file: Path) -> tuple[Way, _Started]:
        before, speeds = _compiled_files(), {}
        engine = VllmEngine(config.model, arguments, config.speculative, file)
        async with Probe(engine) as probe:
            for load in options.loads if answers else ():
                await warm_up(load, probe, questions)
                console.print(f"  {load.title}: {load.requests} requests", highlight=False)
                figures = await under(load, title, probe, questions, None)
                if not figures.failed:
                    full = figures.tokens_per_s_full  # NaN if a load is too short to be full
                    speeds[load.concurrency or 1] = full if full > 0 else figures.tokens_per_s
        if answers and len(speeds) < len(options.loads):
            raise ConfigError(
                f"Requests failed, so there is nothing to compare. vLLM's own words are in {file}."
            )
        return Way(engine.start_s, speeds), _Started(engine.info.fingerprint, before != _compiled_files())

    with kept_on_failure(log) as file:
        return asyncio.run(measure(file))


def _compiled_files() -> int:
    """Return the number of entries of vLLM's cache of compiled graphs, which a first start adds to."""
    folder = cache_folders()["vLLM's compiled graphs"]
    return sum(1 for _ in folder.rglob("*")) if folder.is_dir() else 0


def _print(measured: BreakEven, console: Console) -> None:
    table = Table(title="Starting eagerly or compiled", title_justify="left", box=SIMPLE)
    table.add_column("")
    for heading in ("eager", "compiled", "break-even, tokens"):
        table.add_column(heading, justify="right")
    table.add_row("start, s", f"{measured.eager.start_s:.1f}", f"{measured.compiled.start_s:.1f}", "")
    for level, speed in measured.eager.speeds.items():
        even = measured.tokens(level)
        table.add_row(
            f"tokens/s at {level}",
            f"{speed:,.0f}",
            f"{measured.compiled.speeds[level]:,.0f}",
            "eager always" if even is None else f"{even:,.0f}",
        )
    console.print(table)
