"""Frames of a hostile program, fed to the trusted end without a sandbox: a violation or an answer, nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from k2eval.sandbox import Call, CallResult, Limits, RunOutcome, RunResult
from k2eval.sandbox.channel import Channel, ChannelEnded, LimitReached
from k2eval.sandbox.untested import output_files, with_records
from k2eval.sandbox.wire import dumps

LIMITS = Limits(cpu_s=5.0, wall_s=5.0, result_bytes=1 << 20)
NO_CLOCK = 9999
"""As for a program that is gone: its CPU time cannot be read any more."""
CALLS = [Call("f", [number]) for number in range(3)]

bodies = (
    st.binary(max_size=40)
    | st.sampled_from(
        [b"1", b"[]", b"{", b"[" * 2000, b'{"set":[[]]}', b'{"opaque":"x"}', b"\xff", b'"\\ud800"']
    )
    | st.lists(st.integers() | st.text(max_size=5)).map(dumps)
)
answers = st.tuples(
    st.sampled_from([b"V", b"V", b"E", b"M", b"L", b"", b"x"]), st.binary(max_size=8), bodies
).map(lambda parts: parts[0] + parts[1].rjust(8, b"\0") + parts[2])
frames = (answers | bodies).map(lambda body: struct.pack(">I", len(body)) + body)
streams = st.lists(frames | st.binary(max_size=6), max_size=6).map(b"".join)


@contextlib.contextmanager
def channel_to(stream: bytes, calls: Sequence[Call] = CALLS) -> Iterator[Channel]:
    """The trusted end of a channel on whose other end a program sends ``stream`` and goes."""
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=send, args=(theirs, stream))
    with output_files(1) as [out], ours:
        os.write(out, b"written")
        sender.start()
        try:
            channel = Channel(ours, out, LIMITS, calls)
            channel.clock = NO_CLOCK
            yield channel
        finally:
            ours.close()
            sender.join()


def send(end: socket.socket, stream: bytes) -> None:
    with end, contextlib.suppress(OSError):
        end.sendall(stream)
        end.shutdown(socket.SHUT_WR)
        while end.recv(1 << 16):
            pass


def asked(stream: bytes) -> list[CallResult] | ChannelEnded | LimitReached:
    with channel_to(stream) as channel:
        try:
            return list(channel.ask())
        except (ChannelEnded, LimitReached) as error:
            return error


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams)
def test_any_bytes_on_the_channel_are_answers_an_end_or_a_violation(stream: bytes) -> None:
    result = asked(stream)
    if isinstance(result, list):
        assert len(result) == len(CALLS)
    elif isinstance(result, LimitReached):
        assert result.outcome in (RunOutcome.VIOLATION, RunOutcome.OUTPUT_LIMIT)


def test_answers_that_follow_one_another_are_taken_in_order() -> None:
    frame = b"V" + (3).to_bytes(8, "big") + b"5"
    result = asked(3 * (struct.pack(">I", len(frame)) + frame))
    assert isinstance(result, list)
    assert [(each.value, each.stdout) for each in result] == [(5, b"wri"), (5, b""), (5, b"")]


def test_a_length_beyond_the_limit_is_not_waited_for() -> None:
    result = asked(struct.pack(">I", 2**32 - 1) + bytes(100))
    assert isinstance(result, LimitReached) and result.outcome is RunOutcome.OUTPUT_LIMIT


def test_empty_frames_in_masses_cost_little() -> None:
    start = time.thread_time()
    result = asked(bytes(1 << 19))
    assert isinstance(result, LimitReached) and result.outcome is RunOutcome.VIOLATION
    assert time.thread_time() - start < 1


def read_records(stream: bytes) -> RunResult:
    with output_files(1) as [emitted]:
        os.write(emitted, stream)
        return with_records(RunResult(outcome=RunOutcome.OK), emitted, LIMITS)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams)
def test_any_bytes_are_records_or_a_violation(stream: bytes) -> None:
    result = read_records(stream)
    assert result.outcome in (RunOutcome.OK, RunOutcome.VIOLATION)
    assert (result.outcome is RunOutcome.OK) == (result.message == "")


@given(st.lists(st.integers() | st.text() | st.binary(), max_size=5))
def test_records_are_what_was_emitted(values: list[object]) -> None:
    frames = b"".join(struct.pack(">I", len(data)) + data for data in map(dumps, values))
    assert read_records(frames).records == tuple(values)


def test_small_records_in_masses_are_read_in_linear_time() -> None:
    start = time.thread_time()
    result = read_records((struct.pack(">I", 1) + b"1") * 100_000)
    assert len(result.records) == 100_000
    assert time.thread_time() - start < 3


@pytest.mark.parametrize(
    ("was_fast", "under_way", "sent"),
    [(False, 0, 1), (False, 1, 0), (True, 0, 32), (True, 16, 16), (True, 17, 0)],
)
def test_calls_are_sent_by_the_dozen_to_a_program_that_answers_fast(
    was_fast: bool, under_way: int, sent: int
) -> None:
    with channel_to(b"", 50 * CALLS[:1]) as channel:
        channel.was_fast = was_fast
        channel.under_way.extend([0.0] * under_way)
        channel.send_calls()
        assert len(channel.under_way) == under_way + sent
