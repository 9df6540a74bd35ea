"""The trusted end of one box: start it, talk to it, end it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox.inside import report
from k2eval.sandbox.layout import ENTER, executable, plan
from k2eval.sandbox.memory_file import memory_file
from k2eval.sandbox.outcome import signal_name
from k2eval.sandbox.types import Profile

FILES = {"main": "main.py", "stdin": "stdin", "driver": "driver.py", "inputs": "inputs"}
START_S = 600.0
ENDING_S = 5.0
"""Seconds that a box may take to end after it has closed its connection."""
MESSAGE_BYTES = 1 << 17
STDERR_BYTES = 1 << 16
TRIES, PAUSE_S = 200, 0.01
USER_NAMESPACES = (
    "Allow user namespaces: on Ubuntu 23.10 and later `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`; "
    "elsewhere `sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000`; in Docker run with "
    "`--security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN` (or `--privileged`)."
)
NEWER_KERNEL = "Use Linux 5.12 or newer."
MOUNT_PROC = (
    "Mount it where k2eval runs: `mount -t proc proc /proc`; in a chroot or container, bind the host's."
)


class BoxError(Exception):
    """The box does not answer as it should; it has to be replaced. Never the program's fault."""


class Box:
    """One running box."""

    def __init__(self, profile: Profile) -> None:
        """Start a box and wait until its interpreter is warm.

        Raises:
            SandboxUnavailable: If the kernel refuses a primitive, or the interpreter cannot be started inside.
        """
        self.owner = os.getpid()
        self.filled: set[str] = set()
        self.errors = memory_file("errors")
        payload = memory_file("plan")
        self.control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with open(payload, "w", closefd=False) as file:
                json.dump(plan(profile), file)
            os.lseek(payload, 0, os.SEEK_SET)
            self.process = subprocess.Popen(
                [executable(), "-I", "-S", "-B", "-c", ENTER, str(other.fileno()), str(payload)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                env={},
                cwd="/",
                pass_fds=(other.fileno(), payload),
            )
            other.close()
            self.folder = self._wait_until_warm()
        except BaseException:
            self.control.close()
            os.close(self.errors)
            raise
        finally:
            other.close()
            os.close(payload)

    def _wait_until_warm(self) -> int:
        """Return the writable descriptor of the submission folder, once the box reports that it is ready."""
        ready, _, _ = select.select([self.control], [], [], START_S)
        message, descriptors = b"", list[int]()
        if ready:
            with contextlib.suppress(OSError):
                message, descriptors, _, _ = socket.recv_fds(
                    self.control, MESSAGE_BYTES, 4, socket.MSG_CMSG_CLOEXEC
                )
        answer = json.loads(message) if message else {}
        if answer.get("ready") and descriptors:
            return descriptors[0]
        ending = self._ending() if ready else f"it was not ready within {START_S:.0f} s"
        self.control.close()
        self.process.kill()
        self.process.wait()
        raise start_failure(answer, ending)

    def _ending(self) -> str:
        """Describe how the box ended: its status, and the last that it wrote to its standard error."""
        try:
            code = self.process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            status = "it closed its connection"
        else:
            number = -code if code < 0 else code - 128  # a shell's way of passing a signal on
            status = f"it ended with {signal_name(number)}" if number > 0 else f"it ended with status {code}"
        text = os.pread(self.errors, STDERR_BYTES, 0).decode(errors="replace").strip()
        return " | ".join([status, *text.splitlines()[-3:]])

    def close(self) -> None:
        """End the box and everything inside. Only the process that started it ends it."""
        self.control.close()
        os.close(self.folder)
        os.close(self.errors)
        if self.owner != os.getpid():
            return
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def provide(self, files: dict[str, bytes]) -> None:
        """Make these the only contents of the submission folder, which programs can read and not write.

        Names are the stems of the files that the box has made: ``main``, ``stdin``, ``driver``, ``inputs``.
        """
        for name in self.filled - files.keys():
            self._write(name, b"")
        for name, data in files.items():
            self._write(name, data)
        self.filled = set(files)

    def replace(self, name: str, data: bytes) -> None:
        """Replace one file of those that were provided."""
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(FILES[name], flags, dir_fd=self.folder)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send a job or a request with open files.

        Raises:
            BoxError: If the box is gone.
        """
        for attempt in range(TRIES):
            try:
                socket.send_fds(self.control, [message], list(descriptors))
            except OSError as error:
                # All descriptors under way of a user count together, also those of his other programs.
                if error.errno != errno.ETOOMANYREFS or attempt == TRIES - 1:
                    raise BoxError(f"the box is gone: {error}") from error
                time.sleep(PAUSE_S)
            else:
                return

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """Receive the next report.

        Raises:
            BoxError: If none comes in time, or the box is gone.
        """
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        deadline = time.monotonic() + timeout_s
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise BoxError(f"no report within {timeout_s:.0f} s")
        try:
            message = self.control.recv(MESSAGE_BYTES)
        except OSError as error:
            raise BoxError(f"the box is gone: {error}") from error
        if not message:
            raise BoxError(f"the box is gone: {self._ending()}")
        if message.startswith(report.MARK):
            return report.unpack(message)
        answer: dict[str, Any] = json.loads(message)
        if "failed" in answer:
            raise BoxError("the box failed: " + answer["failed"])
        return answer


def start_failure(answer: dict[str, Any], ending: str) -> SandboxUnavailable:
    """Return the error for a box that did not start, naming the primitive and the remedy.

    Args:
        answer: The report of the process that was to become the box; empty if there is none.
        ending: The end of that process in words.
    """
    primitive, code = answer.get("primitive", ""), answer.get("errno", 0)
    if not primitive:
        lines = answer["text"].strip().splitlines()[-3:] if answer.get("text") else [ending]
        return SandboxUnavailable(
            "Expected an interpreter inside the sandbox, got: " + " | ".join(lines) + ". "
            "Run `k2eval doctor`; if it shows nothing, please report this message."
        )
    if primitive.startswith("reading /proc"):
        remedy = MOUNT_PROC
    elif code == errno.ENOSYS:
        remedy = NEWER_KERNEL
    elif code == errno.ENOSPC:
        remedy = (
            "The kernel's limit of namespaces is reached: `sudo sysctl user.max_user_namespaces=10000` (and "
            "`user.max_mnt_namespaces`, `user.max_pid_namespaces`), or close other sandboxes."
        )
    else:
        remedy = USER_NAMESPACES
    return SandboxUnavailable(
        f"Expected {primitive} to be possible, got {os.strerror(code)}. Nothing was run. {remedy}"
    )
