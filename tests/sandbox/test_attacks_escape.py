"""Looking out of the box, and getting out of it. A program prints SUCCEEDED when it could."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from k2eval.sandbox import Call, Limits, RunOutcome, Sandbox

SUCCEEDED = b"SUCCEEDED"
CANARY = "canary-7f3a91"
HOME_OF_PACKAGES = str(Path(pytest.__file__).parent.parent)
LIMITS = Limits(cpu_s=3, wall_s=10, memory_mb=512)

# These succeed outside of a sandbox, which is checked too.
LOOKING = {
    "environment variable": "import os; print('SUCCEEDED' * any('canary-' in v for v in os.environ.values()))",
    "environment in memory": (
        "import ctypes\nenviron = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')\nn = 0\n"
        "while environ and environ[n]:\n  if b'canary-' in environ[n]: print('SUCCEEDED')\n  n += 1"
    ),
    "environment on the stack": (
        "import os, ctypes\nenviron = ctypes.c_void_p.in_dll(ctypes.CDLL(None), '__libc_stack_end').value\n"
        "data = b''\ntry:\n  data = open('/proc/self/mem', 'rb') and open('/proc/self/environ', 'rb').read()\nexcept OSError: pass\n"
        "print('SUCCEEDED' * (b'canary-' in data))"
    ),
    "password file": "open('/etc/passwd').read(); print('SUCCEEDED')",
    "proc": "import os; os.listdir('/proc'); print('SUCCEEDED')",
    "proc self": "open('/proc/self/maps').read(); print('SUCCEEDED')",
    "sys": "import os; os.listdir('/sys'); print('SUCCEEDED')",
    "etc": "import os; os.listdir('/etc'); print('SUCCEEDED')",
    "home": "import os; os.stat('/home'); print('SUCCEEDED')",
    "var": "import os; os.stat('/var'); print('SUCCEEDED')",
    "shell": "import os; os.stat('/bin/sh'); print('SUCCEEDED')",
    "root entries": "import os; print('SUCCEEDED' * (not set(os.listdir('/')) <= {'dev', 'lib', 'lib64', 'submission', 'tmp', 'usr'}))",
    "grader's working directory": f"import os; os.stat({str(Path.cwd())!r}); print('SUCCEEDED')",
    "this file": f"open({__file__!r}).read(); print('SUCCEEDED')",
    "grader's packages": "import pytest; print('SUCCEEDED')",
    "k2eval": f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); import k2eval.records; print('SUCCEEDED')",
    "parent process": "import os; print('SUCCEEDED' * (os.getppid() not in (0, 1)))",
    "host name": f"import os; print('SUCCEEDED' * (os.uname().nodename == {platform.node()!r}))",
    "subprocess": "import subprocess, sys; subprocess.run(['/bin/true'], check=True); print('SUCCEEDED')",
    "os.system": "import os; print('SUCCEEDED' * (os.system('true') == 0))",
    "fork": "import os\nif os.fork() == 0: os._exit(0)\nprint('SUCCEEDED')",
    "multiprocessing": "import multiprocessing as m\nif __name__ == '__main__': m.get_context('fork').Pool(1); print('SUCCEEDED')",
    "tcp socket": "import socket; socket.socket(); print('SUCCEEDED')",
    "udp socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print('SUCCEEDED')",
    "unix socket": "import socket; socket.socket(socket.AF_UNIX); print('SUCCEEDED')",
    "abstract socket": "import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0k2eval'); print('SUCCEEDED')",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print('SUCCEEDED')",
    "memfd": "import os; os.memfd_create('x'); print('SUCCEEDED')",
    "shared memory": "from multiprocessing import shared_memory as s; m = s.SharedMemory(create=True, size=9); m.close(); m.unlink(); print('SUCCEEDED')",
    "kill itself": "import os, signal\ntry: os.kill(os.getpid(), 0) or print('SUCCEEDED')\nfinally: os.kill(os.getppid(), 0)",
}  # fmt: skip

BREAKING = {
    "write own source": "open('/submission/main.py', 'w'); print('SUCCEEDED')",
    "write standard input": "open('/submission/stdin', 'r+'); print('SUCCEEDED')",
    "remove own source": "import os; os.unlink('/submission/main.py'); print('SUCCEEDED')",
    "change mode of own source": "import os; os.chmod('/submission/main.py', 0o777); print('SUCCEEDED')",
    "write interpreter": "import os; open(os.__file__, 'a'); print('SUCCEEDED')",
    "write root": "import os; os.mkdir('/x'); print('SUCCEEDED')",
    "write dev": "open('/dev/x', 'w'); print('SUCCEEDED')",
    "device node": "import os; os.mknod('x', 0o20666, os.makedev(1, 1)); print('SUCCEEDED')",
    "fifo": "import os; os.mkfifo('x'); print('SUCCEEDED')",
    "hard link out of the scratch": "import os; os.link('/submission/main.py', 'x'); print('SUCCEEDED')",
    "chroot": "import os; os.chroot('/tmp'); print('SUCCEEDED')",
    "executable scratch": (
        "import ctypes, os, mmap\nopen('x', 'wb').write(b'\\xc3' * 4096); f = os.open('x', os.O_RDONLY)\n"
        "mmap.mmap(f, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC); print('SUCCEEDED')"
    ),
    "other descriptors": (
        "import os\nfor n in range(3, 1024):\n  try: os.fstat(n); print('SUCCEEDED', n)\n  except OSError: pass"
    ),
    "other process ids": (
        "import os\nfor n in range(3, 400):\n  try:\n    if n != os.getpid(): os.kill(n, 0); print('SUCCEEDED')\n"
        "  except OSError: pass"
    ),
    "group of others": "import os; print('SUCCEEDED' * (os.getpgid(0) != os.getpid()))",
    "session of others": "import os; print('SUCCEEDED' * (os.getsid(0) not in (0, os.getpid())))",
    "terminal": "import os; print('SUCCEEDED', os.open('/dev/tty', os.O_RDWR | os.O_NOCTTY))",
    "become root": "import os; os.setuid(0); print('SUCCEEDED')",
    "capabilities": (
        "import ctypes\nheader = (ctypes.c_uint32 * 2)(0x20080522, 0); data = (ctypes.c_uint32 * 6)()\n"
        "ctypes.CDLL(None).capget(header, data); print('SUCCEEDED' * any(data))"
    ),
    "root identity": "import os; print('SUCCEEDED' * (0 in os.getresuid() + os.getresgid() + tuple(os.getgroups())))",
    "raise limits": (
        "import resource as r\n"
        "for n in (r.RLIMIT_AS, r.RLIMIT_FSIZE, r.RLIMIT_NPROC, r.RLIMIT_CPU, r.RLIMIT_NOFILE):\n"
        "  try: r.setrlimit(n, (-1, -1)); print('SUCCEEDED')\n  except (OSError, ValueError): pass"
    ),
    "limits of the watcher": "import resource as r; r.prlimit(1, r.RLIMIT_STACK, (0, 0)); print('SUCCEEDED')",
    "frames with secrets": (
        "import sys\nframe = sys._getframe()\n"
        "while frame:\n"
        "  if any('canary-' in repr(v) for v in [*frame.f_locals.values(), *frame.f_globals.values()]): print('SUCCEEDED')\n"
        "  frame = frame.f_back"
    ),
    "objects with secrets": (
        "import gc\nfor o in gc.get_objects():\n  try:\n    if 'canary-' in str(o): print('SUCCEEDED')\n  except Exception: pass"
    ),
    "paths of the grader": (
        "import sys, gc\ntexts = [*sys.path, *sys.argv, *sys.orig_argv, sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix]\n"
        "texts += [getattr(m, '__file__', None) or '' for m in sys.modules.values()]\n"
        f"print('SUCCEEDED' * any(t and t.startswith(({str(Path.cwd())!r}, '/root', '/home', {HOME_OF_PACKAGES!r})) for t in texts))"
    ),
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def planted() -> object:
    os.environ["K2EVAL_TEST_SECRET"] = CANARY
    yield
    del os.environ["K2EVAL_TEST_SECRET"]


@pytest.fixture(scope="module")
def secretive() -> object:
    """A sandbox started by a process that holds the secret in its environment."""
    with Sandbox("plain") as box:
        yield box


@pytest.mark.parametrize("name", LOOKING)
def test_looking_out_fails(secretive: Sandbox, name: str) -> None:
    result = secretive.run(LOOKING[name], limits=LIMITS)
    if name == "kill itself":
        assert result.outcome is RunOutcome.OK
        return
    assert SUCCEEDED not in result.stdout, result
    assert result.outcome in (RunOutcome.OK, RunOutcome.RUNTIME_ERROR, RunOutcome.VIOLATION)
    assert secretive.run("print(6 * 7)").stdout == b"42\n"


@pytest.mark.parametrize(
    "name", sorted(LOOKING.keys() - {"abstract socket", "shared memory", "environment on the stack"})
)
def test_the_same_succeeds_outside(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOKING[name]], capture_output=True, timeout=240, check=False
    )
    assert SUCCEEDED in done.stdout, done.stderr


@pytest.mark.parametrize("name", BREAKING)
def test_breaking_out_fails(attacked: Sandbox, name: str) -> None:
    result = attacked.run(BREAKING[name], limits=LIMITS)
    assert SUCCEEDED not in result.stdout, result
    assert result.outcome in (RunOutcome.OK, RunOutcome.RUNTIME_ERROR, RunOutcome.VIOLATION)


# Numbers of x86-64. Every one must fail or end the process.
CALLS = {
    "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68,
    "ptrace": 101, "setuid": 105, "setgid": 106, "setreuid": 113, "setgroups": 116, "setresuid": 117, "capset": 126,
    "mknod": 133, "personality": 135, "sched_setscheduler": 144, "vhangup": 153, "modify_ldt": 154, "pivot_root": 155,
    "prctl": 157, "arch_prctl": 158, "chroot": 161, "sync": 162, "acct": 163, "mount": 165, "umount2": 166, "swapon": 167,
    "reboot": 169, "sethostname": 170, "iopl": 172, "ioperm": 173, "init_module": 175, "setxattr": 188, "lsetxattr": 189,
    "sched_setaffinity": 203, "io_setup": 206, "lookup_dcookie": 212, "timer_create": 222, "mbind": 237, "mq_open": 240,
    "kexec_load": 246, "waitid": 247, "add_key": 248, "request_key": 249, "keyctl": 250, "inotify_init": 253, "ioprio_set": 251,
    "migrate_pages": 256, "unshare": 272, "splice": 275, "tee": 276, "vmsplice": 278, "signalfd4": 289, "inotify_init1": 294,
    "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "syncfs": 306, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "sched_setattr": 314, "seccomp": 317,
    "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323, "pkey_alloc": 330,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432,
    "pidfd_open": 434, "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "mount_setattr": 442, "landlock_create_ruleset": 444,
    "memfd_secret": 447, "process_mrelease": 448, "set_mempolicy_home_node": 450, "map_shadow_stack": 453, "unknown": 1000,
}  # fmt: skip
x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")


@x86_only
@pytest.mark.parametrize("name", CALLS)
def test_system_call_is_refused(attacked: Sandbox, name: str) -> None:
    source = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"result = libc.syscall({CALLS[name]}, 0, 0, 0, 0, 0, 0)\n"
        "print('SUCCEEDED' if result >= 0 or ctypes.get_errno() not in (1, 38) else 'refused')"
    )
    result = attacked.run(source, limits=LIMITS)
    assert SUCCEEDED not in result.stdout
    assert result.outcome is RunOutcome.VIOLATION or result.stdout == b"refused\n", result


MACHINE_CODE = """
import ctypes, mmap
code = bytes.fromhex({code!r})
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(code)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
result = ctypes.CFUNCTYPE(ctypes.c_long)(address)()
print('SUCCEEDED', result)
"""


@x86_only
@pytest.mark.parametrize(
    "code",
    ["53b814000000cd805bc3", "b8140000000f34c3", "b8270000400f05c3"],
    ids=["int 0x80", "sysenter", "x32"],
)
def test_other_architectures_are_refused(attacked: Sandbox, code: str) -> None:
    result = attacked.run(MACHINE_CODE.format(code=code), limits=LIMITS)
    assert SUCCEEDED not in result.stdout or result.stdout.startswith(b"SUCCEEDED -"), result


@x86_only
@pytest.mark.parametrize(
    "call",
    [
        "62, os.getpid(), 2**32 + 9",
        "234, os.getpid(), os.getpid(), 2**32 + 9",
        "200, os.getpid(), 2**32 + 9",
        "62, os.getpid(), 19",
        "41, 2**32 + 2, 1, 0",
        "53, 2**32 + 2, 1, 0, ctypes.byref(pair)",
        "72, 0, 2**32 + 10, 9",
        "56, 2**32 + 17, 0, 0, 0, 0",
        "302, 2**32 + 1, 3, ctypes.byref(pair), 0",
        "302, 0, 2**32 + 9, ctypes.byref(pair), 0",
    ],
)
def test_wide_arguments_do_not_slip_through(attacked: Sandbox, call: str) -> None:
    source = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\npair = (ctypes.c_int64 * 2)(1 << 60, 1 << 60)\n"
        f"libc.syscall.argtypes = None\nargs = [a if not isinstance(a, int) else ctypes.c_long(a) for a in ({call})]\n"
        "result = libc.syscall(*args)\nprint('SUCCEEDED' if result >= 0 else 'refused')"
    )
    result = attacked.run(source, limits=LIMITS)
    assert result.outcome is RunOutcome.VIOLATION or result.stdout == b"refused\n", result


def test_signals_do_not_reach_the_watcher(attacked: Sandbox) -> None:
    source = (
        "import os, signal\nfor target in (1, 0, -1):\n  for number in range(1, 65):\n"
        "    try:\n      if target == 1: os.kill(target, number)\n"
        "      elif number in (0, 17, 18, 23, 28): os.kill(target, number)\n    except OSError: pass\nprint('alive')"
    )
    assert attacked.run(source, limits=LIMITS).stdout == b"alive\n"


def test_a_call_sees_only_its_channel(attacked: Sandbox) -> None:
    source = "import os\ndef f():\n  found = []\n  for n in range(1024):\n    try: os.fstat(n); found.append(n)\n    except OSError: pass\n  return found"
    assert attacked.call(source, [Call("f")]).calls[0].value == [0, 1, 2, 3]


def test_descriptors_cannot_be_sent_over_the_channel(attacked: Sandbox) -> None:
    source = (
        "import socket\ndef f():\n  s = socket.socket(fileno=3)\n"
        "  try: socket.send_fds(s, [b'x'], [0, 1, 2])\n"
        "  except PermissionError: return 'refused'\n"
        "  finally: s.detach()"
    )
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert attacked.call(source, [Call("f")]).calls[0].value == "refused"
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
