"""Commands that decide: what runs will show, and which checkpoint is better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from k2eval.cli import completion
from k2eval.cli.options import (
    COMPARE,
    RUN,
    ConfigOption,
    DataOption,
    EngineOption,
    IncludeOption,
    LimitOption,
    ProtocolOption,
    RecipeOption,
    SeedOption,
    SetOption,
    to_path,
)
from k2eval.errors import ConfigError
from k2eval.system import real_path, terminal

if TYPE_CHECKING:
    from k2eval.decide import Bench


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (power, race):
        app.command(rich_help_panel=COMPARE)(command)


def power(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=to_path,
            metavar="RUN",
            help="Run to learn the noise from: a pilot or an earlier checkpoint. Two runs tell it better. "
            "[default: a guess by --mean and --spread]",
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            autocompletion=completion.tasks_list,
            help="Tasks to plan for, separated by commas. [default: those of the runs]",
        ),
    ] = None,
    difference: Annotated[
        float,
        typer.Option(min=0.01, max=100.0, metavar="POINTS", help="The difference that you want to see."),
    ] = 3.0,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Repeats of every question. [default: those of the run or task]"
        ),
    ] = None,
    mean: Annotated[
        float,
        typer.Option(min=0.0, max=100.0, metavar="PERCENT", help="Without a run: the score that you expect."),
    ] = 50.0,
    spread: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=50.0,
            metavar="POINTS",
            help="Without a run: the standard deviation of the questions' own scores.",
        ),
    ] = 30.0,
    tokens: Annotated[
        float | None,
        typer.Option(min=1.0, max=1e12, metavar="N", help="Without a run: tokens of one answer."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=1e12, metavar="TOKENS/S", help="Speed of your machine. [default: that of the run]"
        ),
    ] = None,
    include_path: IncludeOption = None,
) -> None:
    """Tell which difference between two runs will show, and how many repeats, tokens and hours another one takes."""
    names = [name.strip() for name in (tasks or "").split(",") if name.strip()]
    guess = mean / 100, spread / 100, tokens
    raise typer.Exit(
        power_command(runs or [], names, difference / 100, repeats, guess, speed, include_path or [])
    )


def power_command(
    runs: Sequence[Path],
    tasks: Sequence[str],
    difference: float,
    repeats: int | None,
    guess: tuple[float, float, float | None],
    speed: float | None,
    include: Sequence[Path] = (),
) -> int:
    """Carry out ``k2eval power``."""
    from k2eval.cli.show import print_table
    from k2eval.decide import EXPLANATION, benches_of, power_of, power_table
    from k2eval.leaderboard import load_runs

    if runs:
        if len({real_path(run) for run in runs}) < len(runs):
            raise ConfigError(
                f"Expected two different runs, got {runs[0]} twice. Name one of them, or another one."
            )
        loaded = load_runs(runs)
        benches = benches_of(loaded, tasks)
        speed = speed or loaded[0].info.tokens_per_s
    else:
        benches = _guessed(tasks, guess, include)
    lines = [power_of(bench, difference, repeats, speed) for bench in benches]
    console = terminal()
    print_table(*power_table(lines), console)
    for line in lines:
        console.print(f"{line.bench.title}: {line.advice}", soft_wrap=True, highlight=False, markup=False)
    console.print(EXPLANATION, style="dim", soft_wrap=True, highlight=False)
    return 0


def _guessed(
    tasks: Sequence[str], guess: tuple[float, float, float | None], include: Sequence[Path]
) -> list[Bench]:
    from k2eval.decide import Bench
    from k2eval.statistics import PairNoise
    from k2eval.tasks import load_tasks

    if not tasks:
        raise ConfigError(
            "Expected a run to learn from, or --tasks to guess for, got neither. Name one of them."
        )
    mean, spread, tokens = guess
    if spread**2 > mean * (1 - mean):
        most = 100 * (mean * (1 - mean)) ** 0.5
        raise ConfigError(
            f"--spread: expected at most {most:.3g} points for questions with a mean of {100 * mean:.3g} %, got "
            f"{100 * spread:.3g}. Give a smaller --spread."
        )
    loaded = load_tasks(tasks, include=include)
    unknown = [task.name for task in loaded if not task.spec.questions]
    if unknown:
        raise ConfigError(
            f"{', '.join(unknown)}: expected tasks that say how many questions they have, got none. Run a pilot, and "
            "name its directory."
        )
    noise = PairNoise.of_chances(mean, spread)
    return [
        Bench(
            task.spec.title or task.name,
            task.spec.questions or 0,
            task.repeats,
            noise,
            "a guess",
            float("nan") if tokens is None else tokens,
        )
        for task in loaded
    ]


def race(
    contestants: Annotated[
        list[str],
        typer.Argument(
            metavar="A B…",
            help="Contestants: run directories, checkpoints, MODEL@URL for a server, or YAML files of settings; "
            "NAME=… gives one a name.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            help="Folder of the run directories that the race makes, one a contestant.",
        ),
    ] = None,
    estimand: Annotated[
        Literal["these", "like-these"],
        typer.Option(
            help="What the differences are about: these questions (only answers are random), or questions like these."
        ),
    ] = "like-these",
    equivalent: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=100.0,
            metavar="POINTS",
            help="Also decide for “equivalent within ± POINTS”. [default: do not]",
        ),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, help="Chance of any false decision, over all looks and pairs."),
    ] = 0.05,
    looks: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Looks over the whole budget.")
    ] = 32,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare each with each. [default: each with the first]")
    ] = False,
    macro: Annotated[
        bool,
        typer.Option(
            "--macro", help="Decide about the mean of the benchmarks. [default: about each of them]"
        ),
    ] = False,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            autocompletion=completion.tasks_list,
            rich_help_panel=RUN,
            help="Tasks to race on, separated by commas. [default: those that all runs share]",
        ),
    ] = None,
    protocol: ProtocolOption = None,
    recipe: RecipeOption = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=RUN,
            help="Repeats of every question in the whole budget. [default: each task's own number]",
        ),
    ] = None,
    limit: LimitOption = None,
    seed: SeedOption = None,
    engine: EngineOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
) -> None:
    """Find out which contestant is better, and generate no more than it takes: a look after each batch of samples."""
    from k2eval.cli.racing import race_command
    from k2eval.decide import Rules
    from k2eval.statistics import Estimand

    rules = Rules(
        estimand=Estimand.THESE if estimand == "these" else Estimand.LIKE_THESE,
        alpha=alpha,
        margin=None if equivalent is None else equivalent / 100,
        looks=looks,
        all_pairs=all_pairs,
        macro=macro,
        seed=seed or 0,
    )
    flags = {
        "tasks": tasks, "protocol": protocol, "recipe": recipe, "repeats": repeats, "limit": limit, "seed": seed,
        "data": data,
        "include_path": tuple(include_path) if include_path else None,
    }  # fmt: skip
    raise typer.Exit(race_command(contestants, rules, out, config, flags, engine, set_ or []))
