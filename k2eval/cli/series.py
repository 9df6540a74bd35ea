"""Commands over several checkpoints: ``sweep`` and ``watch``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from k2eval.cli.options import EVALUATE, to_path, to_seconds

SwapOption = Annotated[
    bool,
    typer.Option(
        "--swap/--no-swap",
        help="Keep the engine between checkpoints of one architecture and replace its weights, or start it anew for "
        "each of them.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=through, rich_help_panel=EVALUATE)(sweep)
    app.command(cls=WithRunOptions, rich_help_panel=EVALUATE)(watch)


def sweep(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            help="Folder for the run directory of each checkpoint or value, and for the tables.",
        ),
    ],
    checkpoints: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Checkpoint folder or quoted pattern, such as 'out/step-*'. May be given several times.",
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(
            metavar="SWITCH=VALUE,…",
            help="Switch of thinking and its values, instead of checkpoints, such as "
            "reasoning_effort=low,medium,high, thinking=on,off or thinking_budget=1024,8192.",
        ),
    ] = None,
    swap: SwapOption = True,
) -> None:
    """Evaluate a series of checkpoints, or of values of a switch, and draw the score against step or tokens.

    Takes the options of `k2eval run` too.
    """
    # Reads the options of `run` once, so that a mistake is reported before the first checkpoint.
    parameters_of_run(context, ["--model", "-", "--out", "-", *context.args])
    raise typer.Exit(sweep_command(checkpoints or [], over, out, context, swap))


def sweep_command(
    checkpoints: Sequence[str], over: str | None, out: Path, context: typer.Context, swap: bool = True
) -> int:
    """Evaluate a series; the arguments of the context are those of ``k2eval run``.

    Raises:
        ConfigError: If the arguments name what differs between the runs, or there is no series.
    """
    from k2eval.cli.run_options import RunOptions
    from k2eval.cli.warm_runs import WarmRuns
    from k2eval.errors import ConfigError
    from k2eval.report import find_values, sweep_checkpoints, sweep_switch
    from k2eval.system import exit_code

    arguments = context.args
    if bool(checkpoints) == bool(over):
        raise ConfigError("Expected either --checkpoints or --over, to know in what the runs differ.")
    option = "--" + find_values(over)[0].column.replace("_", "-") if over else "--model"
    for own in (option, "--out", "--dry-run"):
        if any(argument == own or argument.startswith(own + "=") for argument in arguments):
            raise ConfigError(
                f"`k2eval sweep` sets {own} for each run itself. Leave {own} out of the options of `run`."
            )

    def options(value: Path | str, run: Path) -> RunOptions:
        return RunOptions.of(parameters_of_run(context, [option, str(value), "--out", str(run), *arguments]))

    with WarmRuns(options, swap) as runs:

        def evaluate(value: Path | str, run: Path) -> int:
            code = runs.evaluate(value, run)
            if runs.problem:
                print(f"k2eval: {runs.problem}", file=sys.stderr)
            return code

        try:
            if over:
                return sweep_switch(over, out, evaluate, runs.console)
            return sweep_checkpoints(checkpoints, out, evaluate, runs.console)
        except KeyboardInterrupt:  # where no handler of ours is
            return exit_code(signal.SIGINT)


class WithRunOptions(typer.core.TyperCommand):
    """A command that has the options of ``k2eval run`` too, but for those that it sets itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the command, and behind them those of ``run``."""
        own = super().get_params(ctx)
        if ctx.parent is None:  # not called, only described
            return list(own)
        names = {param.name for param in own} | _SET_BY_WATCH
        return [*own, *(param for param in _run(ctx).params if param.name not in names)]

    def invoke(self, ctx: Any) -> Any:
        """Call the command with its own parameters; those of ``run`` are in ``ctx.meta``."""
        own = {param.name for param in self.params}
        ctx.meta[_OF_RUN] = {name: value for name, value in ctx.params.items() if name not in own}
        ctx.params = {name: value for name, value in ctx.params.items() if name in own}
        return super().invoke(ctx)


_OF_RUN = "k2eval.run"
_SET_BY_WATCH = {"model", "out", "dry_run"}


def watch(
    context: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|PATTERN",
            help="Folder in which checkpoints appear, or a quoted pattern such as 'out/global_step_*/hf'.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            help="Folder for the run directory of each checkpoint, the curves and the page. If it already holds this "
            "watch, the watch goes on.",
        ),
    ],
    order: Annotated[
        str,
        typer.Option(
            metavar="oldest|newest|NAME,…",
            help="Checkpoint to evaluate first: that of the lowest or the highest step, or those of these names.",
        ),
    ] = "oldest",
    poll: Annotated[
        float,
        typer.Option(parser=to_seconds, metavar="TIME", help="Time between two looks, such as 30 or 2m."),
    ] = 30.0,
    until_idle: Annotated[
        float | None,
        typer.Option(
            parser=to_seconds,
            metavar="TIME",
            help="End when nothing has happened for this time, such as 90, 10m or 2h. [default: never]",
        ),
    ] = None,
    swap: SwapOption = True,
) -> None:
    """Evaluate checkpoints as they appear, with curves and a page of their states.

    Takes the options of `k2eval run` too, but for --model and --dry-run.
    """
    raise typer.Exit(watch_command(context, place, out, order, poll, until_idle, swap))


def watch_command(
    context: typer.Context,
    place: str,
    out: Path,
    order: str,
    poll_s: float,
    until_idle_s: float | None,
    swap: bool,
) -> int:
    """Watch a folder; the options of ``k2eval run`` are in the context."""
    from k2eval.cli.run_options import RunOptions
    from k2eval.cli.warm_runs import WarmRuns
    from k2eval.run import Work
    from k2eval.system import exit_code
    from k2eval.watch import PAGE, Watcher, WatchSettings

    options = RunOptions.of(context.meta[_OF_RUN])
    config = options.with_flags(model=place, out=out).configuration()
    Work(config)  # so that a mistake is reported before the first checkpoint
    own_tokenizer = config.engine.kind == "vllm" and not config.engine.arguments.get("tokenizer")
    names = tuple(name.strip() for name in order.split(",") if name.strip())
    settings = WatchSettings(names or ("oldest",), poll_s, until_idle_s, own_tokenizer)
    with WarmRuns(lambda value, run: options.with_flags(model=str(value), out=run), swap) as runs:
        watcher = Watcher(place, out, runs, settings, runs.console)
        runs.console.print(
            f"Watching {place}. Page: {out / PAGE}", soft_wrap=True, highlight=False, markup=False
        )
        try:
            return watcher.watch()
        except KeyboardInterrupt:  # where no handler of ours is
            watcher.show("stopped")
            return exit_code(signal.SIGINT)


def parameters_of_run(context: typer.Context, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of ``k2eval run`` for a list of arguments.

    Raises:
        typer.BadParameter: If there is no such option, or it cannot have such a value.
    """
    return dict(_run(context).make_context("run", list(arguments)).params)


def _run(context: Any) -> Any:
    """Return the command ``run``, beside the command of a context."""
    assert context.parent is not None
    group = context.parent.command
    assert isinstance(group, typer.core.TyperGroup)
    return group.commands["run"]
