"""``k2eval sandbox run FILE.py``: one program in the sandbox, one JSON object on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from k2eval.errors import ConfigError, K2EvalError
from k2eval.sandbox import wire
from k2eval.sandbox.sandbox import Sandbox
from k2eval.sandbox.types import DEFAULT_LIMITS, MIB, PROFILES, Call, Limits, RunResult

app = typer.Typer(
    help="Run untrusted programs in the sandbox.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)


@app.callback()
def main() -> None:
    """Run untrusted programs in the sandbox."""


@app.command("run")
def run_command(
    file: Annotated[Path, typer.Argument(help="File with the Python program.")],
    stdin: Annotated[
        Path | None, typer.Option(help="File that the program reads as its standard input.")
    ] = None,
    call: Annotated[
        str | None,
        typer.Option(help="Call this function, or Class.method, instead of running the file as a program."),
    ] = None,
    args: Annotated[str, typer.Option(help="Arguments of the call as a JSON list.")] = "[]",
    profile: Annotated[
        str, typer.Option(help="Packages that the program may import: plain, numpy, scientific or full.")
    ] = "plain",
    cpu: Annotated[float, typer.Option(help="CPU seconds that the program may use.")] = DEFAULT_LIMITS.cpu_s,
    wall: Annotated[
        float | None,
        typer.Option(help="Seconds after which the program is stopped. [default: follows from --cpu]"),
    ] = None,
    memory: Annotated[
        int, typer.Option(help="MiB of memory that the program may use.")
    ] = DEFAULT_LIMITS.memory_mb,
    output: Annotated[
        float, typer.Option(help="MiB that the program may print.")
    ] = DEFAULT_LIMITS.output_bytes / MIB,
) -> None:
    """Run FILE in the sandbox and print one JSON object: outcome, stdout, stderr, result, times, memory."""
    try:
        report = run_file(
            file,
            stdin=stdin,
            call=call,
            args=args,
            profile=profile,
            cpu=cpu,
            wall=wall,
            memory=memory,
            output=output,
        )
    except K2EvalError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    # A program may give back half of a surrogate pair, which has no bytes in UTF-8; JSON has an escape for it.
    line = json.dumps(report, ensure_ascii=False).encode(errors="backslashreplace")
    typer.echo(line)


def run_file(
    file: Path,
    *,
    stdin: Path | None = None,
    call: str | None = None,
    args: str = "[]",
    profile: str = "plain",
    cpu: float = DEFAULT_LIMITS.cpu_s,
    wall: float | None = None,
    memory: int = DEFAULT_LIMITS.memory_mb,
    output: float = DEFAULT_LIMITS.output_bytes / MIB,
) -> dict[str, Any]:
    """Run one program in the sandbox, or call one function of it.

    Args:
        file: The program.
        stdin: File whose bytes become standard input.
        call: Function or ``Class.method`` to call instead of running the file as a program.
        args: JSON list of positional arguments for ``call``.
        profile: ``plain``, ``numpy``, ``scientific`` or ``full``.
        cpu: CPU seconds.
        wall: Real seconds; None derives a backstop from ``cpu``.
        memory: MiB of memory.
        output: MiB of standard output, and of standard error.

    Returns:
        A JSON-ready object; ``result`` is the value of the call as tagged plain data
        (`k2eval.sandbox.wire`: plain JSON for numbers, strings and lists), else None.

    Raises:
        ConfigError: If an option is impossible or a file cannot be read.
        SandboxUnavailable: If untrusted programs cannot be isolated here.
    """
    if profile not in PROFILES:
        raise ConfigError(f"Expected --profile to be one of {', '.join(PROFILES)}, got {profile!r}.")
    if cpu <= 0 or memory <= 0 or output <= 0 or (wall is not None and wall <= 0):
        raise ConfigError("Expected --cpu, --wall, --memory and --output to be positive.")
    limits = Limits(
        cpu_s=cpu, wall_s=wall, patient=wall is None, memory_mb=memory, output_bytes=int(output * MIB)
    )
    source = read(file).decode("utf-8-sig", errors="replace")
    with Sandbox(profile) as box:
        if call is None:
            return as_json(box.run(source, stdin=b"" if stdin is None else read(stdin), limits=limits))
        return as_json(box.call(source, [Call(call, parse_arguments(args))], limits=limits))


def read(path: Path) -> bytes:
    """Read the bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"Expected a readable file, got {error}.") from error


def parse_arguments(text: str) -> list[Any]:
    """Parse the arguments of a call."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"Expected --args to be a JSON list, got {text[:80]!r}: {error}.") from error
    if not isinstance(value, list):
        raise ConfigError(f"Expected --args to be a JSON list such as '[[1, 2], 3]', got {text[:80]!r}.")
    return value


def as_json(result: RunResult) -> dict[str, Any]:
    """Return a result as the JSON object that the command prints."""
    report: dict[str, Any] = {
        "outcome": str(result.outcome),
        "stdout": result.stdout.decode("utf-8", errors="replace"),
        "stderr": result.stderr.decode("utf-8", errors="replace"),
        "result": None,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "cpu_s": round(result.cpu_s, 6),
        "wall_s": round(result.wall_s, 6),
        "peak_memory_mb": round(result.peak_memory_bytes / MIB, 3),
        "message": result.message,
    }
    if result.calls:
        answer = result.calls[0]
        report |= {"result": json.loads(wire.dumps(answer.value)), "cpu_s": round(answer.cpu_s, 6)}
        if answer.outcome != "ok":
            report |= {"outcome": str(answer.outcome), "message": answer.error}
    return report
