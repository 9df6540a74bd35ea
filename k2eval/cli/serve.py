"""``k2eval serve``: an engine that stays up between runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from k2eval.cli.options import (
    MACHINE,
    ConfigOption,
    EngineOption,
    ReasoningOption,
    SetOption,
    SpeculativeOption,
    to_seconds,
)


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(rich_help_panel=MACHINE)(serve)


def serve(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="Checkpoint folder or name on the hub. [default: the one of --config]"
        ),
    ] = None,
    config: ConfigOption = None,
    speculative: SpeculativeOption = None,
    reasoning: ReasoningOption = None,
    engine: EngineOption = None,
    set_: SetOption = None,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="N", help="Port of the address 127.0.0.1. [default: any that is free]"
        ),
    ] = 0,
    idle: Annotated[
        float | None,
        typer.Option(
            parser=to_seconds,
            metavar="TIME",
            help="End after this time without a request, such as 30m or 8h. [default: never]",
        ),
    ] = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the servers of MODEL, or all of this user's on this host.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show this user's servers on this host.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --status, print JSON, for programs.")] = False,
) -> None:
    """Keep an engine up between runs. `k2eval run` with the same settings finds it and need not start one."""
    from k2eval.cli.run_options import reasoning_setting
    from k2eval.errors import ConfigError

    if stop and status:
        raise ConfigError("Expected --stop or --status, got both. Give one of them.")
    if stop:
        raise typer.Exit(_stop(model))
    if status:
        raise typer.Exit(_status(as_json))
    flags: dict[str, Any] = {
        "model": model, "speculative": speculative, "reasoning": reasoning_setting(reasoning), "tasks": "none",
        "out": Path(),
    }  # fmt: skip
    sets = [*(set_ or []), *([f"engine.kind={engine}"] if engine else [])]
    raise typer.Exit(
        _start(config, {name: value for name, value in flags.items() if value}, sets, port, idle or 0.0)
    )


def _start(file: Path | None, flags: dict[str, Any], sets: list[str], port: int, idle_s: float) -> int:
    from k2eval.config import FleetConfig, load_config
    from k2eval.engines import open_engines
    from k2eval.engines.served import find_server, start_server
    from k2eval.errors import ConfigError
    from k2eval.system import terminal
    from k2eval.tasks import task_files

    console = terminal()
    flags["out"] = Path()
    config = load_config(file=file, flags=flags, sets=sets, task_names=task_files)
    if config.engine.kind == "endpoint":
        raise ConfigError(
            "Expected a checkpoint to serve, got the endpoint engine, which asks a server that is there. Leave "
            "engine.kind out."
        )
    alone = config.model_copy(update={"fleet": FleetConfig(replicas=1), "roles": {}})
    engine = open_engines(alone)["solver"]
    state = find_server(engine)
    if state is not None and state.phase == "ready":
        console.print(f"Already served by process {state.pid}.", highlight=False)
    else:
        console.print(f"Starting {engine.info.engine} with {config.model} …", soft_wrap=True, highlight=False)
        state = start_server(
            engine,
            config,
            port=port,
            idle_s=idle_s,
            tell=lambda stage: console.print(f"  {stage}", highlight=False),
        )
        console.print(f"Process {state.pid} is ready after {state.start_s:.0f} s.", highlight=False)
    console.print(
        f"`k2eval run --model {config.model}` with the same settings finds it.\n"
        f"OpenAI's API: {state.url}, with the key in {_file_of(state.pid)}.\n`k2eval serve --stop` ends it.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    return 0


def _file_of(pid: int) -> Path:
    from k2eval.engines.served import path_of

    return path_of(pid)


def _stop(model: str | None) -> int:
    from k2eval.engines.served import read_states, stop_server
    from k2eval.system import terminal

    console = terminal()
    wanted = None if model is None else {model, str(Path(model).resolve())}
    states = [state for state in read_states() if wanted is None or state.model in wanted]
    for state in states:
        stop_server(state)
        console.print(
            f"Ended process {state.pid}, which served {state.model}.", soft_wrap=True, highlight=False
        )
    if not states:
        console.print("No server runs." if model is None else f"No server of {model} runs.", highlight=False)
    return 0


def _status(as_json: bool) -> int:
    from rich.box import SIMPLE
    from rich.table import Table

    from k2eval.engines.served import path_of, read_states
    from k2eval.system import terminal

    console, states = terminal(), read_states()
    if as_json:
        shown = [state.model_dump(mode="json", exclude={"key", "asked"}) for state in states]
        console.file.write(json.dumps(shown, indent=1) + "\n")
        return 0
    if not states:
        console.print("No server runs. `k2eval serve MODEL` starts one.", highlight=False)
        return 0
    table = Table(title="Servers of this user", title_justify="left", box=SIMPLE)
    for heading in ("process", "model", "phase", "up for", "address", "key in", "log"):
        table.add_column(heading, overflow="fold")
    for state in states:
        up = f"{(time.time() - state.ready) / 60:.0f} min" if state.ready else ""
        cells = (state.pid, state.model, state.phase, up, state.url, path_of(state.pid), state.log)
        table.add_row(*map(str, cells))
    console.print(table)
    return 0
