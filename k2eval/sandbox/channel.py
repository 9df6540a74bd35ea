"""The trusted end of `Sandbox.call`: one frame out, one frame back, within the limits of that call."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field

from k2eval.sandbox import wire
from k2eval.sandbox.types import Call, CallResult, Limits, RunOutcome

ERROR_CHARACTERS = 2000


class ChannelEnded(Exception):
    """The program ended, or closed its end, before it answered."""


class LimitReached(Exception):
    """The program must be killed; carries the outcome and the message."""

    def __init__(self, outcome: RunOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome, self.message = outcome, message


@dataclass
class Channel:
    """One program process that answers calls."""

    socket: socket.socket
    out: int
    """Descriptor of the program's standard output."""
    limits: Limits
    clock: int = 0
    """The kernel's number of the program's CPU clock."""
    received: int = 0
    """Bytes received so far."""
    budget: wire.Budget = field(default_factory=wire.Budget)
    """What the answers may still hold."""
    read_position: int = 0
    """How much of standard output belongs to earlier calls."""

    def wait_for_module(self) -> float:
        """Wait until the submission is loaded; its CPU seconds."""
        started = time.monotonic()
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        if not poll.poll(self.limits.wall_limit_s * 1000):
            raise self.too_long(RunOutcome.TIME_LIMIT, self.limits.wall_limit_s, "s of real time")
        data, ancillary, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(12), 0)
        if data != b"H" or not ancillary:
            raise ChannelEnded
        process, _, _ = struct.unpack("iII", ancillary[0][2][:12])
        self.clock = (~process << 3) | 2
        if self.receive(0.0, started) != b"L":
            raise LimitReached(RunOutcome.VIOLATION, "malformed frame on the result channel")
        self.read_position = os.fstat(self.out).st_size
        return self.cpu()

    @staticmethod
    def too_long(outcome: RunOutcome, limit: float, unit: str) -> LimitReached:
        """The error for a limit."""
        return LimitReached(outcome, f"more than {limit:g} {unit}")

    def cpu(self) -> float:
        """CPU seconds of the program so far."""
        try:
            return time.clock_gettime(self.clock)
        except OSError:
            raise ChannelEnded from None

    def ask(self, call: Call) -> CallResult:
        """Make one call.

        Raises:
            ChannelEnded: the program ended instead of answering.
            LimitReached: it has to be killed.
        """
        payload = wire.dumps({"target": call.target, "args": call.args, "kwargs": dict(call.kwargs)})
        before, started = self.cpu(), time.monotonic()
        self.send(struct.pack(">I", len(payload)) + payload, before, started)
        reply = self.receive(before, started)
        spent = self.cpu() - before
        if spent > self.limits.cpu_s:
            raise self.too_long(RunOutcome.TIME_LIMIT, self.limits.cpu_s, "s of CPU time")
        size = min(os.fstat(self.out).st_size, self.limits.output_bytes)
        stdout = os.pread(self.out, max(0, size - self.read_position), self.read_position)
        self.read_position = max(size, self.read_position)
        kind, body = reply[:1], reply[1:]
        if kind == b"V":
            try:
                return CallResult(RunOutcome.OK, wire.loads(body, self.budget), stdout, "", spent)
            except wire.Malformed as error:
                raise LimitReached(RunOutcome.VIOLATION, f"malformed result: {error}") from None
        if kind in (b"E", b"M"):
            text = body.decode(errors="replace")[:ERROR_CHARACTERS]
            outcome = RunOutcome.RUNTIME_ERROR if kind == b"E" else RunOutcome.MEMORY_LIMIT
            return CallResult(outcome, None, stdout, text or "MemoryError", spent)
        raise LimitReached(RunOutcome.VIOLATION, "malformed frame on the result channel")

    def receive(self, cpu_before: float, started: float) -> bytes:
        """The next frame."""
        (size,) = struct.unpack(">I", self.receive_exactly(4, cpu_before, started))
        self.received += size + 4
        if self.received > self.limits.result_bytes:
            raise self.too_long(RunOutcome.OUTPUT_LIMIT, self.limits.result_bytes, "bytes of results")
        return self.receive_exactly(size, cpu_before, started)

    def receive_exactly(self, size: int, cpu_before: float, started: float) -> bytes:
        """``size`` bytes within the limits."""
        parts = bytearray()
        while len(parts) < size:
            self.wait(select.POLLIN, cpu_before, started)
            try:
                part = self.socket.recv(min(size - len(parts), 1 << 20))
            except OSError:
                raise ChannelEnded from None
            if not part:
                raise ChannelEnded
            parts += part
        return bytes(parts)

    def send(self, data: bytes, cpu_before: float, started: float) -> None:
        """Send all bytes within the limits: a program that does not read is not waited for forever."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.socket.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self.wait(select.POLLOUT, cpu_before, started)
            except OSError:
                raise ChannelEnded from None

    def wait(self, event: int, cpu_before: float, started: float) -> None:
        """Wait until the channel is ready or a limit of this call is reached."""
        poll = select.poll()
        poll.register(self.socket, event)
        while True:
            wall_left = self.limits.wall_limit_s - (time.monotonic() - started)
            cpu_left = self.limits.cpu_s - (self.cpu() - cpu_before)
            if poll.poll(max(0.0, 1000 * min(cpu_left, wall_left) / 2) + 2):
                return
            if cpu_left < 0:
                raise self.too_long(RunOutcome.TIME_LIMIT, self.limits.cpu_s, "s of CPU time")
            if wall_left < 0:
                raise self.too_long(RunOutcome.TIME_LIMIT, self.limits.wall_limit_s, "s of real time")
