"""Commands about this machine: its checks, the speed of a model, and the test of speculation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from k2eval.cli import completion
from k2eval.cli.options import (
    DATA,
    MACHINE,
    MODEL,
    BudgetOption,
    DataOption,
    EffortOption,
    IncludeOption,
    ModelOption,
    PromptLanguageOption,
    ProtocolOption,
    ReasoningOption,
    SetOption,
    SpeculativeOption,
    SystemOption,
    ThinkingOption,
    to_path,
)
from k2eval.errors import ConfigError

_LOAD = "Load"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(rich_help_panel=MACHINE)(doctor)
    app.command(name="check-model", rich_help_panel=MACHINE)(check_model)
    app.command(rich_help_panel=MACHINE)(speed)
    app.command(name="spec-check", rich_help_panel=MACHINE)(spec_check)


def doctor(
    data: DataOption = None,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Show every check of the sandbox and every task of the data folder."),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Check each node of this Ray cluster, too; auto is the one that this host belongs to.",
        ),
    ] = None,
) -> None:
    """Check this machine for evaluations: engine, GPU, memory, disk, data, hub, sandbox; and a cluster."""
    from k2eval.cli.doctor import doctor_command

    raise typer.Exit(doctor_command(data, verbose, cluster))


def check_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|URL",
            help="Checkpoint folder, name on the hub, or URL of a server, such as http://host:8000/v1.",
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.recipe,
            help="Recipe whose stages are looked at. [default: the protocol's, else k2]",
        ),
    ] = None,
    protocol: ProtocolOption = None,
    tasks: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            autocompletion=completion.tasks_list,
            help="Tasks that are to be asked: their prompts and lengths count.",
        ),
    ] = "smoke",
    served: Annotated[
        str | None,
        typer.Option(
            "--model",
            "--served",
            metavar="NAME",
            help="Name under which the server serves the model. [default: the first that it lists]",
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    reasoning: ReasoningOption = None,
    system: SystemOption = None,
    prompt_language: PromptLanguageOption = None,
    thinking: ThinkingOption = None,
    reasoning_effort: EffortOption = None,
    thinking_budget: BudgetOption = None,
    set_: SetOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show prompts and answers whole.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show what a model will be asked, and what must be set for it. Takes seconds and starts no engine."""
    from k2eval.cli.check_model import check_model_command
    from k2eval.cli.run_options import reasoning_setting
    from k2eval.config import load_config
    from k2eval.tasks import task_files, task_groups

    flags: dict[str, Any] = {
        "model": model, "recipe": recipe or (None if protocol else "k2"), "protocol": protocol,
        "tasks": tasks, "data": data, "system": system,
        "prompt_language": prompt_language, "thinking": thinking,
        "reasoning_effort": reasoning_effort, "thinking_budget": thinking_budget, "out": Path(), "limit": 1,
        "reasoning": reasoning_setting(reasoning),
        "include_path": tuple(include_path) if include_path else None,
    }  # fmt: skip
    config = load_config(
        file=None, flags=flags, sets=set_ or [], task_names=task_files, task_groups=task_groups
    )
    raise typer.Exit(check_model_command(config, served, verbose, as_json))


def speed(
    model: ModelOption = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            rich_help_panel=MODEL,
            help="YAML file as for `k2eval run`. Give several to compare them with the first.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            rich_help_panel=MODEL,
            help="Measure this server, such as http://localhost:8000/v1.",
        ),
    ] = None,
    speculative: SpeculativeOption = None,
    concurrency: Annotated[
        str,
        typer.Option(
            metavar="N,…",
            rich_help_panel=_LOAD,
            help="Numbers of requests in flight. Each number is one load.",
        ),
    ] = "1,16",
    rate: Annotated[
        str,
        typer.Option(
            metavar="X,…",
            rich_help_panel=_LOAD,
            help="Poisson rates in requests per second. Each rate is one load. [default: none]",
        ),
    ] = "",
    requests: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_LOAD,
            help="Number of requests in each load. [default: four rounds, at least 8]",
        ),
    ] = None,
    input_tokens: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", rich_help_panel=_LOAD, help="Length of the random prompts in tokens."
        ),
    ] = 128,
    output_tokens: Annotated[
        int, typer.Option(min=2, metavar="N", rich_help_panel=_LOAD, help="Length of the answers in tokens.")
    ] = 256,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.task,
            rich_help_panel=_LOAD,
            help="Task whose questions to ask instead of random prompts.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.protocol,
            rich_help_panel=_LOAD,
            help="Protocol of others whose prompts and temperature the --task is asked with. [default: k2eval's own]",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="X",
            rich_help_panel=_LOAD,
            help="Temperature of the answers' sampling. [default: the protocol's, else 1.0]",
        ),
    ] = None,
    natural_end: Annotated[
        bool,
        typer.Option(
            "--natural-end",
            rich_help_panel=_LOAD,
            help="Let the model end each answer, instead of asking for exactly --output-tokens.",
        ),
    ] = False,
    start: Annotated[
        bool,
        typer.Option(
            "--start",
            help="Measure where the seconds of a start go, up to the first token, and nothing else.",
        ),
    ] = False,
    break_even: Annotated[
        bool,
        typer.Option(
            "--break-even",
            help="With --start: start eagerly and compiled, measure both with --concurrency, and keep the number of "
            "tokens from which compilation pays. Later runs choose by it.",
        ),
    ] = False,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Measure for how many requests the draft of --speculative pays, and keep that for "
            "--speculative …,when=auto. Give the numbers of requests with --concurrency, and a --task.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Path of CSV, Markdown and a plot, or with --start of JSON, without a suffix. "
            "[default: only print the table]",
        ),
    ] = None,
    data: DataOption = None,
    set_: SetOption = None,
) -> None:
    """Measure the speed of a model's answers, alone or side by side with other configurations."""
    from k2eval.speed import (
        SpeedOptions,
        break_even_command,
        configurations,
        loads,
        numbers,
        speed_command,
        start_command,
        temperature_of,
        tune_command,
    )

    flags: dict[str, Any] = {"model": model, "speculative": speculative, "data": data, "protocol": protocol}
    if protocol is not None and (task is None or start):
        raise ConfigError(
            f"--protocol {protocol} sets how a task is asked, and this measurement asks none. Give a --task without "
            "--start, or leave --protocol out."
        )
    configs = configurations(config or [], flags, set_ or [], endpoint)
    levels = loads(
        numbers(concurrency, int), numbers(rate, float), requests=requests, input_tokens=input_tokens,
        output_tokens=output_tokens, temperature=temperature_of(temperature, task, configs[0][1]),
        ignore_eos=not natural_end,
    )  # fmt: skip
    if break_even and not start:
        raise ConfigError("--break-even compares two starts: give it with --start.")
    if break_even:
        raise typer.Exit(break_even_command(SpeedOptions(configs, levels, task, out)))
    if start:
        raise typer.Exit(start_command(configs[0][1], out))
    if tune:
        raise typer.Exit(tune_command(SpeedOptions(configs, levels, task, out)))
    raise typer.Exit(speed_command(SpeedOptions(configs, levels, task, out)))


def spec_check(
    model: ModelOption = None,
    speculative: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            rich_help_panel=MODEL,
            help="Speculative decoding to check, as for `k2eval run`. Needed here or in the YAML file.",
        ),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            autocompletion=completion.tasks_list,
            rich_help_panel=DATA,
            help="Tasks whose questions are the prompts, separated by commas.",
        ),
    ] = "smoke",
    samples: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of answers to each prompt at temperature 1.")
    ] = 4,
    max_tokens: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of tokens after which an answer is cut.")
    ] = 256,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=DATA,
            help="Use only the first N questions of each task. [default: all]",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            rich_help_panel=MODEL,
            help="YAML file as for `k2eval run`. Options on the command line take precedence.",
        ),
    ] = None,
    data: DataOption = None,
    log: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            help="File for the engines' output. [default: a temporary file, kept if something fails]",
        ),
    ] = None,
    set_: SetOption = None,
) -> None:
    """Check that speculative decoding changes only the speed. Ends with exit code 1 if anything else changes."""
    from k2eval.config import load_config
    from k2eval.speed import spec_check_command
    from k2eval.tasks import task_files

    flags: dict[str, Any] = {
        "model": model, "speculative": speculative, "tasks": tasks, "limit": limit, "data": data, "out": Path(),
    }  # fmt: skip
    settings = load_config(file=config, flags=flags, sets=set_ or [], task_names=task_files())
    raise typer.Exit(spec_check_command(settings, samples, max_tokens, log))
