"""Commands that measure: how fast a model answers, and whether speculative decoding is lossless."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from k2eval.cli.options import DataOption, SpeculativeOption


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(speed)
    app.command(name="spec-check")(spec_check)


def speed(
    model: Annotated[
        str | None, typer.Option(help="Checkpoint folder, hub name, or a served model's name.")
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option(help="YAML file as for `run`; several are compared with the first.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Measure this server, such as http://localhost:8000/v1.")
    ] = None,
    speculative: SpeculativeOption = None,
    concurrency: Annotated[
        str, typer.Option(metavar="N,…", help="Requests in flight, one load each.")
    ] = "1,16",
    rate: Annotated[
        str, typer.Option(metavar="X,…", help="Requests per second (Poisson), one load each.")
    ] = "",
    requests: Annotated[
        int | None, typer.Option(min=1, help="Requests per load. [default: four rounds, at least 8]")
    ] = None,
    input_tokens: Annotated[int, typer.Option(min=1, help="Length of the random prompts.")] = 128,
    output_tokens: Annotated[int, typer.Option(min=2, help="Length of the answers.")] = 256,
    task: Annotated[
        str | None, typer.Option(help="Ask this task's questions instead of random prompts.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.0)] = 1.0,
    natural_end: Annotated[
        bool, typer.Option("--natural-end", help="Let answers end where the model ends them.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Path of CSV, Markdown and plot without suffix.")] = None,
    data: DataOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting.")
    ] = None,
) -> None:
    """Measure how fast a model answers, alone or side by side with other configurations."""
    from k2eval.speed.command import SpeedOptions, configurations, loads, numbers, speed_command

    flags: dict[str, Any] = {"model": model, "speculative": speculative, "data": data}
    levels = loads(
        numbers(concurrency, int), numbers(rate, float), requests=requests, input_tokens=input_tokens,
        output_tokens=output_tokens, temperature=temperature, ignore_eos=not natural_end,
    )  # fmt: skip
    configs = configurations(config or [], flags, set_ or [], endpoint)
    raise typer.Exit(speed_command(SpeedOptions(configs, levels, task, out)))


def spec_check(
    model: Annotated[str | None, typer.Option(help="Checkpoint folder or hub name.")] = None,
    speculative: SpeculativeOption = None,
    tasks: Annotated[str, typer.Option(help="Tasks whose questions are the prompts.")] = "smoke",
    samples: Annotated[int, typer.Option(min=1, help="Answers to each prompt at temperature 1.")] = 4,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 256,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions of each task.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file as for `run`; flags win over it.")] = None,
    data: DataOption = None,
    log: Annotated[Path | None, typer.Option(help="File for what the engines print.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting.")
    ] = None,
) -> None:
    """Check that speculative decoding changes nothing but the speed; exit code 1 when it does."""
    from k2eval.config.run import load_config
    from k2eval.speed.spec_check import spec_check_command
    from k2eval.tasks.task import task_files

    flags: dict[str, Any] = {
        "model": model, "speculative": speculative, "tasks": tasks, "limit": limit, "data": data, "out": Path(),
    }  # fmt: skip
    settings = load_config(file=config, flags=flags, sets=set_ or [], task_names=task_files())
    raise typer.Exit(spec_check_command(settings, samples, max_tokens, log))
