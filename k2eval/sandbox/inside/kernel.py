"""The system calls that Python's ``os`` lacks, by ctypes. Errors name the primitive that failed."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Callable
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NAMES = {
    CLONE_NEWNS: "mount",
    CLONE_NEWCGROUP: "cgroup",
    CLONE_NEWUTS: "uts",
    CLONE_NEWIPC: "ipc",
    CLONE_NEWUSER: "user",
    CLONE_NEWPID: "pid",
    CLONE_NEWNET: "net",
}

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 1024, 4096, 16384, 1 << 18
MNT_DETACH = 2
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, 0o2000000
MOVE_MOUNT_F_EMPTY_PATH = 4
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8

SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
# These numbers are the same on every architecture.
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442

CLONE_VM, CLONE_FILES = 0x100, 0x400

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_CAP_AMBIENT = 38, 41, 47
PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
SECCOMP_MODE_FILTER = 2
CAP_SYS_ADMIN, CAP_LAST = 21, 63
CAPABILITY_VERSION = 0x20080522


class KernelError(OSError):
    """A primitive of the kernel is missing or refused; ``primitive`` names it."""

    def __init__(self, primitive: str, code: int) -> None:
        super().__init__(code, f"{primitive}: {os.strerror(code)}")
        self.primitive = primitive


def check(result: int, primitive: str) -> int:
    """Return ``result``, or raise a `KernelError` that names the primitive if it is -1."""
    if result == -1:
        raise KernelError(primitive, ctypes.get_errno())
    return result


def unshare(flags: int) -> None:
    """Make new namespaces for this process (for its next child, in the case of a pid namespace)."""
    if libc.unshare(flags) == -1:
        code = ctypes.get_errno()
        names = "+".join(name for flag, name in CLONE_NAMES.items() if flags & flag)
        raise KernelError(f"unshare({names} namespace)", code)


def mount(kind: str, target: str, flags: int, options: str = "", source: str = "none") -> None:
    """Mount a file system, or change the propagation of a mount."""
    result = libc.mount(
        source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None
    )
    check(result, f"mount({kind or 'propagation'} on {target})")


def bind(source: int, target: str, attributes: int) -> None:
    """Attach the detached copy of a tree at ``target`` with the attributes (read-only and so on) set."""
    set_attributes(source, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes)
    result = libc.syscall(SYS_MOVE_MOUNT, source, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)
    check(result, f"move_mount({target})")


def bind_file(source: str, target: str) -> None:
    """Make the file ``source`` appear at ``target``, an existing file."""
    check(libc.mount(source.encode(), target.encode(), None, MS_BIND, None), f"bind mount of {source}")


def clone_tree(path: str) -> int:
    """Return a descriptor of a detached, recursive copy of the mounts at ``path``."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
    return check(libc.syscall(SYS_OPEN_TREE, AT_FDCWD, path.encode(), flags), f"open_tree({path})")


def set_attributes(descriptor: int, path: str, flags: int, attributes: int) -> None:
    """Add attributes (read-only and so on) to a mount."""
    data = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    result = libc.syscall(SYS_MOUNT_SETATTR, descriptor, path.encode(), flags, ctypes.byref(data), 32)
    check(result, "mount_setattr")


def prctl(option: int, argument: int = 0, second: int = 0) -> None:
    """Change a property of this process."""
    unsigned = ctypes.c_ulong
    check(
        libc.prctl(option, unsigned(argument), unsigned(second), unsigned(0), unsigned(0)), f"prctl({option})"
    )


def ask_for_short_slices(nanoseconds: int) -> None:
    """Ask the scheduler to let this process run soon and shortly, at an unchanged share; older kernels refuse."""
    number = SYS_SCHED_SETATTR.get(os.uname().machine)
    if number is not None:
        policy, nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
        attributes = struct.pack("<IIQiIQQQ", 48, policy, 0, nice, 0, nanoseconds, 0, 0)
        libc.syscall(number, 0, attributes, 0)


def set_capabilities(mask: int) -> None:
    """Set permitted, effective and inheritable capabilities to ``mask``; no other stays ambient."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = (ctypes.c_uint32 * 6)(low, low, low, high, high, high)
    check(libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


class Prepared:
    """A system call with its arguments already converted, so that a fresh process touches little memory for it."""

    def __init__(self, primitive: str, function: Any, *arguments: Any) -> None:
        self.primitive = primitive
        self.function = function
        self.arguments = arguments
        self.code: Any = None

    def __call__(self) -> None:
        """Make the call.

        Raises:
            KernelError: If it failed.
        """
        if self.function(*self.arguments) == -1:
            raise KernelError(self.primitive, ctypes.get_errno())


def prepare_idle_process() -> Callable[[], int]:
    """Prepare a function that starts a process that waits for its end, and returns its process id.

    The new process shares this process's memory and open files, so that it costs almost nothing. Only one may exist at
    a time.
    """
    stack = ctypes.create_string_buffer(1 << 16)
    top = ctypes.c_void_p((ctypes.addressof(stack) + len(stack)) & ~63)
    arguments = (libc.pause, top, ctypes.c_int(CLONE_VM | CLONE_FILES | signal.SIGCHLD), None, stack)

    def start() -> int:
        return check(libc.clone(*arguments[:4]), "clone")

    return start


def prepare_filter(code: bytes) -> Prepared:
    """Prepare the installation of a compiled seccomp filter, which binds a process and its threads for good."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    unsigned = ctypes.c_ulong
    arguments = [
        PR_SET_SECCOMP,
        unsigned(SECCOMP_MODE_FILTER),
        ctypes.byref(program),
        unsigned(0),
        unsigned(0),
    ]
    prepared = Prepared("seccomp filter", libc.prctl, *arguments)
    prepared.code = buffer
    return prepared


def prepare_dropping_of_capabilities() -> Prepared:
    """Prepare the capset call that drops all capabilities."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    return Prepared("capset", libc.capset, ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def prepare_namespace(flag: int) -> Prepared:
    """Prepare a new namespace for the next child."""
    return Prepared(f"unshare({CLONE_NAMES[flag]} namespace)", libc.unshare, ctypes.c_int(flag))


def prepare_return(descriptor: int, flag: int) -> Prepared:
    """Prepare the return to the namespace of the process behind a pidfd."""
    return Prepared("setns", libc.setns, ctypes.c_int(descriptor), ctypes.c_int(flag))
