"""Turn the kernel's facts about an ended process into a `RunResult`."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

from k2eval.sandbox.types import MIB, Limits, RunOutcome, RunResult

STDERR_BYTES = 1 << 16
MEMORY_ERROR = re.compile(rb"(\w+\.)*_?(Array)?MemoryError\b|OSError: \[Errno 12\]")
"""The last line of a traceback where memory ran out; ``mmap`` says so by an error of the system."""


def file_size(descriptor: int) -> int:
    """Return the number of bytes in an open file."""
    return os.fstat(descriptor).st_size


def result_of(
    report: dict[str, Any], out: int, err: int, limits: Limits, cpu_limit_s: float | None = None
) -> RunResult:
    """Return the result of one ended process.

    Args:
        report: The box's report: wait status, CPU and wall seconds, memory, the reason for a kill.
        out: Descriptor of standard output; nobody else writes to it any more.
        err: Descriptor of standard error.
        limits: Limits of the run.
        cpu_limit_s: CPU limit of the whole process; ``limits.cpu_s`` if None.
    """
    cpu_limit_s = limits.cpu_s if cpu_limit_s is None else cpu_limit_s
    status = os.waitstatus_to_exitcode(report["status"])
    code, number = (status, None) if status >= 0 else (None, -status)
    out_size, err_size = file_size(out), file_size(err)
    stderr = os.pread(err, STDERR_BYTES, max(0, err_size - STDERR_BYTES))
    outcome, message = RunOutcome.OK, ""
    if report["killed"] == "wall":
        outcome, message = RunOutcome.TIME_LIMIT, f"more than {limits.wall_limit_s:g} s of real time"
    elif report["killed"] == "memory":
        outcome, message = RunOutcome.MEMORY_LIMIT, f"more than {limits.memory_mb} MiB of memory"
    elif report["killed"] == "cpu" or report["cpu"] > cpu_limit_s:
        outcome, message = RunOutcome.TIME_LIMIT, f"more than {cpu_limit_s:g} s of CPU time"
    elif max(out_size, err_size) > limits.output_bytes:
        outcome, message = RunOutcome.OUTPUT_LIMIT, f"more than {limits.output_bytes} bytes of output"
    elif number == signal.SIGSYS:
        outcome, message = RunOutcome.VIOLATION, "killed by the kernel for a forbidden system call"
    elif number == signal.SIGKILL and report["killed"] != "asked":
        # The filter keeps programs from sending this signal, so it came from the machine (out of memory).
        outcome, message = RunOutcome.SANDBOX_ERROR, "killed from outside: is the machine out of memory?"
    elif report["memory"] > report["base_memory"] + limits.memory_mb * MIB:
        # It was too short to be measured while it ran.
        outcome, message = RunOutcome.MEMORY_LIMIT, f"more than {limits.memory_mb} MiB of memory"
    elif report["killed"] == "asked" and number == signal.SIGKILL:
        outcome, message = RunOutcome.RUNTIME_ERROR, "ended before it was done"
    elif code != 0:
        outcome, message = failure(code, number, stderr, report["memory"], limits)
    return RunResult(
        outcome=outcome,
        stdout=read_all(out, min(out_size, limits.output_bytes)),
        stderr=stderr,
        exit_code=code,
        signal=number,
        cpu_s=report["cpu"],
        wall_s=report["wall"],
        peak_memory_bytes=report["peak"],
        message=message,
    )


def failure(
    code: int | None, number: int | None, stderr: bytes, memory: int, limits: Limits
) -> tuple[RunOutcome, str]:
    """Return outcome and message of a program that ended by an exit status or a signal."""
    lines = stderr.strip().splitlines()
    last = lines[-1].strip() if lines else b""
    if MEMORY_ERROR.match(last) or (number is not None and memory > 0.9 * limits.memory_mb * MIB):
        return RunOutcome.MEMORY_LIMIT, f"more than {limits.memory_mb} MiB of memory"
    if number is not None:
        return RunOutcome.RUNTIME_ERROR, f"ended by signal {signal_name(number)}"
    text = last.decode(errors="replace")[:300]
    return RunOutcome.RUNTIME_ERROR, text or f"exit status {code}"


def signal_name(number: int) -> str:
    """Return a signal's name such as ``"SIGSEGV"``, or its number if it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def read_all(descriptor: int, size: int) -> bytes:
    """Read the first ``size`` bytes of a file."""
    parts, position = [], 0
    while position < size:
        part = os.pread(descriptor, size - position, position)
        if not part:
            break
        parts.append(part)
        position += len(part)
    return b"".join(parts)


def sandbox_error(message: str) -> RunResult:
    """Return the result of a run that the sandbox could not carry out."""
    return RunResult(outcome=RunOutcome.SANDBOX_ERROR, message=message)


def compile_error(report: dict[str, Any]) -> RunResult:
    """Return the result for a source that Python refuses."""
    text = str(report["compile_error"]).strip()
    return RunResult(
        outcome=RunOutcome.COMPILE_ERROR,
        stderr=text.encode(errors="replace"),
        cpu_s=float(report.get("cpu", 0.0)),
        message=text.splitlines()[-1][:300] if text else "",
    )


def lost_while_compiling(status: int, cpu_s: float, limits: Limits) -> RunResult:
    """Return the result if the compiling process ended: because of a compiler bomb, or killed from outside."""
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL and cpu_s < limits.cpu_s:
        return sandbox_error("killed from outside: is the machine out of memory?")
    if code == -signal.SIGKILL:
        message = f"compiling took more than {limits.cpu_s:g} s of CPU time"
        return RunResult(outcome=RunOutcome.TIME_LIMIT, message=message, signal=signal.SIGKILL)
    message = f"the compiler ended with {signal_name(-code) if code < 0 else code}"
    return RunResult(outcome=RunOutcome.COMPILE_ERROR, message=message, signal=-code if code < 0 else None)
