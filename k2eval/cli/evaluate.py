"""Commands that evaluate: ``run``, ``grade`` and ``score``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k2eval.cli import completion
from k2eval.cli.options import (
    DATA,
    EVALUATE,
    MODEL,
    RUN,
    WORK,
    BudgetOption,
    ClusterOption,
    DataOption,
    EffortOption,
    IncludeOption,
    ModelOption,
    ReasoningOption,
    ReplicasOption,
    RunArgument,
    SetOption,
    SpeculativeOption,
    SystemOption,
    ThinkingOption,
    to_path,
)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (run, grade, score):
        app.command(rich_help_panel=EVALUATE)(command)


def run(
    model: ModelOption = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            autocompletion=completion.tasks_list,
            rich_help_panel=RUN,
            help="Tasks to evaluate, separated by commas. `k2eval tasks` lists them.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.recipe,
            rich_help_panel=RUN,
            help="Recipe of each response. `k2eval recipes` lists the recipes. [default: plain]",
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=RUN,
            help="Ask every question N times, independently. [default: each task's own number]",
        ),
    ] = None,
    runs: Annotated[int | None, typer.Option(min=1, hidden=True)] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            rich_help_panel=RUN,
            help="Directory to write to. If it already holds this run, the run resumes.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            rich_help_panel=RUN,
            help="YAML file with these settings. Options on the command line take precedence.",
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=DATA,
            help="Evaluate only the first N questions of each task. [default: all]",
        ),
    ] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(
            parser=to_path,
            metavar="RUN",
            rich_help_panel=DATA,
            help="Run directory whose generations are used again if they answer the same requests. May be given "
            "several times.",
        ),
    ] = None,
    lengths_from: Annotated[
        list[Path] | None,
        typer.Option(
            parser=to_path,
            metavar="RUN",
            rich_help_panel=RUN,
            help="Run directory that tells which questions take long, so that they are asked early. Another checkpoint "
            "or recipe will do. Scores do not depend on it. May be given several times.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            rich_help_panel=RUN,
            help="Seed from which the seed of every request derives. [default: 0]",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            autocompletion=lambda incomplete: [kind for kind in KINDS if kind.startswith(incomplete)],
            rich_help_panel=MODEL,
            help="Engine that answers: vllm in this process, endpoint for a server, or scripted for tests. "
            "[default: vllm]",
        ),
    ] = None,
    replicas: ReplicasOption = None,
    cluster: ClusterOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=WORK,
            help="Number of processes that grade. [default: cores - 1, at most 32]",
        ),
    ] = None,
    reasoning: ReasoningOption = None,
    speculative: SpeculativeOption = None,
    system: SystemOption = None,
    thinking: ThinkingOption = None,
    reasoning_effort: EffortOption = None,
    thinking_budget: BudgetOption = None,
    track: Annotated[
        Literal["wandb", "trackio"] | None,
        typer.Option(
            rich_help_panel=WORK,
            help="Send progress and scores to this service too. If the service fails, the run continues.",
        ),
    ] = None,
    set_: SetOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            rich_help_panel=RUN,
            help="Check tasks, questions, checkpoint and access, and show the size of the run. Starts no engine, and "
            "writes nothing but the cache of the hub.",
        ),
    ] = False,
) -> None:
    """Ask questions, grade the answers, and keep everything in a run directory."""
    from k2eval.cli.commands import dry_run_command, reasoning_setting, run_command

    if runs is not None:
        warnings.warn("--runs is now called --repeats; the old name still works.", stacklevel=1)
    flags: dict[str, Any] = {
        "model": model, "tasks": tasks, "recipe": recipe, "repeats": repeats if repeats is not None else runs,
        "out": out, "data": data, "limit": limit, "seed": seed, "workers": workers, "speculative": speculative,
        "system": system, "thinking": thinking, "reasoning_effort": reasoning_effort,
        "thinking_budget": thinking_budget,
        "reasoning": reasoning_setting(reasoning),
        "reuse": tuple(reuse) if reuse else None, "lengths_from": tuple(lengths_from) if lengths_from else None,
        "include_path": tuple(include_path) if include_path else None,
    }  # fmt: skip
    fleet = {"replicas": replicas, "cluster": cluster}
    pairs = [*(set_ or []), *(f"fleet.{name}={value}" for name, value in fleet.items() if value is not None)]
    if dry_run:
        raise typer.Exit(dry_run_command(config, flags, engine, pairs))
    raise typer.Exit(run_command(config, flags, engine, pairs, track))


KINDS = ("vllm", "endpoint", "scripted")


def grade(
    run: RunArgument,
    data: DataOption = None,
    include_path: IncludeOption = None,
    reasoning: ReasoningOption = None,
) -> None:
    """Grade a run again from its stored generations, without an engine."""
    from k2eval.cli.commands import grade_command

    raise typer.Exit(grade_command(run, data, include_path or [], reasoning))


def score(
    responses: Annotated[
        Path,
        typer.Argument(
            parser=to_path,
            metavar="RESPONSES",
            help='File of JSON lines, each {"question_id", "response"} with --task or {"gold", "response"} with '
            "--grader.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=to_path, metavar="FILE", help="File to write the graded responses to, as JSON lines."
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.task,
            help="Task that the ids of the questions belong to.",
        ),
    ] = None,
    grader: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Grader for responses with their own gold answers: math or choice."
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TASK.KEY=VALUE",
            help="Set an option of the task, such as livecodebench.release=v5.",
        ),
    ] = None,
    reasoning: ReasoningOption = None,
) -> None:
    """Grade responses that were made elsewhere."""
    from k2eval.cli.commands import score_command

    raise typer.Exit(
        score_command(responses, out, task, grader, data, set_ or [], include_path or [], reasoning)
    )
