"""What crosses between the box and its owner for every run of a batch, in bytes of fixed places.

Each page that a forking process writes to is copied again after every fork, and JSON's writer and reader touch many.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

NEXT, LAST, END, KILL = b"N", b"L", b"E", b"K"
"""Requests: one more input, the last one, no more of them, the end of the run under way."""
KILLED = ("", "cpu", "wall", "asked")
"""Why a run was ended."""
MARK = b"R"
FIELDS = ("status", "killed", "cpu", "wall", "memory", "base_memory", "again")
PACKED = struct.Struct("<cibddqq?")
DESCRIPTORS = struct.Struct("2i")
"""Standard output and standard error."""
ROOM = socket.CMSG_SPACE(DESCRIPTORS.size)


def pack(
    status: int, killed: str, cpu: float, wall: float, memory: int, base_memory: int, again: bool
) -> bytes:
    """The report on one run."""
    return PACKED.pack(MARK, status, KILLED.index(killed), cpu, wall, memory, base_memory, again)


def unpack(message: bytes) -> dict[str, Any]:
    """A report as `FIELDS` by name."""
    _, *values = PACKED.unpack(message)
    values[1] = KILLED[values[1]]
    return dict(zip(FIELDS, values, strict=True))


def receive(control: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """The next request and the open files that came with it; no bytes when the other side has ended."""
    message, ancillary, _, _ = control.recvmsg(1, ROOM)
    return message, DESCRIPTORS.unpack(ancillary[0][2]) if ancillary else ()
