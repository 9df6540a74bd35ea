"""The trusted end of one box: starts it, talks to it, ends it."""

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
from k2eval.sandbox.types import Profile

FILES = {"main": "main.py", "stdin": "stdin", "driver": "driver.py", "inputs": "inputs"}
START_S = 600.0
MESSAGE_BYTES = 1 << 17
USER_NAMESPACES = (
    "Allow user namespaces: on Ubuntu 23.10 and later `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`; "
    "elsewhere `sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000`; in Docker run with "
    "`--security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN` (or `--privileged`)."
)
NEWER_KERNEL = "Use Linux 5.12 or newer."


class BoxError(Exception):
    """The box does not answer as it should; it has to be replaced. Never the program's fault."""


class Box:
    """One running box."""

    def __init__(self, profile: Profile) -> None:
        """Start a box and wait until its interpreter is warm.

        Raises:
            SandboxUnavailable: the kernel refuses a primitive, or the interpreter cannot be started inside.
        """
        self.owner = os.getpid()
        self.filled: set[str] = set()
        self.control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        errors = os.memfd_create("errors")
        payload = os.memfd_create("plan")
        try:
            with open(payload, "w", closefd=False) as file:
                json.dump(plan(profile), file)
            os.lseek(payload, 0, os.SEEK_SET)
            self.process = subprocess.Popen(
                [executable(), "-I", "-S", "-B", "-c", ENTER, str(other.fileno()), str(payload)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={},
                cwd="/",
                pass_fds=(other.fileno(), payload),
            )
            other.close()
            self.folder = self._wait_until_warm(errors)
        except BaseException:
            self.control.close()
            raise
        finally:
            other.close()
            os.close(payload)
            os.close(errors)

    def _wait_until_warm(self, errors: int) -> int:
        """The writable descriptor of the submission folder, once the box says that it is ready."""
        ready, _, _ = select.select([self.control], [], [], START_S)
        message, descriptors = b"", list[int]()
        if ready:
            with contextlib.suppress(OSError):
                message, descriptors, _, _ = socket.recv_fds(
                    self.control, MESSAGE_BYTES, 4, socket.MSG_CMSG_CLOEXEC
                )
        report = json.loads(message) if message else {}
        if report.get("ready") and descriptors:
            return descriptors[0]
        self.control.close()
        self.process.kill()
        self.process.wait()
        said = os.pread(errors, 4000, 0).decode(errors="replace")
        raise start_failure(report, said or f"no answer within {START_S:.0f} s")

    def close(self) -> None:
        """End the box and everything inside. Only the process that started it ends it."""
        self.control.close()
        os.close(self.folder)
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
            BoxError: the box is gone.
        """
        try:
            socket.send_fds(self.control, [message], list(descriptors))
        except OSError as error:
            raise BoxError(f"the box is gone: {error}") from error

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """The next report.

        Raises:
            BoxError: none came in time, or the box is gone.
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
            raise BoxError("the box ended")
        if message.startswith(report.MARK):
            return report.unpack(message)
        said: dict[str, Any] = json.loads(message)
        if "failed" in said:
            raise BoxError("the box failed: " + said["failed"])
        return said


def start_failure(report: dict[str, Any], said: str) -> SandboxUnavailable:
    """The error for a box that did not start, naming the primitive and the remedy."""
    primitive, code = report.get("primitive", ""), report.get("errno", 0)
    if not primitive:
        detail = (report.get("text") or said).strip().splitlines()
        return SandboxUnavailable(
            "Expected an interpreter inside the sandbox, got: " + " | ".join(detail[-3:]) + ". "
            "Run `k2eval doctor`; if it shows nothing, please report this message."
        )
    if code == errno.ENOSYS:
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
