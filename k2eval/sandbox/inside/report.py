"""The messages between the box and its owner for every run of a batch, in bytes of fixed places.

Each page that a forking process writes to is copied again after every fork, and JSON's writer and reader touch many.
For the same reason `_socket` is used here, which needs 300 KiB less than `socket`.
"""

from __future__ import annotations

import _socket
import struct
from typing import Any

NEXT, LAST, END, KILL = b"N", b"L", b"E", b"K"
"""Requests: one more input, the last one, no more of them, the end of the run under way."""
KILLED = ("", "cpu", "wall", "asked", "memory")
"""Reasons why a run was ended."""
MARK = b"R"
FIELDS = ("status", "killed", "cpu", "wall", "memory", "peak", "base_memory", "again")
PACKED = struct.Struct("<cibddqqq?")
DESCRIPTORS = struct.Struct("2i")
"""Standard output and standard error."""
NUMBER, MOST_FILES = struct.Struct("i"), 4
ROOM = _socket.CMSG_SPACE(DESCRIPTORS.size)


def pack(
    status: int, killed: str, cpu: float, wall: float, memory: int, peak: int, base_memory: int, again: bool
) -> bytes:
    """Pack the report on one run."""
    return PACKED.pack(MARK, status, KILLED.index(killed), cpu, wall, memory, peak, base_memory, again)


def unpack(message: bytes) -> dict[str, Any]:
    """Return a report as `FIELDS` by name."""
    _, *values = PACKED.unpack(message)
    values[1] = KILLED[values[1]]
    return dict(zip(FIELDS, values, strict=True))


def receive(control: _socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """Receive the next request and the open files with it; return no bytes if the other side has ended."""
    message, ancillary, _, _ = control.recvmsg(1, ROOM)
    return message, DESCRIPTORS.unpack(ancillary[0][2]) if ancillary else ()


def receive_job(control: _socket.socket) -> tuple[bytes, list[int]]:
    """Receive the next job and the open files with it; return no bytes if the other side has ended."""
    message, ancillary, _, _ = control.recvmsg(1 << 16, _socket.CMSG_SPACE(MOST_FILES * NUMBER.size))
    return message, [number for _, _, data in ancillary for (number,) in NUMBER.iter_unpack(data)]


def send_file(control: _socket.socket, message: bytes, descriptor: int) -> None:
    """Send a message and an open file."""
    control.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, NUMBER.pack(descriptor))])
