"""One sandbox: a warm interpreter in an outer box, and a fresh process for every program."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox import outcome, wire
from k2eval.sandbox.box import Box, BoxError
from k2eval.sandbox.channel import AHEAD_CALLS, Channel, ChannelEnded, LimitReached, TogetherTooLong
from k2eval.sandbox.inside import report
from k2eval.sandbox.memory_file import memory_file
from k2eval.sandbox.patience import AT_MOST
from k2eval.sandbox.types import DEFAULT_LIMITS, Call, CallResult, Limits, Profile, RunOutcome, RunResult

GRACE_S = 120.0
"""Seconds after the limits of a run after which the box counts as broken."""
MAX_SOURCE_BYTES = 64 << 20
"""A longer source is refused as a failure of ours: no program is wrong for its length."""


class UntestedSandbox:
    """A sandbox without the self-test, for the self-test. Everything else uses `Sandbox`."""

    def __init__(self, profile: Profile = "plain") -> None:
        self.profile: Profile = profile
        self._box: Box | None = None
        self._under_way = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill everything inside; the object can be used again and then starts a new box."""
        if self._box is not None:
            self._box.close()
            self._box = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def run(self, source: str, *, stdin: bytes = b"", limits: Limits = DEFAULT_LIMITS) -> RunResult:
        """Run ``source`` as a program of its own (``__name__ == "__main__"``) with ``stdin``."""
        return self.run_batch(source, [stdin], limits=limits)[0]

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
            source: The program.
            stdins: One standard input per run.
            limits: Limits per run.
            stop: Called outside the sandbox after each run with its index and result; True ends the batch.

        Returns:
            One result per run, in order; shorter than ``stdins`` only if ``stop`` ended the batch.
        """
        refused = refuse_source(source)
        results: list[RunResult] = []
        try:
            for index in range(len(stdins)):
                result = refused or self._twice(partial(self._next_run, source, stdins, index, limits))
                results.append(result)
                if result.outcome is RunOutcome.COMPILE_ERROR:
                    refused = result
                if stop is not None and stop(index, result):
                    break
        finally:
            self._end_job()
        return results

    def call(
        self,
        source: str,
        calls: Sequence[Call],
        *,
        limits: Limits = DEFAULT_LIMITS,
        stop: Callable[[int, CallResult], bool] | None = None,
    ) -> RunResult:
        """Load ``source`` as a module in one process and make the calls in order.

        Loading counts as one call against ``limits``. An exception in one call does not end the run: its `CallResult`
        tells, and the next call is made. A time limit, a crash or an exit does end the run.

        Args:
            source: The module. Its ``__name__`` is ``"submission"``, so a ``__main__`` guard does not run.
            calls: The calls in order.
            limits: Limits per call.
            stop: Called outside the sandbox after each call with its index and result; True ends the run. If the
                calls have to be made again, the indices start again.

        Returns:
            ``OK`` if every call was answered (by a value or an exception) or ``stop`` ended the run;
            `RunResult.calls` holds the answers.
        """
        refused = refuse_source(source)
        return refused or self._twice(partial(self._call_once, source, calls, limits, stop))

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
            source: The submission; its ``__name__`` is ``"__main__"``.
            driver: Trusted code that makes the calls; its traceback frames are named ``<driver>``.
            inputs: Plain data, numpy arrays and scipy sparse matrices by name.
            limits: Limits for source and driver together.

        Returns:
            `RunResult.records`: decoded values in order, even those emitted before a failure. A malformed
            record gives ``VIOLATION``, more than ``limits.result_bytes`` ``OUTPUT_LIMIT``.
        """
        refused = refuse_source(source)
        return refused or self._twice(partial(self._record_once, source, driver, inputs or {}, limits))

    # ------------------------------------------------------------------------------------------------ the box

    def start(self) -> None:
        """Start the box now instead of with the first run.

        Raises:
            SandboxUnavailable: If no box can be started on this machine.
        """
        self._running()

    def _running(self) -> Box:
        """Return the box of this process, and start it if necessary."""
        if self._box is not None and self._box.owner != os.getpid():
            self.close()
        if self._box is None:
            self._box = Box(self.profile)
            self._under_way = False
        return self._box

    def _twice(self, attempt: Callable[[], RunResult]) -> RunResult:
        """Return the result of ``attempt``, repeated once in a new box if the sandbox fails."""
        for last in (False, True):
            try:
                result = attempt()
            except (BoxError, OSError, SandboxUnavailable) as error:
                result = outcome.sandbox_error(f"{type(error).__name__}: {error}")
            except BaseException:
                self.close()  # interrupted in the middle: what the box says next would be taken for another run's
                raise
            if result.outcome is not RunOutcome.SANDBOX_ERROR:
                break
            self.close()
            if last:
                break
        return result

    def _start_job(
        self,
        mode: str,
        limits: Limits,
        descriptors: list[int],
        files: dict[str, bytes],
        *,
        last: bool,
        runs: int = 1,
    ) -> Box:
        """Hand a submission over; the box answers with a report of the first run."""
        box = self._running()
        box.provide(files)
        job = json.dumps(
            {
                "mode": mode,
                "cpu_s": limits.cpu_s * runs,
                "wall_s": limits.wall_limit_s * runs,
                "patient": limits.patient,
                "memory_mb": limits.memory_mb,
                "stack_mb": limits.stack_mb,
                "scratch_mb": limits.scratch_mb,
                "scratch_files": limits.scratch_files,
                "threads": limits.threads,
                "file_bytes": 1 + max(limits.output_bytes, limits.result_bytes if mode == "record" else 0),
                "last": last,
            }
        )
        box.send(job.encode(), descriptors)
        return box

    def _end_job(self) -> None:
        """Tell a box that waits for more inputs of a batch that there are none."""
        if self._box is not None and self._under_way:
            self._under_way = False
            try:
                self._box.send(report.END)
            except BoxError:
                self.close()

    def _result(self, box: Box, out: int, err: int, limits: Limits, runs: int = 1) -> tuple[RunResult, bool]:
        """Return the box's report on one run as a result, and whether it takes another input of the same job."""
        longest = limits.wall_limit_s * (AT_MOST if limits.patient else 1.0)
        report = box.receive((longest + limits.cpu_s) * runs + GRACE_S)
        if "compile_error" in report:
            return outcome.compile_error(report), False
        if "gone" in report:
            return outcome.lost_while_compiling(report["gone"], report["cpu"], limits), False
        return outcome.result_of(report, out, err, limits, limits.cpu_s * runs), bool(report["again"])

    # ------------------------------------------------------------------------------------------------- one run

    def _next_run(self, source: str, stdins: Sequence[bytes], index: int, limits: Limits) -> RunResult:
        """Run one input of a batch, in the job that is under way if there is one."""
        last = index == len(stdins) - 1
        with output_files(2) as (out, err):
            box = self._running()
            if not self._under_way:
                files = {"main": source.encode(), "stdin": stdins[index]}
                self._start_job("program", limits, [out, err], files, last=last)
            else:
                box.replace("stdin", stdins[index])
                box.send(report.LAST if last else report.NEXT, [out, err])
            self._under_way = False
            result, again = self._result(box, out, err, limits)
            self._under_way = again
            return result

    def _call_once(
        self,
        source: str,
        calls: Sequence[Call],
        limits: Limits,
        stop: Callable[[int, CallResult], bool] | None,
    ) -> RunResult:
        """Load the module in one process and make the calls; one at a time if it cannot be told how long each takes."""
        try:
            return self._make_calls(source, calls, limits, stop, AHEAD_CALLS)
        except TogetherTooLong:
            return self._make_calls(source, calls, limits, stop, 1)

    def _make_calls(
        self,
        source: str,
        calls: Sequence[Call],
        limits: Limits,
        stop: Callable[[int, CallResult], bool] | None,
        ahead: int,
    ) -> RunResult:
        """Load the module in one process and make the calls, at most ``ahead`` of them under way at the same time.

        Raises:
            TogetherTooLong: If the calls have to be made again, one at a time.
        """
        ours, theirs = socket.socketpair()
        with ours, output_files(2) as (out, err):
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            with theirs:
                descriptors = [out, err, theirs.fileno()]
                files = {"main": source.encode()}
                box = self._start_job("call", limits, descriptors, files, last=True, runs=len(calls) + 1)
            channel = Channel(ours, out, limits, calls, ahead)
            answers: list[CallResult] = []
            reached, unclear, stopped = None, None, False
            try:
                channel.wait_for_module()
                for index, answer in enumerate(channel.ask()):
                    answers.append(answer)
                    if stop is not None and stop(index, answer):
                        stopped = True
                        break
            except ChannelEnded:
                pass
            except LimitReached as error:
                reached = error
            except TogetherTooLong as error:
                unclear = error
            # Also after the last answer: threads that go on must not cost the time that was meant for answers.
            box.send(report.KILL)
            ours.close()
            result, _ = self._result(box, out, err, limits, len(calls) + 1)
        if unclear is not None:
            raise unclear
        return with_answers(result, answers, len(calls), reached, stopped or len(answers) == len(calls))

    def _record_once(self, source: str, driver: str, inputs: Mapping[str, Any], limits: Limits) -> RunResult:
        """Run the submission and the driver in one process and decode what was emitted."""
        with output_files(3) as (out, err, emitted):
            files = {"main": source.encode(), "driver": driver.encode(), "inputs": wire.dumps(dict(inputs))}
            box = self._start_job("record", limits, [out, err, emitted], files, last=True)
            result, _ = self._result(box, out, err, limits)
            return with_records(result, emitted, limits)


def refuse_source(source: str) -> RunResult | None:
    """Return the result for a source that need not be tried: not UTF-8, or far too long."""
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        return outcome.compile_error({"compile_error": f"SyntaxError: (unicode error) {error}"})
    if size > MAX_SOURCE_BYTES:
        return outcome.sandbox_error(
            f"the source has {size} bytes, and the sandbox takes {MAX_SOURCE_BYTES} at most"
        )
    return None


@contextlib.contextmanager
def output_files(count: int) -> Iterator[list[int]]:
    """Give anonymous files for a run's output; nobody can reach them after the run has ended."""
    descriptors: list[int] = []
    try:
        for _ in range(count):
            descriptors.append(memory_file("output"))
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def with_answers(
    result: RunResult, answers: list[CallResult], asked: int, reached: LimitReached | None, complete: bool
) -> RunResult:
    """Return the result of a `Sandbox.call`, complete only if every call was answered."""
    calls = tuple(answers)
    if reached is not None:
        return replace(result, outcome=reached.outcome, message=reached.message, calls=calls, exit_code=None)
    if complete and result.outcome in (RunOutcome.OK, RunOutcome.RUNTIME_ERROR, RunOutcome.TIME_LIMIT):
        # How the process ended after the last answer no longer matters.
        return replace(result, outcome=RunOutcome.OK, message="", calls=calls, exit_code=None, signal=None)
    if result.outcome is RunOutcome.OK:
        message = f"ended after {len(answers)} of {asked} calls"
        return replace(result, outcome=RunOutcome.RUNTIME_ERROR, message=message, calls=calls)
    return replace(result, calls=calls)


def with_records(result: RunResult, emitted: int, limits: Limits) -> RunResult:
    """Return the result of a `Sandbox.record` with the emitted values decoded."""
    size = outcome.file_size(emitted)
    if size > limits.result_bytes:
        message = f"more than {limits.result_bytes} bytes of results"
        return replace(result, outcome=RunOutcome.OUTPUT_LIMIT, message=message)
    data = outcome.read_all(emitted, size)
    records: list[Any] = []
    position, budget = 0, wire.Budget()
    try:
        while position < len(data):
            if position + 4 > len(data):
                raise wire.Malformed("cut off")
            (length,) = struct.unpack_from(">I", data, position)
            position += 4 + length
            if position > len(data):
                raise wire.Malformed("cut off")
            records.append(wire.loads(data[position - length : position], budget))
    except wire.Malformed as error:
        if result.outcome is RunOutcome.OK:
            result = replace(result, outcome=RunOutcome.VIOLATION, message=f"malformed record: {error}")
    except MemoryError:
        return outcome.sandbox_error("no memory left to read the records")
    return replace(result, records=tuple(records))
