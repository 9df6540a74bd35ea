"""Compiles one submission, then forks, watches and reports one process for every run of it.

The first process of a pid namespace of its own, so that its end is the end of everything the submission started. It
has no capability and the first filter; the processes it forks get the second one and become the submission.
"""

from __future__ import annotations

import gc
import json
import math
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from k2eval.sandbox.inside import program
from k2eval.sandbox.inside.folders import DRIVER, INPUTS, SCRATCH, SOURCE, STDIN, scratch_state
from k2eval.sandbox.inside.kernel import Prepared

# The plain function: the wrapper in `signal` makes enumeration members, which costs page faults in every run.
set_handler = sys.modules["_signal"].signal
FEW_FILES = 256
MIB = 1 << 20
SIGINT = int(signal.SIGINT)
EXIT_CLEAN, EXIT_SCRATCH_USED = 0, 3
KILLED_CPU, KILLED_WALL, KILLED_ASKED = "cpu", "wall", "asked"
NEED_FINALISATION = ("__del__", "open(", "FileIO", "Writer", "TextIO")


HARD = {
    limit: resource.getrlimit(limit)[1]
    for limit in (
        *(resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC),
        *(resource.RLIMIT_AS, resource.RLIMIT_DATA),
    )
}


class Locks(NamedTuple):
    """What closes behind the watcher and behind the program, prepared once."""

    drop_capabilities: Prepared
    filter_watcher: Prepared
    filter_program: Prepared


class Watcher:
    """One submission with everything that its runs need."""

    def __init__(self, job: dict[str, Any], control: socket.socket, locks: Locks) -> None:
        self.job = job
        self.control = control
        self.locks = locks
        self.codes: list[CodeType] = []
        self.module = ModuleType("")
        self.base_memory = 0
        self.finalise = False

    def serve(self, descriptors: list[int], untouched: tuple[int, ...]) -> None:
        """Compile once, then run one program process for every request. Ends this process."""
        self.drop_everything()
        os.chdir(SCRATCH)
        self.locks.filter_watcher()
        started = time.process_time()
        try:
            self.compile_sources()
        except MemoryError:
            self.say({"compile_error": "MemoryError: the source is too large to compile"})
            os._exit(EXIT_CLEAN)
        except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
            text = "".join(traceback.format_exception_only(error))[-2000:]
            self.say({"compile_error": text, "cpu": time.process_time() - started})
            os._exit(EXIT_CLEAN)
        last = self.job["last"]
        gc.freeze()
        self.base_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        while True:
            report = self.run_once(descriptors)
            clean = untouched == scratch_state()
            report["again"] = clean and not last
            self.say(report)
            if not report["again"]:
                os._exit(EXIT_CLEAN if clean else EXIT_SCRATCH_USED)
            message, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, 4)
            request = json.loads(message) if message else {"op": "end"}
            if request["op"] != "next":
                os._exit(EXIT_CLEAN)
            last = request["last"]

    def say(self, report: dict[str, Any]) -> None:
        """Send one report to the other side of the wall."""
        self.control.send(json.dumps(report).encode())

    def drop_everything(self) -> None:
        """Give up every capability and set the resource limits that the program will inherit."""
        self.locks.drop_capabilities()
        job = self.job
        memory = job["base_bytes"] + (job["memory_mb"] + job["stack_mb"]) * MIB
        for limit, value in (
            (resource.RLIMIT_CPU, math.ceil(job["cpu_s"]) + 1),
            (resource.RLIMIT_FSIZE, job["file_bytes"]),
            (resource.RLIMIT_NPROC, job["threads"] + 4),
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_DATA, job["base_data_bytes"] + job["memory_mb"] * MIB),
        ):
            hard = HARD[limit]
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (allowed, allowed))

    def compile_sources(self) -> None:
        """Compile the submission and, when there is one, the driver; prepare the module that will hold the names."""
        source = read(SOURCE).decode()
        self.finalise = any(text in source for text in NEED_FINALISATION)
        stderr, sys.stderr = sys.stderr, None  # nobody reads the compiler's warnings
        self.codes = [compile(source, program.FILE, "exec", dont_inherit=True)]
        if self.job["mode"] == "record":
            self.codes.append(compile(read(DRIVER).decode(), "<driver>", "exec", dont_inherit=True))
        sys.stderr = stderr
        self.module = program.new_module("submission" if self.job["mode"] == "call" else "__main__")

    def run_once(self, descriptors: list[int]) -> dict[str, Any]:
        """Fork one program process, wait for it within its limits, and report what the kernel says about it."""
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            try:
                self.become_program(descriptors)
            finally:
                os._exit(1)
        for number in descriptors:
            os.close(number)
        killed = self.watch(child, started)
        _, status, usage = os.wait4(child, 0)
        return {
            "status": status,
            "killed": killed,
            "cpu": usage.ru_utime + usage.ru_stime,
            "wall": time.monotonic() - started,
            "memory": usage.ru_maxrss * 1024,
            "base_memory": self.base_memory,
        }

    def watch(self, child: int, started: float) -> str:
        """Wait until the program ends; kill it at its limits or on request. Why it was killed, or an empty string."""
        ended = os.pidfd_open(child)
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        clock = (~child << 3) | 2  # the kernel's encoding of "CPU clock of that process"
        killed = ""
        while not killed:
            wall_left = started + self.job["wall_s"] - time.monotonic()
            cpu_left = self.job["cpu_s"] - time.clock_gettime(clock)
            if cpu_left < 0 or wall_left < 0:
                killed = KILLED_CPU if cpu_left < 0 else KILLED_WALL
                break
            ready = [number for number, _ in poll.poll(1000 * min(cpu_left, wall_left) / 2 + 2)]
            if ended in ready:
                break
            if ready:
                self.control.recv(1 << 16)
                killed = KILLED_ASKED
        if killed:
            signal.pidfd_send_signal(ended, signal.SIGKILL)
        os.close(ended)
        return killed

    def become_program(self, descriptors: list[int]) -> None:
        """Take the descriptors, close all others, install the second filter, execute."""
        os.setsid()
        mode = self.job["mode"]
        inputs = read(INPUTS) if mode == "record" else b""
        stdin = os.open(STDIN if mode == "program" else "/dev/null", os.O_RDONLY)
        for target, number in enumerate([stdin, *descriptors]):
            os.dup2(number, target)
        os.closerange(1 + len(descriptors), FEW_FILES)
        set_handler(SIGINT, signal.default_int_handler)
        self.locks.filter_program()
        if mode == "program":
            program.run_program(self.codes[0], self.module, self.finalise)
        elif mode == "call":
            program.run_calls(self.codes[0], self.module)
        else:
            program.run_recorded(self.codes[0], self.module, self.codes[1], inputs)


def read(path: str) -> bytes:
    """The bytes of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 24):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
