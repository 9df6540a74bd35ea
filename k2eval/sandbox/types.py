"""The types of the sandbox's inputs and results, without a verdict and without an expected value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Profile = Literal["plain", "numpy", "scientific", "full"]
"""The warm interpreter: the standard library; with numpy; with numpy, scipy, sympy and h5py; with all packages."""

PROFILES: tuple[Profile, ...] = ("plain", "numpy", "scientific", "full")

MIB = 1 << 20


class RunOutcome(StrEnum):
    """The end of a run. It does not tell whether the program is right."""

    OK = "ok"
    """The program ended by itself with exit status 0; in `call`, every call was answered."""
    RUNTIME_ERROR = "runtime_error"
    """An uncaught exception, a non-zero exit status, a signal, or an end before all calls were answered."""
    COMPILE_ERROR = "compile_error"
    """Python refused the source; nothing of it ran."""
    TIME_LIMIT = "time_limit"
    """More CPU time than `Limits.cpu_s`, or the wall backstop was reached."""
    MEMORY_LIMIT = "memory_limit"
    """The program ran out of `Limits.memory_mb`."""
    OUTPUT_LIMIT = "output_limit"
    """Standard output, standard error or the result channel reached its cap."""
    VIOLATION = "violation"
    """The kernel killed the program for a forbidden system call, or it sent malformed results."""
    SANDBOX_ERROR = "sandbox_error"
    """The sandbox failed; never the program's fault, so never a wrong answer. Run it again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run (`run`, one input of `run_batch`, one call of `call`, one `record`)."""

    cpu_s: float = 6.0
    """CPU seconds of all threads together. The outcome depends on this, so not on the load of the machine."""
    wall_s: float | None = None
    """Backstop in real seconds for programs that sleep; None is ``4 * cpu_s + 6``."""
    patient: bool = True
    """Whether the wall limit grows if other programs leave less than a quarter of a processor."""
    memory_mb: int = 2048
    """MiB of memory that the program may take on top of the warm interpreter; stacks of threads count in full."""
    stack_mb: int = 512
    """MiB of address space on top of `memory_mb`, for what is only reserved."""
    output_bytes: int = 16 * MIB
    """Cap on standard output, and on standard error."""
    result_bytes: int = 64 * MIB
    """Cap on all tagged plain data that a `call` or `record` may give back."""
    scratch_mb: int = 64
    """Size of the working directory, which vanishes after the run."""
    scratch_files: int = 1024
    """Number of files and folders in the working directory."""
    threads: int = 64
    """Number of threads. New processes are never allowed."""

    @property
    def wall_limit_s(self) -> float:
        """The wall backstop in seconds."""
        return 4 * self.cpu_s + 6 if self.wall_s is None else self.wall_s


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function of the submission."""

    target: str
    """``"f"`` is a function of the module; ``"Solution.f"`` is a method of a fresh ``Solution()``."""
    args: list[Any] = field(default_factory=list)
    """Positional arguments: plain data (see `k2eval.sandbox.wire`)."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments: plain data."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one call. Every field is the program's claim except `cpu_s`."""

    outcome: RunOutcome
    """``OK`` when the call returned a value."""
    value: Any = None
    """The decoded value (plain data, numpy arrays, scipy sparse), with `Opaque` for whatever is neither."""
    stdout: bytes = b""
    """The program's standard output during this call."""
    error: str = ""
    """``"ValueError: ..."`` when the call raised, at most 2,000 characters."""
    cpu_s: float = 0.0
    """CPU seconds between the answer before and this one, measured from outside."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The end of a run, and its output."""

    outcome: RunOutcome
    """See `RunOutcome`."""
    stdout: bytes = b""
    """Standard output, at most `Limits.output_bytes`."""
    stderr: bytes = b""
    """The last 64 KiB of standard error."""
    exit_code: int | None = None
    """Exit status; None when a signal ended the program or it never started."""
    signal: int | None = None
    """The signal that ended the program, else None."""
    cpu_s: float = 0.0
    """CPU seconds, user and system, of all threads."""
    wall_s: float = 0.0
    """Real seconds."""
    peak_memory_bytes: int = 0
    """The most memory held: resident, with the share of the warm interpreter, and, if the program ran for 20 ms,
    page tables, the scratch, the output, and what the kernel keeps for its mappings, threads and open files."""
    message: str = ""
    """One line for people: what ended the run. Empty when the outcome is ``OK``."""
    calls: tuple[CallResult, ...] = ()
    """`Sandbox.call`: one entry a call, in order; fewer than asked for when the run ended early."""
    records: tuple[Any, ...] = ()
    """`Sandbox.record`: the decoded values given to ``emit``, in order."""


@dataclass(frozen=True, slots=True)
class DoctorRow:
    """One line of ``k2eval doctor``."""

    name: str
    """The thing that was tried."""
    ok: bool
    """Whether the result is as it must be."""
    detail: str
    """The result."""
    remedy: str
    """The remedy; empty if `ok`."""
    is_absent: bool = False
    """Whether there was nothing to try, and nothing may be needed."""
