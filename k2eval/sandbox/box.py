"""One sandbox: a warm interpreter in an outer box, and a fresh process for every program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from k2eval.sandbox.types import DEFAULT_LIMITS, Call, CallResult, Limits, Profile, RunResult


class Sandbox:
    """One sandbox, owned by one grading worker. A context manager; not thread-safe.

    The box starts with the first run and is replaced by itself when it breaks. A failure of the sandbox is a
    result with the outcome ``SANDBOX_ERROR``, after one repetition; it is never an exception.

    Raises:
        SandboxUnavailable: the self-test failed on this machine (raised by the constructor).
    """

    def __init__(self, profile: Profile = "plain") -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill everything inside; the object can be used again and then starts a new box."""

    def run(self, source: str, *, stdin: bytes = b"", limits: Limits = DEFAULT_LIMITS) -> RunResult:
        """Run ``source`` as a program of its own (``__name__ == "__main__"``) with ``stdin``."""
        raise NotImplementedError

    def run_batch(
        self,
        source: str,
        stdins: Sequence[bytes],
        *,
        limits: Limits = DEFAULT_LIMITS,
        stop: Callable[[int, RunResult], bool] | None = None,
    ) -> list[RunResult]:
        """Run the same program on many inputs, each time as a fresh process.

        Args:
            source: the program.
            stdins: one standard input a run.
            limits: per run.
            stop: called outside the sandbox after each run with its index and result; True ends the batch.

        Returns:
            One result a run, in order; shorter than ``stdins`` only when ``stop`` said so.
        """
        raise NotImplementedError

    def call(
        self,
        source: str,
        calls: Sequence[Call],
        *,
        limits: Limits = DEFAULT_LIMITS,
        stop: Callable[[int, CallResult], bool] | None = None,
    ) -> RunResult:
        """Load ``source`` as a module in one process and make the calls in order.

        Loading counts as one call against ``limits``. An exception in one call does not end the run: its
        `CallResult` says so and the next call is made. A time limit, a crash or an exit does end it.

        Args:
            source: the module. Its ``__name__`` is ``"submission"``, so a ``__main__`` guard does not run.
            calls: in order; each is sent only after the previous one was answered.
            limits: per call.
            stop: called outside the sandbox after each call with its index and result; True ends the run.

        Returns:
            ``OK`` when every call was answered (by a value or an exception) or ``stop`` ended the run;
            `RunResult.calls` holds the answers.
        """
        raise NotImplementedError

    def record(
        self,
        source: str,
        driver: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> RunResult:
        """Run ``source``, then ``driver`` in the same process and namespace, and collect what is emitted.

        The driver sees everything that ``source`` defined, the values of ``inputs`` as global variables (set
        after ``source`` ran), and ``emit(value)``, which appends the tagged form of ``value`` to the records
        at that moment (a later mutation does not change it). The submission can call ``emit`` too, or forge
        records: every record is only the program's claim.

        Args:
            source: the submission; its ``__name__`` is ``"__main__"``.
            driver: trusted code that makes the calls; its traceback frames are named ``<driver>``.
            inputs: plain data, numpy arrays and scipy sparse matrices by name.
            limits: for source and driver together.

        Returns:
            `RunResult.records`: decoded values in order, also those emitted before a failure. A malformed
            record gives ``VIOLATION``, more than ``limits.result_bytes`` ``OUTPUT_LIMIT``.
        """
        raise NotImplementedError
