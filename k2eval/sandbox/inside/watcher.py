"""Compile one submission, then watch and report one process for every run of it.

If there are several runs, a `Watcher` compiles once and forks a process for each. The watcher is the first process of
its own pid namespace, so that its end is the end of everything the submission started. It has no capability and the
first filter. The processes that it forks get the second filter and become the submission. A single run needs no such
process in between: see `run_alone`.
"""

from __future__ import annotations

import _socket
import gc
import io
import json
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from k2eval.sandbox.inside import program, report
from k2eval.sandbox.inside.folders import DRIVER, INPUTS, SCRATCH, SOURCE, STDIN, scratch_state
from k2eval.sandbox.inside.gauge import Gauge, delay_s
from k2eval.sandbox.inside.kernel import Prepared
from k2eval.sandbox.patience import patience

# The plain function: the wrapper in `signal` makes enumeration members, which costs page faults in every run.
set_handler = sys.modules["_signal"].signal
FEW_FILES = 256
PROGRAM_FILES = 64
"""Open files of a program. Each may be a socket, and so hold a buffer that only the machine's settings bound."""
MIB, SLACK_MB = 1 << 20, 8
SIGINT = int(signal.SIGINT)
EXIT_CLEAN, EXIT_SCRATCH_USED = 0, 3
_, KILLED_CPU, KILLED_WALL, KILLED_ASKED, KILLED_MEMORY = report.KILLED
NEED_FINALISATION = ("__del__", "open(", "FileIO", "Writer", "TextIO")


HARD = {
    limit: resource.getrlimit(limit)[1]
    for limit in (
        *(resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC),
        *(resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_NOFILE),
    )
}


class Locks(NamedTuple):
    """Prepared system calls that take rights away from the watcher and from the program, in the order of use."""

    drop_capabilities: Prepared
    filter_watcher: Prepared
    filter_program: Prepared


class Submission:
    """One source, which is locked in, compiled and executed."""

    def __init__(self, job: dict[str, Any], locks: Locks) -> None:
        self.job = job
        self.locks = locks
        self.codes: list[CodeType] = []
        self.module = ModuleType("")
        self.finalise = False

    def compile(self) -> dict[str, Any] | None:
        """Give up every right that compiling does not need, and compile; the report when the source is refused."""
        self.limit_memory()
        self.locks.drop_capabilities()
        os.chdir(SCRATCH)
        self.locks.filter_watcher()
        started = time.process_time()
        try:
            self._compile_sources()
        except MemoryError:
            return {"compile_error": "MemoryError: the source is too large to compile"}
        except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
            return {"compile_error": shown(error)[-2000:], "cpu": time.process_time() - started}
        gc.freeze()
        return None

    def limit_memory(self) -> None:
        """Set the resource limits that the program will inherit, that of its CPU time aside."""
        job = self.job
        memory = job["base_bytes"] + (job["memory_mb"] + job["stack_mb"]) * MIB
        set_limit(resource.RLIMIT_FSIZE, job["file_bytes"])
        set_limit(resource.RLIMIT_NPROC, job["threads"] + 4)
        set_limit(resource.RLIMIT_AS, memory)
        set_limit(resource.RLIMIT_DATA, job["base_data_bytes"] + job["memory_mb"] * MIB)

    def limit_cpu(self, spent: float = 0.0) -> None:
        """Set the kernel's own limit of CPU time, which is normally reached after the watcher's."""
        set_limit(resource.RLIMIT_CPU, math.ceil(spent + self.job["cpu_s"]) + 1)

    def _compile_sources(self) -> None:
        """Compile the submission and, when there is one, the driver; prepare the module that will hold the names."""
        source = read(SOURCE).decode()
        self.finalise = any(text in source for text in NEED_FINALISATION)
        stderr, sys.stderr = sys.stderr, None  # nobody reads the compiler's warnings
        self.codes = [compile(source, program.FILE, "exec", dont_inherit=True)]
        if self.job["mode"] == "record":
            self.codes.append(compile(read(DRIVER).decode(), "<driver>", "exec", dont_inherit=True))
        sys.stderr = stderr
        self.module = program.new_module("submission" if self.job["mode"] == "call" else "__main__")

    def become_program(self, descriptors: Sequence[int]) -> None:
        """Take the descriptors, install the second filter, close all other descriptors, execute."""
        os.setpgid(0, 0)
        mode = self.job["mode"]
        inputs = read(INPUTS) if mode == "record" else b""
        stdin = os.open(STDIN if mode == "program" else "/dev/null", os.O_RDONLY)
        for target, number in enumerate([stdin, *descriptors]):
            os.dup2(number, target)
        set_handler(SIGINT, signal.default_int_handler)
        set_limit(resource.RLIMIT_NOFILE, PROGRAM_FILES)
        self.locks.filter_program()
        os.closerange(1 + len(descriptors), FEW_FILES)  # until here a failure can still be told
        if mode == "program":
            program.run_program(self.codes[0], self.module, self.finalise)
        elif mode == "call":
            program.run_calls(self.codes[0], self.module)
        else:
            program.run_recorded(self.codes[0], self.module, self.codes[1], inputs)


class Watcher:
    """The first process of a job with several runs: compiles, and forks a program for each."""

    def __init__(self, job: dict[str, Any], control: _socket.socket, gauge: Gauge, locks: Locks) -> None:
        self.job = job
        self.control, self.gauge = control, gauge
        self.submission = Submission(job, locks)

    def serve(self, descriptors: Sequence[int], untouched: tuple[int, ...]) -> None:
        """Compile once, then run one program process for every request. Ends this process."""
        self.submission.limit_cpu()
        if refused := self.submission.compile():
            self.control.send(json.dumps(refused).encode())
            os._exit(EXIT_CLEAN)
        request = report.NEXT
        base_memory = peak_memory()
        while True:
            result = self.run_once(descriptors)
            clean = untouched == scratch_state()
            # This process has a limit of its CPU time too, for compiling; a long batch goes on in a new one.
            again = clean and request != report.LAST and time.process_time() < self.job["cpu_s"]
            self.control.send(report.pack(*result, base_memory, again))
            if not again:
                os._exit(EXIT_CLEAN if clean else EXIT_SCRATCH_USED)
            request, descriptors = report.receive(self.control)
            if request not in (report.NEXT, report.LAST):
                os._exit(EXIT_CLEAN)

    def run_once(self, descriptors: Sequence[int]) -> tuple[int, str, float, float, int, int]:
        """Fork one program process, wait for it within its limits; what the kernel says about it."""
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            try:
                self.submission.become_program(descriptors)
            finally:
                os._exit(1)
        run = Run(child, self.control, self.gauge, descriptors)
        killed = run.watch(self.job, started)
        return run.result(killed, started)


class Run:
    """One process that became, or is about to become, the program."""

    def __init__(self, process: int, control: _socket.socket, gauge: Gauge, files: Sequence[int]) -> None:
        """Take the process, both connections, and the files that it writes to, which are closed at its end."""
        self.process = process
        self.control, self.gauge, self.files = control, gauge, files
        self.measured = False
        self.ended = os.pidfd_open(process)
        self.clock = (~process << 3) | 2  # the kernel's encoding of "CPU clock of that process"

    def watch(self, job: dict[str, Any], started: float, cpu_before: float = 0.0, until: int = -1) -> str:
        """Wait until the process ends, and kill it at its limits or on request; return the reason, or an empty string.

        Args:
            job: The job, which has the limits.
            started: Time at which the run began, on the monotonic clock.
            cpu_before: CPU seconds of the process before that.
            until: A descriptor; once it can be read, the process is left alone. There is no wall limit until then.
        """
        wall_s = math.inf if until >= 0 else job["wall_s"]
        cpu_s, deadline = cpu_before + job["cpu_s"], started + wall_s
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        if until >= 0:
            poll.register(until, select.POLLIN)
            poll.modify(self.control, 0)  # requests can wait, the end of the other side cannot
        killed, left = "", min(cpu_s, deadline - time.monotonic())
        limit_bytes = (job["memory_mb"] + SLACK_MB) * MIB
        pause_s = math.inf if until >= 0 else delay_s(limit_bytes)
        while not killed:
            ready = [number for number, _ in poll.poll(1000 * min(max(left, 0.0) / 2 + 0.002, pause_s))]
            if until in ready or self.ended in ready:
                return ""
            if ready and until >= 0:
                os._exit(0)
            if ready:
                self.control.recv(1 << 16)
                killed = KILLED_ASKED
                break
            if pause_s < math.inf:
                pause_s, self.measured = math.inf, True
                self.gauge.watch(limit_bytes, self.ended, self.files)
            cpu_left, wall_left = cpu_s - self.cpu(), deadline - time.monotonic()
            left = min(cpu_left, wall_left)
            if cpu_left < 0:
                killed = KILLED_CPU
            elif wall_left < 0:
                deadline = started + wall_s * (patience(self.cpu) if job["patient"] else 1.0)
                left = deadline - time.monotonic()
                killed = KILLED_WALL if left < 0 else ""
        signal.pidfd_send_signal(self.ended, signal.SIGKILL)
        return killed

    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        return time.clock_gettime(self.clock)

    def wait(self) -> tuple[int, resource.struct_rusage]:
        """Return status and usage of the process, which has ended or is about to."""
        os.close(self.ended)
        _, status, usage = os.wait4(self.process, 0)
        return status, usage

    def close_files(self) -> None:
        """Close the files that the process wrote to."""
        for number in self.files:
            os.close(number)

    def result(
        self, killed: str, started: float, cpu_before: float = 0.0
    ) -> tuple[int, str, float, float, int, int]:
        """Return wait status, reason of the kill, CPU and wall seconds, and the peaks of resident and of all memory."""
        status, usage = self.wait()
        cpu, memory = usage.ru_utime + usage.ru_stime - cpu_before, usage.ru_maxrss * 1024
        peak = memory
        if self.measured:
            for_memory, measured_peak = self.gauge.result()
            killed, peak = KILLED_MEMORY if for_memory else killed, max(peak, measured_peak)
        self.close_files()
        return status, killed, cpu, time.monotonic() - started, memory, peak


def run_alone(
    job: dict[str, Any],
    descriptors: list[int],
    control: _socket.socket,
    gauge: Gauge,
    locks: Locks,
    return_home: Prepared,
) -> bytes:
    """Carry out a job of a single run without a watcher: the process that compiles becomes the program.

    The zygote calls this; its next children belong to the job's pid namespace until ``return_home``. The result of
    compiling comes through a pipe that the process closes before it executes any of the source.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            submission = Submission(job, locks)
            if refused := submission.compile():
                say(writing, refused)
                os._exit(0)
            spent = time.process_time()
            submission.limit_cpu(spent)
            state = {"memory": peak_memory(), "cpu": spent, "started": time.monotonic()}
            say(writing, state)
            submission.become_program(descriptors)
        except BaseException:
            import traceback

            say(writing, {"failed": traceback.format_exc()[-2000:]})
        finally:
            os._exit(1)
    return_home()
    os.close(writing)
    if job["mode"] == "call":
        os.close(
            descriptors.pop()
        )  # the end of the channel is how the other side learns of the program's end
    run = Run(child, control, gauge, descriptors)
    run.watch(job, 0.0, cpu_before=1.0, until=reading)
    messages = read_all(reading).splitlines()
    os.close(reading)
    ready: dict[str, Any] = json.loads(messages[-1]) if messages else {}
    if "memory" not in ready:
        status, usage = run.wait()
        run.close_files()
        return json.dumps(ready or {"gone": status, "cpu": usage.ru_utime + usage.ru_stime}).encode()
    killed = run.watch(job, ready["started"], ready["cpu"])
    return report.pack(*run.result(killed, ready["started"], ready["cpu"]), ready["memory"], False)


def say(pipe: int, message: dict[str, Any]) -> None:
    """Write one line of JSON; the last line counts."""
    os.write(pipe, json.dumps(message).encode() + b"\n")


def shown(error: BaseException) -> str:
    """Return Python's text for an error without a traceback; the module for that is large, and not kept warm."""
    sys.stderr = text = io.StringIO()
    sys.__excepthook__(type(error), error.with_traceback(None), None)
    sys.stderr = sys.__stderr__
    return text.getvalue()


def set_limit(limit: int, value: int) -> None:
    """Lower a resource limit for good."""
    hard = HARD[limit]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (allowed, allowed))


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def read(path: str) -> bytes:
    """Read the bytes of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_all(descriptor)
    finally:
        os.close(descriptor)


def read_all(descriptor: int) -> bytes:
    """Read until the end."""
    parts = []
    while part := os.read(descriptor, 1 << 24):
        parts.append(part)
    return b"".join(parts)
