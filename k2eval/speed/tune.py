"""``k2eval speed --tune``: for how many running requests a draft pays on this machine."""

from __future__ import annotations

import asyncio
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from k2eval.config import WHEN, RunConfig, schedule_in
from k2eval.engines import Load, pinned_draft
from k2eval.engines.vllm import (
    EVER,
    Level,
    VllmEngine,
    check_checkpoints,
    in_words,
    is_cpu,
    refuse_schedule,
    schedule_file,
    vllm_version,
    write_schedule,
)
from k2eval.errors import ConfigError
from k2eval.speed.command import SpeedOptions, measure
from k2eval.speed.figures import Figures
from k2eval.speed.report import print_tables, write
from k2eval.system import terminal


def tune_command(options: SpeedOptions) -> int:
    """Measure each number of drafted tokens at each number of requests, and keep the schedule.

    Raises:
        ConfigError: If there is nothing to tune, vLLM cannot draft so by a schedule, or there is no place for the
            result.
    """
    [(_, config), *more] = options.configs
    tokens = _tokens(config)
    if more:
        raise ConfigError(
            f"Expected one configuration to tune, got {len(options.configs)}. Give one --config."
        )
    loads = tuple(dict.fromkeys(options.loads))
    _check_loads(loads)
    if options.task:  # behind the end of an answer a draft guesses worse than it ever does in a run
        loads = tuple(replace(load, ignore_eos=False) for load in loads)
    options = replace(options, loads=loads)
    console = terminal()
    speculative = pinned_draft(config.speculative) or {}  # as a run names it
    base = {key: value for key, value in speculative.items() if key != WHEN}
    # All that can be refused is refused before anything is measured.
    check_checkpoints(config.model, base, config.engine.arguments)
    refuse_schedule(base, config.engine.arguments, vllm_version())
    measured: dict[int | None, list[Figures]] = {}
    for number in (None, 0, *tokens):
        # Drafts are measured as they will be made: by a schedule, which changes how vLLM works.
        changed = None if number is None else {**base, WHEN: [[1, EVER, number]]}
        title = "plain" if number is None else f"{number or 'none'} drafted"
        measured[number] = asyncio.run(
            measure(title, config.model_copy(update={"speculative": changed}), options, console)
        )
    figures = [each for row in measured.values() for each in row]
    paths = write(figures, options.out, "k2eval " + shlex.join(sys.argv[1:])) if options.out else ()
    print_tables(figures, console)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    if any(each.failed for each in figures):
        console.print("No schedule was kept, since requests failed. Tune again.", highlight=False)
        return 1
    levels = levels_of([load.concurrency or 1 for load in options.loads], measured)
    fingerprint = VllmEngine(config.model, config.engine.arguments).info.fingerprint
    try:
        path = schedule_file(fingerprint, base, vllm_version(), is_cpu())
        names = {"model": config.model, "draft": str(base.get("model", base.get("method", "")))}
        schedule = write_schedule(path, levels, names)
    except OSError as error:
        raise ConfigError(
            f"Cannot keep the schedule: {error}. Set XDG_CACHE_HOME to another place."
        ) from error
    console.print(f"Drafts {in_words(schedule)}.", soft_wrap=True, highlight=False)
    console.print(f"Wrote {path}, for --speculative …,when=auto", soft_wrap=True, highlight=False)
    return 0


def _check_loads(loads: Sequence[Load]) -> None:
    for load in loads:
        if load.concurrency is None:
            raise ConfigError(
                "Expected numbers of requests in flight to tune for, got a rate. Leave --rate out."
            )
        if load.requests < load.concurrency:
            raise ConfigError(
                f"Expected at least as many requests as are to be in flight, got {load.requests} for "
                f"{load.concurrency} at a time. Raise --requests, or leave it out."
            )


def _tokens(config: RunConfig) -> list[int]:
    """Return the numbers of drafted tokens to measure: the one that is set, and half of it."""
    tokens = (config.speculative or {}).get("num_speculative_tokens")
    if config.engine.kind != "vllm" or not isinstance(tokens, int):
        raise ConfigError(
            "Expected speculation of vLLM in this process to tune, with its number of tokens, such as --speculative "
            f"draft=PATH,tokens=3; got {config.speculative} with the {config.engine.kind} engine."
        )
    if schedule_in([[1, EVER, tokens]]) is None:
        raise ConfigError(
            f"Expected a number of tokens that a schedule may ask for, 1 to 64, got {tokens}. Give fewer tokens."
        )
    return sorted({tokens, math.ceil(tokens / 2)}, reverse=True)


def levels_of(requests: Sequence[int], measured: Mapping[int | None, Sequence[Figures]]) -> list[Level]:
    """Return the speeds by the number of requests, while that number was in flight.

    The end of a load, where places run empty, says nothing about its number of requests: drafts gain there.

    Args:
        requests: Requests in flight of each load.
        measured: Figures of each load by the number of drafted tokens; None for those without speculation.
    """
    levels = []
    for place, number in enumerate(requests):
        plain = _speed(measured[None][place])
        drafted = {tokens: _speed(each[place]) for tokens, each in measured.items() if tokens is not None}
        if 0 in drafted:  # it does all that plain does, so whatever it has beyond that is noise
            drafted[0] = min(drafted[0], plain)
        levels.append(Level(number, plain, drafted))
    return levels


def _speed(figures: Figures) -> float:
    full = figures.tokens_per_s_full
    return figures.tokens_per_s if math.isnan(full) else full
