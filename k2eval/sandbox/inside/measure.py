"""Measure the memory that a program makes the kernel hold, and kill the program at its limit. One process per box.

The kernel's limits of a process count what it has mapped, each kind of mapping apart. They leave out page tables, the
stack beside the data, data made read-only, files in memory, buffers of sockets. This process adds all of it up. It
lives in the mount namespace of the box but outside of its pid namespace, and keeps the machine's ``/proc`` open, which
nothing inside the box has.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import signal
import socket
import time
from collections.abc import Sequence

from k2eval.sandbox.inside.gauge import ANSWER, BYTES_PER_S, DESCRIPTORS_AT_MOST, ENDED, REQUEST
from k2eval.sandbox.inside.kernel import ask_for_short_slices

SCRATCH = "/tmp"
FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
TRIES = 50
"""Times that the threads of a program are looked through for one that lives."""
SHORTEST_S, LONGEST_S, SHARE = 0.001, 0.1, 10
"""Bounds of the pause between two samples, and how many times longer it is than the sample before took."""
SLICE_NS = 100_000
MAPPING_BYTES = 512
"""Bytes that the kernel needs for one mapping, for its tree and for its reverse mapping."""
MANY_MAPPINGS = 5000
"""No honest program has so many."""
THREAD_BYTES = 32 << 10
"""Bytes that the kernel needs for one thread: its stack and its description."""
INODE_BYTES = 2 << 10
"""Bytes that the kernel needs for one file or folder of the scratch besides its contents."""
PIPE_BYTES = 64 << 10
"""The buffer of a pipe, for which every open file that is no socket is taken."""
EPOLL_BYTES = 256
"""Bytes that the kernel needs for a descriptor that is registered with `select.epoll`."""
SOCKET_BYTES = 208 << 10
"""The buffer of a socket, unless the machine says otherwise."""
FIELD = re.compile(
    rb"^(RssAnon|RssFile|RssShmem|VmSwap|VmPTE|Threads|Private_Dirty|Pid):\s+(\d+)", re.MULTILINE
)
MAPS_BYTES = 1 << 16
"""Bytes of the list of mappings that are read for one sample; long lists take several samples."""


def serve(processes: int, control: socket.socket, zygote: int, socket_bytes: int) -> int:
    """Measure one program after another until the zygote ends; return its status as a shell would.

    Args:
        processes: A descriptor of the machine's ``/proc``.
        control: The connection to the zygote and its watchers.
        zygote: The zygote's process id.
        socket_bytes: The buffer of a socket on this machine.
    """
    # A program of many threads that takes memory must not keep this process from its turn.
    ask_for_short_slices(SLICE_NS)
    ended = os.pidfd_open(zygote)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLIN)
    program: Program | None = None
    while True:
        pause_s = None if program is None else program.pause_s()
        ready = [number for number, _ in poll.poll(None if pause_s is None else 1000 * pause_s)]
        if ended in ready:
            code = os.waitstatus_to_exitcode(os.waitpid(zygote, 0)[1])
            return code if code >= 0 else 128 - code
        if ready:
            message, descriptors, _, _ = socket.recv_fds(
                control, REQUEST.size, DESCRIPTORS_AT_MOST, socket.MSG_CMSG_CLOEXEC
            )
            if program is not None:
                program.close()
            if message == ENDED and program is not None:
                control.sendall(ANSWER.pack(program.killed, program.peak_bytes))
                program = None
            elif len(message) == REQUEST.size:
                (limit_bytes,) = REQUEST.unpack(message)
                warm = Process(processes, zygote)
                program = Program(processes, warm.memory_bytes(), limit_bytes, descriptors, socket_bytes)
                warm.close()
        if program is not None:
            program.sample()


def buffer_size(processes: int) -> int:
    """Return the size of a socket's buffer on this machine, in bytes."""
    try:
        return max(SOCKET_BYTES, int(read("sys/net/core/wmem_default", processes)))
    except (OSError, ValueError):
        return SOCKET_BYTES


class Process:
    """A process in ``/proc``."""

    def __init__(self, processes: int, pid: int) -> None:
        """Open the process's folder, which never becomes that of another process."""
        self.first = os.open(str(pid), FOLDER, dir_fd=processes)
        self.folder = os.dup(self.first)
        """The folder of a thread that lives: the first one, as long as it does."""
        self.threads = 1
        self.shared_bytes, self.read_bytes = 0, 0
        """Bytes that the program maps of files in memory, and of files of the machine."""

    def memory_bytes(self) -> int:
        """Return the size of its own memory, resident or swapped out, and of its page tables."""
        fields = numbers(self.status())
        self.threads = fields.get(b"Threads", 1)
        self.shared_bytes, self.read_bytes = fields.get(b"RssShmem", 0) << 10, fields.get(b"RssFile", 0) << 10
        return sum(fields.get(name, 0) for name in (b"RssAnon", b"VmSwap", b"VmPTE")) << 10

    def status(self) -> bytes:
        """Return the status of a thread that lives; empty if none does. An ended thread says nothing of the memory."""
        with contextlib.suppress(OSError):
            text = read("status", self.folder)
            if b"RssAnon:" in text:
                return text
        tasks = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.first)
        try:
            for name in os.listdir(tasks):
                with contextlib.suppress(OSError):
                    folder = os.open(name, FOLDER, dir_fd=tasks)
                    text = read("status", folder)
                    if b"RssAnon:" in text:
                        os.close(self.folder)
                        self.folder = folder
                        return text
                    os.close(folder)
        finally:
            os.close(tasks)
        return b""

    def lives(self) -> bool:
        """Return whether the process still has memory, without which the rest of its folder cannot be read."""
        try:
            return bool(self.status())
        except OSError:
            return False

    def close(self) -> None:
        """Close the folders."""
        os.close(self.first)
        os.close(self.folder)


class Program:
    """A program that is measured."""

    def __init__(
        self, processes: int, warm_bytes: int, limit_bytes: int, descriptors: Sequence[int], socket_bytes: int
    ) -> None:
        """Take the program's pidfd and the files that it writes to.

        Args:
            processes: A descriptor of the machine's ``/proc``.
            warm_bytes: The memory of the warm interpreter, which the program shares at first.
            limit_bytes: Most bytes that the program may hold beyond that.
            descriptors: The program's pidfd, then its files.
            socket_bytes: The buffer of a socket.
        """
        self.ended, *self.files = descriptors
        self.warm_bytes, self.limit_bytes, self.socket_bytes = warm_bytes, limit_bytes, socket_bytes
        self.killed, self.gone, self.peak_bytes = False, False, 0
        self.mappings, self.mappings_so_far = 0, 0
        self.cost_s, self.taken_bytes, self.beside_bytes, self.own_checked = 0.0, 0, 0, 0.0
        pid = numbers(read(f"self/fdinfo/{self.ended}", processes)).get(b"Pid", 0)
        try:
            self.process = Process(processes, pid)
        except OSError:  # it has ended
            self.gone = True
            return
        self.gone = not self.open_maps()
        if self.gone:
            self.process.close()

    def open_maps(self) -> bool:
        """Open the list of mappings of a thread that lives; whether there is one."""
        for _ in range(TRIES):
            if not self.process.lives():
                return False
            with contextlib.suppress(OSError):
                self.maps = os.open("maps", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.process.folder)
                return True
        return False

    def close(self) -> None:
        """Sample what outlives the program a last time and let go of everything."""
        if not self.gone:
            os.close(self.maps)
            self.process.close()
        self.peak_bytes = max(self.peak_bytes, self.warm_bytes + self.files_bytes())
        for number in (self.ended, *self.files):
            os.close(number)

    def pause_s(self) -> float | None:
        """Return how long the program can be left alone; None if it has ended."""
        if self.killed or self.gone:
            return None
        shortest_s = max((self.limit_bytes - self.taken_bytes) / BYTES_PER_S, SHARE * self.cost_s, SHORTEST_S)
        return min(shortest_s, LONGEST_S)

    def sample(self) -> None:
        """Measure the program, and kill it if it holds more than its limit."""
        if self.killed or self.gone:
            return
        started = time.thread_time()
        try:
            memory_bytes = self.process.memory_bytes()
            self.judge(
                memory_bytes, self.beside_bytes
            )  # what follows may have to wait for locks of the program
            self.beside_bytes = self.files_bytes() + self.kernel_bytes()
            self.judge(memory_bytes, self.beside_bytes)
            if not self.killed:
                self.judge(self.warm_bytes + self.own_bytes(memory_bytes), self.beside_bytes)
        except OSError as error:
            if self.process.lives():
                if error.errno not in (errno.ESRCH, errno.ENOENT):
                    raise
                return  # the thread that was looked at has ended, and others go on
            self.gone = True
            os.close(self.maps)
            self.process.close()
        self.cost_s = time.thread_time() - started

    def files_bytes(self) -> int:
        """Return what the scratch and the output hold, all of it in memory."""
        scratch = os.statvfs(SCRATCH)
        written = sum(os.fstat(number).st_blocks << 9 for number in self.files)
        blocks, inodes = scratch.f_blocks - scratch.f_bfree, scratch.f_files - scratch.f_ffree
        return blocks * scratch.f_frsize + inodes * INODE_BYTES + written

    def kernel_bytes(self) -> int:
        """Return an upper bound of what the kernel keeps for the program's mappings, threads and open files."""
        self.count_mappings()
        size = self.mappings * MAPPING_BYTES + self.process.threads * THREAD_BYTES
        folder = os.open("fdinfo", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.process.folder)
        try:
            for name in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):
                    size += self.descriptor_bytes(read(name, folder))
        finally:
            os.close(folder)
        return size

    def descriptor_bytes(self, info: bytes) -> int:
        """Return the most that the kernel keeps for an open file, as ``/proc`` describes it."""
        if b"scm_fds:" in info:
            return 2 * self.socket_bytes
        return PIPE_BYTES + info.count(b"tfd:") * EPOLL_BYTES

    def count_mappings(self) -> None:
        """Read on in the list of mappings; `mappings` is their number as far as it is known."""
        size = 0
        while size < MAPS_BYTES:
            part = os.read(self.maps, MAPS_BYTES)
            size += len(part)
            self.mappings_so_far += part.count(b"\n")
            self.mappings = max(self.mappings, self.mappings_so_far)
            if not part:
                self.mappings, self.mappings_so_far = self.mappings_so_far, 0
                os.lseek(self.maps, 0, os.SEEK_SET)
                return

    def own_bytes(self, memory_bytes: int) -> int:
        """Return the size of its own memory without what it shares with the warm interpreter, or 0 if it is small.

        A page that is written to is the program's own from then on. Counting such pages takes long, so it is done only
        if it matters, and not all the time. If it would take far too long, all memory counts as the program's own.
        """
        if memory_bytes + self.beside_bytes <= self.limit_bytes:
            return 0
        if self.mappings > MANY_MAPPINGS:
            return memory_bytes
        if time.perf_counter() < self.own_checked:
            return 0
        started = time.thread_time()
        dirty_bytes = numbers(read("smaps_rollup", self.process.folder)).get(b"Private_Dirty", 0) << 10
        self.own_checked = time.perf_counter() + SHARE * (time.thread_time() - started)
        return dirty_bytes - self.process.shared_bytes

    def judge(self, memory_bytes: int, beside_bytes: int) -> None:
        """Note what the program holds, and kill it if that is more than its limit."""
        self.taken_bytes = memory_bytes - self.warm_bytes + beside_bytes
        self.peak_bytes = max(self.peak_bytes, memory_bytes + beside_bytes + self.process.read_bytes)
        if self.taken_bytes > self.limit_bytes and not self.killed:
            signal.pidfd_send_signal(self.ended, signal.SIGKILL)
            self.killed = True


def numbers(text: bytes) -> dict[bytes, int]:
    """Return the numbers of a file of ``/proc`` by their names."""
    return {name: int(number) for name, number in FIELD.findall(text)}


def read(path: str, folder: int) -> bytes:
    """Return the contents of a small file of ``/proc``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.read(descriptor, 1 << 14)
    finally:
        os.close(descriptor)
