"""The trusted end of `Sandbox.call`: calls go out, answers come back in order, each within its limits.

While a program answers fast, calls are sent before the earlier ones are answered: on a busy machine a program that had
to wait for each call would lose its turn every time. A program could then work for a later call during an earlier one.
So the CPU time of a call counts from the time it was sent. If simultaneous calls together take longer than one call may
(`TogetherTooLong`), nobody can tell which call it was, and all are made again, one at a time.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence

from k2eval.sandbox import wire
from k2eval.sandbox.patience import patience
from k2eval.sandbox.types import Call, CallResult, Limits, RunOutcome

ERROR_CHARACTERS = 2000
AHEAD_BYTES, AHEAD_CALLS = 1 << 16, 32
"""Bytes and calls that are sent before they are answered, once a call was answered fast."""
FAST = 1e-3
"""The share of its limit within which the last call must have been answered for that."""
HEAD = 9
"""Bytes before the body of an answer: its kind and the length of standard output."""


class ChannelEnded(Exception):
    """The program ended, or closed its end, before it answered."""


class TogetherTooLong(Exception):
    """Calls that were under way at the same time took longer together than one may."""


class LimitReached(Exception):
    """The program must be killed; carries the outcome and the message."""

    def __init__(self, outcome: RunOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome, self.message = outcome, message


class Channel:
    """One program process that answers calls."""

    def __init__(
        self,
        end: socket.socket,
        out: int,
        limits: Limits,
        calls: Sequence[Call] = (),
        ahead: int = AHEAD_CALLS,
    ) -> None:
        """Take our end of the socket pair and the descriptor of the program's standard output.

        Args:
            end: Our end of the socket pair.
            out: The descriptor of the program's standard output.
            limits: Limits of each call.
            calls: The calls in order.
            ahead: Most calls that may be under way at the same time; 1 sends none before the module is loaded.
        """
        self.socket, self.out, self.limits, self.calls = end, out, limits, calls
        self.unsent = iter(calls)
        end.setblocking(False)
        self.poll = select.poll()
        self.poll.register(end, select.POLLIN)
        self.budget = wire.Budget()
        self.outgoing = bytearray()
        self.incoming = bytearray()
        self.frames: deque[tuple[bytes, float]] = deque()
        self.bytes_left, self.too_much = limits.result_bytes, False
        self.read_position = 0
        self.clock = 0
        self.last_cpu, self.last_time = 0.0, time.monotonic()
        self.ahead, self.was_fast = ahead, False
        self.under_way: deque[float] = deque()
        """The program's CPU clock when each call that is not answered yet was sent."""

    def wait_for_module(self) -> None:
        """Wait until the submission is loaded.

        Raises:
            ChannelEnded: If the program ended instead.
            LimitReached: If it has to be killed.
        """
        if self.ahead > 1:
            self.send_calls()
        left = self.limits.wall_limit_s
        while not self.poll.poll(left * 1000):
            left = self.wall_left(patient=True)
            if left < 0:
                raise too_long(RunOutcome.TIME_LIMIT, self.limits.wall_limit_s, "s of real time")
        try:
            data, ancillary, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(12), 0)
        except OSError:
            raise ChannelEnded from None
        if data != b"H" or not ancillary:
            raise ChannelEnded
        # The kernel says who sent this; the CPU clock of that process can be read from outside.
        process, _, _ = struct.unpack("iII", ancillary[0][2][:12])
        self.clock = (~process << 3) | 2
        frame, spent = self.next_frame()
        if frame[:1] != b"L" or len(frame) != HEAD:
            raise malformed("a frame that is not an answer")
        if spent > self.limits.cpu_s:
            raise too_long(RunOutcome.TIME_LIMIT, self.limits.cpu_s, "s of CPU time")
        self.new_output(frame)

    def ask(self) -> Iterator[CallResult]:
        """Make the calls and yield the answers in order.

        Raises:
            ChannelEnded: If the program ended instead of answering.
            LimitReached: If it has to be killed.
            TogetherTooLong: If the calls have to be made again by a channel with ``ahead`` 1.
        """
        for _ in self.calls:
            self.send_calls()
            reply, spent = self.next_frame()
            if spent > self.limits.cpu_s:
                raise too_long(RunOutcome.TIME_LIMIT, self.limits.cpu_s, "s of CPU time")
            if self.last_cpu - self.under_way.popleft() > self.limits.cpu_s:
                raise TogetherTooLong
            self.was_fast = spent <= FAST * self.limits.cpu_s
            yield self.answer(reply, spent)

    def send_calls(self) -> None:
        """Send as many calls as there is room for.

        They are sent by the dozen, when half of the room is free: to send each one wakes the program each time.
        """
        room = self.ahead if self.was_fast else 1
        if len(self.under_way) > room // 2:
            return
        while len(self.under_way) < room and len(self.outgoing) < AHEAD_BYTES:
            call = next(self.unsent, None)
            if call is None:
                break
            self.under_way.append(self.last_cpu)
            keywords = [dict(call.kwargs)] if call.kwargs else []
            payload = wire.dumps([call.target, call.args, *keywords])
            self.outgoing += struct.pack(">I", len(payload)) + payload
        self.flush()

    def answer(self, reply: bytes, spent: float) -> CallResult:
        """Turn one reply of the program into an answer."""
        kind, body = reply[:1], reply[HEAD:]
        stdout = self.new_output(reply)
        if kind == b"V":
            try:
                return CallResult(RunOutcome.OK, wire.loads(body, self.budget), stdout, "", spent)
            except wire.Malformed as error:
                raise malformed(str(error)) from None
            except MemoryError:
                raise LimitReached(RunOutcome.SANDBOX_ERROR, "no memory left to read the result") from None
        if kind in (b"E", b"M"):
            text = body.decode(errors="replace")[:ERROR_CHARACTERS]
            outcome = RunOutcome.RUNTIME_ERROR if kind == b"E" else RunOutcome.MEMORY_LIMIT
            return CallResult(outcome, None, stdout, text or "MemoryError", spent)
        raise malformed("a frame that is not an answer")

    def new_output(self, reply: bytes) -> bytes:
        """Return the standard output since the previous answer, as far as this reply claims."""
        claimed = int.from_bytes(reply[1:HEAD], "big")
        size = min(claimed, os.fstat(self.out).st_size, self.limits.output_bytes)
        if size <= self.read_position:
            return b""
        start, self.read_position = self.read_position, size
        return os.pread(self.out, size - start, start)

    def next_frame(self) -> tuple[bytes, float]:
        """Return the next frame and the CPU seconds since the previous one."""
        while not self.frames:
            if self.too_much:
                raise too_long(RunOutcome.OUTPUT_LIMIT, self.limits.result_bytes, "bytes of results")
            self.exchange()
            frames = list(self.complete_frames())
            if frames:
                # Frames that arrived together share their time.
                now = self.cpu(otherwise=self.last_cpu)
                share = (now - self.last_cpu) / len(frames)
                self.last_cpu, self.last_time = now, time.monotonic()
                self.frames.extend((frame, share) for frame in frames)
        return self.frames.popleft()

    def complete_frames(self) -> Iterator[bytes]:
        """Yield the complete frames: four bytes of length, then as many bytes."""
        while len(self.incoming) >= 4:
            end = 4 + int.from_bytes(self.incoming[:4], "big")
            if end > self.bytes_left:
                self.too_much = True  # the error comes after the frames before
                return
            if len(self.incoming) < end:
                return
            self.bytes_left -= end
            frame = bytes(self.incoming[4:end])
            del self.incoming[:end]
            yield frame

    def exchange(self) -> None:
        """Wait within the limits until bytes can be sent or have come, and move them."""
        self.poll.modify(self.socket, select.POLLIN | (select.POLLOUT if self.outgoing else 0))
        # Also before the first wait: an answer that dribbles in, or bytes that are none, would never meet a limit.
        left = self.time_left()
        while not self.poll.poll(max(0.0, 1000 * left / 2) + 2):
            left = self.time_left()
        self.flush()
        try:
            part = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            raise ChannelEnded from None
        if not part:
            raise ChannelEnded
        self.incoming += part

    def time_left(self) -> float:
        """Return the seconds until the nearer limit of the awaited answer.

        Raises:
            LimitReached: If a limit has passed.
        """
        wall_left = self.wall_left()
        cpu_left = self.limits.cpu_s - (self.cpu(otherwise=self.last_cpu) - self.last_cpu)
        if cpu_left < 0:
            raise too_long(RunOutcome.TIME_LIMIT, self.limits.cpu_s, "s of CPU time")
        if wall_left < 0:
            wall_left = self.wall_left(patient=True)
        if wall_left < 0:
            raise too_long(RunOutcome.TIME_LIMIT, self.limits.wall_limit_s, "s of real time")
        return min(cpu_left, wall_left)

    def wall_left(self, patient: bool = False) -> float:
        """Return the seconds of real time until the limit of the awaited answer; more if the processors are busy."""
        stretched = patience(self.cpu_so_far) if patient and self.limits.patient else 1.0
        return self.limits.wall_limit_s * stretched - (time.monotonic() - self.last_time)

    def flush(self) -> None:
        """Send what the program takes now."""
        with contextlib.suppress(BlockingIOError):
            while self.outgoing:
                try:
                    del self.outgoing[: self.socket.send(self.outgoing[: 1 << 18])]
                except (BrokenPipeError, ConnectionResetError):
                    self.outgoing.clear()  # the last answers may still be there to be read

    def cpu_so_far(self) -> float:
        """CPU seconds of the program, up to its last answer if it is gone; 0 before its clock is known."""
        return self.cpu(otherwise=self.last_cpu) if self.clock else 0.0

    def cpu(self, otherwise: float) -> float:
        """Return the CPU seconds of the program so far; ``otherwise`` if it is gone."""
        try:
            return time.clock_gettime(self.clock)
        except OSError:
            return otherwise


def too_long(outcome: RunOutcome, limit: float, unit: str) -> LimitReached:
    """Return the error for a limit."""
    return LimitReached(outcome, f"more than {limit:g} {unit}")


def malformed(reason: str) -> LimitReached:
    """Return the error for a program that interferes with the channel."""
    return LimitReached(RunOutcome.VIOLATION, f"malformed result: {reason}")
