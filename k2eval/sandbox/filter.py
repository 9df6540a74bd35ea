"""The system calls that are allowed, compiled by libseccomp for the machine's own architecture.

Three filters are installed one on top of the other. The first is an allow-list and binds every process of the box. The
second takes away the calls that only the warm interpreter needs (mounts, namespaces). It binds the process that
compiles and watches a submission. The third takes away the calls that only that process needs (new processes). It binds
the submission itself. The second and third are short, since they are installed for every submission and every run.

There are three answers besides "allowed". A quiet refusal (``EPERM``, or ``ENOSYS`` if the C library then falls back)
is for calls that an honest program may try and can do without. Death by ``SIGSYS`` is for calls that no honest program
makes. Death is also for any call through another architecture's entry (32-bit, x32).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
from functools import cache

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox.memory_file import memory_file

ALLOWED = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat creat close
    stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd
    chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat
    chmod fchmod fchmodat umask utime utimes utimensat futimesat truncate ftruncate fallocate
    statfs fstatfs lseek dup dup2 dup3 pipe pipe2
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd
    eventfd2 timerfd_create timerfd_settime timerfd_gettime
    recvfrom recvmsg shutdown getsockname getpeername getsockopt
    munmap mremap brk mincore
    futex set_robust_list get_robust_list rseq set_tid_address sched_yield sched_getaffinity sched_getparam
    sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority gettid getcpu exit exit_group
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack
    pause alarm setitimer getitimer restart_syscall nanosleep clock_nanosleep clock_gettime clock_getres
    gettimeofday time times getpid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid
    getgroups getrlimit getrusage getrandom uname sysinfo capget
"""
ZYGOTE_ONLY = "mount umount2 open_tree move_mount mount_setattr unshare setns capset"
WATCHER_ONLY = "fork vfork wait4 pidfd_open pidfd_send_signal setpgid sendmsg"
FORBIDDEN = """
    ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp connect bind listen accept accept4 pivot_root chroot
    fsopen fsconfig fsmount fspick bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
    add_key request_key keyctl memfd_secret open_by_handle_at
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff iopl ioperm
    settimeofday clock_settime clock_adjtime adjtimex acct quotactl syslog sethostname setdomainname
    modify_ldt personality
"""
# The C library tries the newer call first and falls back when it does not exist.
MISSING = "clone3 openat2 fchmodat2 futex_waitv process_madvise"

WITHOUT_EFFECT = "flock fsync fdatasync msync fadvise64"
"""What succeeds and does nothing. A program is alone with its files, which are in memory; the files that it can only
read are those of the machine, where a lock is seen by others and a flush makes them wait."""
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 1030, 1032, 1034)
"""DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC, GETPIPE_SZ, GET_SEALS: none sends a signal."""
FCNTL_LOCKS = (6, 7, 37, 38)
"""SETLK, SETLKW and the same for open files: without effect, as above."""
MAP_KINDS = (0, mmap.MAP_ANONYMOUS, mmap.MAP_SHARED)
"""Mappings private to the process, of a file or of none, and shared ones of a file. Not shared ones of no file: they
stay allocated when they are given back in part, and count against no limit of a process."""
MAP_GROWSDOWN, MAP_HUGETLB, MAP_DROPPABLE = 0x100, 0x40000, 0x8
MADVICE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19)
"""Advice on access, DONTNEED, FREE, and what forks and core dumps take along. Large pages are off all the same."""
IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS (isatty), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
PR_SET_NAME, PR_GET_NAME, PR_SET_SECCOMP = 15, 16, 22
CLONE_THREAD, CLONE_FILES, CLONE_NAMESPACES = 0x10000, 0x400, 0x7E020000
CLOSE_RANGE_UNSHARE = 2
RLIMIT_STACK = 3
SIGNALS_BUT_KILL_AND_STOP = tuple(
    (0xFFFFFFFF ^ low, value)
    for low, value in (
        (7, 0),
        (0, 8),
        (1, 10),
        (3, 12),
        (1, 16),
        (0, 18),
        (3, 20),
        (7, 24),
        (31, 32),
        (0, 64),
    )
)
"""Mask and value on the 32 bits that the kernel looks at. A SIGKILL that the sandbox did not send then surely came
from the machine (out of memory), so it was not the program's doing."""

ACT_KILL_PROCESS, ACT_ALLOW = 0x80000000, 0x7FFF0000
ALL_32_BITS, MSG_OOB = 0xFFFFFFFF, 1
CMP_NE, CMP_EQ, CMP_MASKED_EQ = 1, 4, 7
ATTR_BADARCH, ATTR_OPTIMIZE = 2, 8
REMEDY = "install libseccomp 2.5 or newer (Debian, Ubuntu: `apt-get install libseccomp2`)"


def refuse(code: int) -> int:
    """Return the action that makes a system call fail with ``code``."""
    return 0x00050000 | code


class Comparison(ctypes.Structure):
    """One condition on an argument (``struct scmp_arg_cmp``)."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class Rules:
    """A filter under construction."""

    def __init__(self, library: ctypes.CDLL, default: int) -> None:
        library.seccomp_init.restype = ctypes.c_void_p
        library.seccomp_init.argtypes = [ctypes.c_uint32]
        library.seccomp_rule_add_array.argtypes = [
            *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
            ctypes.POINTER(Comparison),
        ]
        library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
        library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.seccomp_release.argtypes = [ctypes.c_void_p]
        self.library = library
        self.context = library.seccomp_init(default)
        if not self.context:
            raise SandboxUnavailable(f"Expected libseccomp to work here, but seccomp_init failed: {REMEDY}.")
        self.check(library.seccomp_attr_set(self.context, ATTR_BADARCH, ACT_KILL_PROCESS), "architectures")
        # A binary tree instead of a list. Older versions refuse the attribute and give a correct, slower filter.
        library.seccomp_attr_set(self.context, ATTR_OPTIMIZE, 2)

    def add(self, action: int, name: str, *conditions: tuple[int, int, int, int]) -> None:
        """Add a rule; system calls that this architecture lacks are skipped."""
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return
        array = (Comparison * max(1, len(conditions)))(*(Comparison(*condition) for condition in conditions))
        result = self.library.seccomp_rule_add_array(self.context, action, number, len(conditions), array)
        self.check(result, name)

    def check(self, result: int, subject: str) -> None:
        """Turn an error of libseccomp into ours."""
        if result < 0:
            reason = os.strerror(-result)
            raise SandboxUnavailable(f"Expected libseccomp to filter {subject}, got {reason}: {REMEDY}.")

    def export(self) -> bytes:
        """Return the filter as the kernel's bytes."""
        descriptor = memory_file("filter")
        try:
            self.check(self.library.seccomp_export_bpf(self.context, descriptor), "export")
            return os.pread(descriptor, 1 << 20, 0)
        finally:
            os.close(descriptor)
            self.library.seccomp_release(self.context)


@cache
def compiled_filters(compiles: bool = False) -> tuple[bytes, bytes, bytes]:
    """Return the filters of the box, the watcher and the program as BPF instructions for this machine.

    Args:
        compiles: Whether programs may make the memory that they have written executable, as numba does.

    Raises:
        SandboxUnavailable: If libseccomp is missing or refuses; the message names the remedy.
    """
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError as error:
        raise SandboxUnavailable(f"Expected the library libseccomp.so.2, got {error}: {REMEDY}.") from error
    return (
        box_rules(library, compiles).export(),
        watcher_rules(library).export(),
        program_rules(library).export(),
    )


def box_rules(library: ctypes.CDLL, compiles: bool) -> Rules:
    """Return the allow-list; everything else is refused."""
    rules = Rules(library, refuse(errno.EPERM))
    for name in (ALLOWED + WATCHER_ONLY + " " + ZYGOTE_ONLY).split():
        rules.add(ACT_ALLOW, name)
    for name in FORBIDDEN.split():
        rules.add(ACT_KILL_PROCESS, name)
    for name in MISSING.split():
        rules.add(refuse(errno.ENOSYS), name)
    rules.add(ACT_ALLOW, "clone", (0, CMP_MASKED_EQ, CLONE_NAMESPACES, 0))
    # Only the open files of the first thread are counted, so all threads share one table of them.
    rules.add(ACT_ALLOW, "close_range", (2, CMP_MASKED_EQ, CLOSE_RANGE_UNSHARE, 0))
    # Datagrams may take a buffer twice over; bytes out of band would pass by those in the channel.
    for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
        kind = socket.SOCK_STREAM | flags
        rules.add(ACT_ALLOW, "socketpair", (0, CMP_EQ, socket.AF_UNIX, 0), (1, CMP_EQ, kind, 0))
    rules.add(ACT_ALLOW, "sendto", (3, CMP_MASKED_EQ, MSG_OOB, 0))
    add_memory_rules(rules, compiles)
    for name in WITHOUT_EFFECT.split():
        rules.add(refuse(0), name)
    for command in FCNTL_LOCKS:
        rules.add(refuse(0), "fcntl", (1, CMP_EQ, command, 0))
    # The C library asks a name service daemon over a Unix socket; every other family is an attempt at a network.
    rules.add(ACT_KILL_PROCESS, "socket", (0, CMP_NE, socket.AF_UNIX, 0))
    for name, position in (("kill", 1), ("tkill", 1), ("tgkill", 2)):
        for mask, value in SIGNALS_BUT_KILL_AND_STOP:
            rules.add(ACT_ALLOW, name, (position, CMP_MASKED_EQ, mask, value))
    for command in FCNTL_COMMANDS:
        rules.add(ACT_ALLOW, "fcntl", (1, CMP_EQ, command, 0))
    for request in IOCTLS:
        rules.add(ACT_ALLOW, "ioctl", (1, CMP_EQ, request, 0))
    for option in (PR_SET_NAME, PR_GET_NAME, PR_SET_SECCOMP):
        rules.add(ACT_ALLOW, "prctl", (0, CMP_EQ, option, 0))
    for name in ("setrlimit", "prlimit64"):
        rules.add(ACT_ALLOW, name)
    return rules


def add_memory_rules(rules: Rules, compiles: bool) -> None:
    """Allow the mappings that count against the limits of a process, and what leaves them counted.

    Memory that can no longer be written to does not count. To take the right away is without effect, which the
    loader of shared libraries and others who do so out of caution do not notice.
    """
    write, execute = mmap.PROT_WRITE, mmap.PROT_WRITE | mmap.PROT_EXEC
    rules.add(ACT_ALLOW, "mprotect", (2, CMP_MASKED_EQ, write, mmap.PROT_WRITE))
    rules.add(refuse(0), "mprotect", (2, CMP_MASKED_EQ, execute, 0))
    rules.add(ACT_ALLOW if compiles else refuse(0), "mprotect", (2, CMP_MASKED_EQ, execute, mmap.PROT_EXEC))
    mask = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_HUGETLB | MAP_DROPPABLE
    for kind in MAP_KINDS:
        rules.add(ACT_ALLOW, "mmap", (3, CMP_MASKED_EQ, mask, kind))
    for advice in MADVICE:
        rules.add(ACT_ALLOW, "madvise", (2, CMP_MASKED_EQ, ALL_32_BITS, advice))


def watcher_rules(library: ctypes.CDLL) -> Rules:
    """Return the rules for the calls that only the zygote may make."""
    rules = Rules(library, ACT_ALLOW)
    for name in ZYGOTE_ONLY.split():
        rules.add(ACT_KILL_PROCESS, name)
    return rules


def program_rules(library: ctypes.CDLL) -> Rules:
    """Return the rules for the calls that the watcher may make and the program may not."""
    rules, refused = Rules(library, ACT_ALLOW), refuse(errno.EPERM)
    for name in WATCHER_ONLY.split():
        rules.add(refused, name)
    for flag in (CLONE_THREAD, CLONE_FILES):
        rules.add(refused, "clone", (0, CMP_MASKED_EQ, flag, 0))
    rules.add(refused, "prctl", (0, CMP_EQ, PR_SET_SECCOMP, 0))
    rules.add(refused, "setrlimit", (0, CMP_NE, RLIMIT_STACK, 0))
    rules.add(refused, "prlimit64", (0, CMP_NE, 0, 0))
    rules.add(refused, "prlimit64", (1, CMP_NE, RLIMIT_STACK, 0), (2, CMP_NE, 0, 0))
    return rules
