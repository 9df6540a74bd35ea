"""The warm interpreter: waits for jobs, gives each its own pid namespace, and never reads what a job runs.

Three generations of processes. The *zygote* is the first process of the box, keeps the interpreter warm and owns the
mounts. For every job it forks a *host*: the first process of a new pid namespace, without any capability; it
compiles the source and watches. For every run the host forks the *program*, which installs the filter and executes.
What a job wrote dies with its host; nothing flows back into the zygote.
"""

from __future__ import annotations

import contextlib
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
import warnings
from collections.abc import Callable
from typing import Any

from k2eval.sandbox.inside import program, warm
from k2eval.sandbox.inside.kernel import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    ATTR_RDONLY,
    CLONE_NEWPID,
    MNT_DETACH,
    MS_NOATIME,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    FilterProgram,
    bind,
    check,
    clone_tree,
    libc,
    mount,
    prctl,
    set_capabilities,
    setns,
    unshare,
)

SCRATCH, SUBMISSION = "/tmp", "/submission"
SUBMISSION_FILES = ("main.py", "stdin", "driver.py", "inputs")
SUBMISSION_BYTES = 1 << 30
OPEN_FILES = 256
MIB = 1 << 20
NEED_FINALISATION = ("__del__", "open(", "FileIO", "Writer", "TextIO")
EXIT_CLEAN, EXIT_SCRATCH_USED = 0, 3
KILLED_CPU, KILLED_WALL, KILLED_ASKED = "cpu", "wall", "asked"


def serve(config: dict[str, Any], descriptor: int, register_at_fork: Callable[..., None]) -> None:
    """Warm up, say so, and serve jobs until the other side closes the control socket."""
    control = socket.socket(fileno=descriptor)
    os.setsid()
    os.umask(0o022)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for each in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(each, signal.SIG_DFL)
    for each in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_IGN)  # as Python sets them: a write fails with an exception instead
    writable = mount_submission_folder()
    scratch = Scratch()
    filter_program = FilterProgram(bytes.fromhex(config["filter"]))
    base = warm.warm_up(config["profile"])
    os.register_at_fork = register_at_fork
    own = os.pidfd_open(os.getpid())
    socket.send_fds(control, [json.dumps({"ready": True}).encode()], [writable])
    os.close(writable)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
        if not message:
            os._exit(0)
        job = json.loads(message)
        if job["op"] == "job":
            job["base_bytes"] = base
            serve_job(job, descriptors, control, scratch, filter_program, own)
        for number in descriptors:
            os.close(number)


def mount_submission_folder() -> int:
    """A folder that only the other side of the control socket can write; its writable descriptor."""
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME
    mount("tmpfs", SUBMISSION, flags, f"size={SUBMISSION_BYTES},nr_inodes=16,mode=755")
    for name in SUBMISSION_FILES:
        # Made here because another user, even root, cannot create files in this user namespace's file system.
        os.close(os.open(f"{SUBMISSION}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        os.chmod(f"{SUBMISSION}/{name}", 0o666)
    writable = os.open(SUBMISSION, os.O_RDONLY | os.O_DIRECTORY)
    tree = clone_tree(SUBMISSION)
    bind(tree, SUBMISSION, ATTR_RDONLY)
    os.close(tree)
    return writable


class Scratch:
    """The working directory: an empty tmpfs, replaced as soon as a program has touched it."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.untouched: tuple[int, ...] = ()

    def renew(self, megabytes: int, files: int) -> None:
        """Make the scratch empty and of this size."""
        if self.size == (megabytes, files) and self.untouched == scratch_state():
            return
        if self.size is not None:
            check(libc.umount2(SCRATCH.encode(), MNT_DETACH), "umount of the scratch")
        options = f"size={megabytes}m,nr_inodes={files + 1},mode=700"
        mount("tmpfs", SCRATCH, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, options)
        self.size = megabytes, files
        self.untouched = scratch_state()


def scratch_state() -> tuple[int, ...]:
    """What changes when anything is written to, or changed on, the scratch."""
    usage, folder = os.statvfs(SCRATCH), os.stat(SCRATCH)
    return usage.f_bfree, usage.f_ffree, folder.st_ctime_ns, folder.st_mtime_ns, folder.st_mode, folder.st_dev


def serve_job(
    job: dict[str, Any],
    descriptors: list[int],
    control: socket.socket,
    scratch: Scratch,
    filter_program: FilterProgram,
    own: int,
) -> None:
    """Fork the host of one job and wait for its end, or for the end of the other side."""
    scratch.renew(job["scratch_mb"], job["scratch_files"])
    unshare(CLONE_NEWPID)
    host = os.fork()
    if host == 0:
        try:
            host_job(job, descriptors, control, filter_program, scratch.untouched)
        except BaseException:
            text = traceback.format_exc()[-2000:]
            control.send(json.dumps({"failed": text}).encode())
        os._exit(1)
    setns(own, CLONE_NEWPID)
    watch = os.pidfd_open(host)
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    poll.register(control, 0)
    while not any(number == watch for number, _ in poll.poll()):
        os._exit(0)
    os.close(watch)
    _, status = os.waitpid(host, 0)
    if status not in (EXIT_CLEAN, EXIT_SCRATCH_USED << 8):
        control.send(json.dumps({"gone": status}).encode())


def host_job(
    job: dict[str, Any],
    descriptors: list[int],
    control: socket.socket,
    filter_program: FilterProgram,
    untouched: tuple[int, ...],
) -> None:
    """Compile once, then run one program process for every request. Ends the process."""
    drop_everything(job)
    os.chdir(SCRATCH)
    started = time.process_time()
    try:
        codes = compile_sources(job)
    except MemoryError:
        control.send(
            json.dumps({"compile_error": "MemoryError: the source is too large to compile"}).encode()
        )
        os._exit(EXIT_CLEAN)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        text = "".join(traceback.format_exception_only(error))[-2000:]
        control.send(json.dumps({"compile_error": text, "cpu": time.process_time() - started}).encode())
        os._exit(EXIT_CLEAN)
    last = job["last"]
    gc.freeze()
    while True:
        report = run_once(job, codes, descriptors, control, filter_program)
        clean = untouched == scratch_state()
        report["again"] = clean and not last
        control.send(json.dumps(report).encode())
        if not report["again"]:
            os._exit(EXIT_CLEAN if clean else EXIT_SCRATCH_USED)
        for number in descriptors:
            os.close(number)
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
        request = json.loads(message) if message else {"op": "end"}
        if request["op"] != "next":
            os._exit(EXIT_CLEAN)
        last = request["last"]


def drop_everything(job: dict[str, Any]) -> None:
    """Give up every capability and set the resource limits that the program will inherit."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    set_capabilities(0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    cpu = math.ceil(job["cpu_s"]) + 1
    memory = job["base_bytes"] + (job["memory_mb"] + job["stack_mb"]) * MIB
    for limit, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, job["file_bytes"]),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, job["threads"] + 4),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 256),
    ):
        resource.setrlimit(limit, (value, value))


def compile_sources(job: dict[str, Any]) -> list[Any]:
    """The code objects of the submission and, when there is one, the driver."""
    with open(program.FILE, encoding="utf-8", newline="") as file:
        source = file.read()
    job["finalise"] = any(text in source for text in NEED_FINALISATION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codes = [compile(source, program.FILE, "exec", dont_inherit=True)]
        if job["mode"] == "record":
            with open(f"{SUBMISSION}/driver.py", encoding="utf-8", newline="") as file:
                codes.append(compile(file.read(), "<driver>", "exec", dont_inherit=True))
    return codes


def run_once(
    job: dict[str, Any],
    codes: list[Any],
    descriptors: list[int],
    control: socket.socket,
    filter_program: FilterProgram,
) -> dict[str, Any]:
    """Fork one program process, wait for it within its limits, and report what the kernel says about it."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            become_program(job, codes, descriptors, filter_program)
        finally:
            os._exit(1)
    killed = watch(child, job, started, control)
    _, status, usage = os.wait4(child, 0)
    return {
        "status": status,
        "killed": killed,
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.monotonic() - started,
        "memory": usage.ru_maxrss * 1024,
    }


def watch(child: int, job: dict[str, Any], started: float, control: socket.socket) -> str:
    """Wait until the program ends; kill it at its limits or on request. Why it was killed, or an empty string."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLIN)
    clock = (~child << 3) | 2  # the kernel's encoding of "CPU clock of that process"
    killed = ""
    while not killed:
        wall_left = started + job["wall_s"] - time.monotonic()
        cpu_left = job["cpu_s"] - time.clock_gettime(clock)
        if cpu_left < 0 or wall_left < 0:
            killed = KILLED_CPU if cpu_left < 0 else KILLED_WALL
            break
        ready = [number for number, _ in poll.poll(1000 * min(cpu_left, wall_left) / 2 + 2)]
        if ended in ready:
            break
        if ready:
            control.recv(1 << 16)
            killed = KILLED_ASKED
    if killed:
        signal.pidfd_send_signal(ended, signal.SIGKILL)
    os.close(ended)
    return killed


def become_program(
    job: dict[str, Any], codes: list[Any], descriptors: list[int], filter_program: FilterProgram
) -> None:
    """Take the descriptors, close all others, install the filter, execute."""
    os.setsid()
    mode = job["mode"]
    inputs = b""
    if mode == "record":
        with open(f"{SUBMISSION}/inputs", "rb") as file:
            inputs = file.read()
    stdin = os.open(f"{SUBMISSION}/stdin" if mode == "program" else "/dev/null", os.O_RDONLY)
    for target, number in enumerate([stdin, *descriptors]):
        os.dup2(number, target)
    os.closerange(1 + len(descriptors), OPEN_FILES)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    filter_program.install()
    if mode == "program":
        program.run_program(codes[0], job["finalise"])
    elif mode == "call":
        program.run_calls(codes[0])
    else:
        program.run_recorded(codes[0], codes[1], inputs)
