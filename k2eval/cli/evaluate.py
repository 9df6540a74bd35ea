"""Commands that evaluate: ``run``, ``grade`` and ``score``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from k2eval.cli import completion
from k2eval.cli.options import (
    DATA,
    EVALUATE,
    RUN,
    WORK,
    BudgetOption,
    ClusterOption,
    ConfigOption,
    DataOption,
    EffortOption,
    EngineOption,
    IncludeOption,
    LimitOption,
    MakersRecipeOption,
    ModelOption,
    PromptLanguageOption,
    ProtocolOption,
    ReasoningOption,
    RecipeOption,
    ReplicasOption,
    RunArgument,
    SeedOption,
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
    protocol: ProtocolOption = None,
    recipe: RecipeOption = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=RUN,
            help="Ask every question N times, independently. [default: the protocol's number, else each task's own]",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="±POINTS",
            rich_help_panel=RUN,
            help="Repeat questions until the score of each task is known to ± POINTS on its questions, where repeats "
            "help most. --repeats is then the most for one question. [default: the same number for all]",
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
    config: ConfigOption = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    limit: LimitOption = None,
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
    seed: SeedOption = None,
    engine: EngineOption = None,
    replicas: ReplicasOption = None,
    cluster: ClusterOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=WORK,
            help="Number of processes that grade; with --cluster, those beyond this host's cores are on other nodes. "
            "[default: cores - 1, at most 32; with --cluster, other nodes help if these fall behind]",
        ),
    ] = None,
    reasoning: ReasoningOption = None,
    speculative: SpeculativeOption = None,
    system: SystemOption = None,
    prompt_language: PromptLanguageOption = None,
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
    server: Annotated[
        bool,
        typer.Option(
            "--server/--no-server",
            rich_help_panel=WORK,
            help="Ask the server that `k2eval serve` keeps up, if it has this checkpoint and these settings.",
        ),
    ] = True,
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
    parameters = dict(locals())
    from k2eval.cli.commands import dry_run_command, run_command
    from k2eval.cli.run_options import RunOptions

    options = RunOptions.of(parameters)
    if runs is not None:
        warnings.warn("--runs is now called --repeats; the old name still works.", stacklevel=1)
    if dry_run:
        raise typer.Exit(dry_run_command(options))
    raise typer.Exit(run_command(options))


def grade(
    run: RunArgument,
    data: DataOption = None,
    include_path: IncludeOption = None,
    recipe: MakersRecipeOption = None,
    reasoning: ReasoningOption = None,
) -> None:
    """Grade a run again from its stored generations, without an engine."""
    from k2eval.cli.commands import grade_command

    raise typer.Exit(grade_command(run, data, include_path or [], reasoning, recipe))


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
            metavar="NAME", help="Grader for responses with their own gold answers: math, choice or number."
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
