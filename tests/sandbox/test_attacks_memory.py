"""Everything that a program makes the kernel hold counts against its limit, is bounded, or cannot be made."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from k2eval.sandbox import Call, CallResult, Limits, RunOutcome, Sandbox
from tests.sandbox.test_attacks_poison import processes_of

MIB = 1 << 20
LIMIT_MB, ROOM_MB = 128, 64
LIMITS = Limits(cpu_s=6, memory_mb=LIMIT_MB)
SYSTEM = """
import ctypes, mmap, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
pointer, size = ctypes.c_void_p, ctypes.c_size_t
libc.mmap.restype, libc.mmap.argtypes = pointer, (pointer, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, size)
libc.mremap.restype, libc.mremap.argtypes = pointer, (pointer, size, size, ctypes.c_int, pointer)
libc.mprotect.argtypes, libc.munmap.argtypes = (pointer, size, ctypes.c_int), (pointer, size)
libc.madvise.argtypes = (pointer, size, ctypes.c_int)
MIB, PRIVATE, SHARED, FIXED = 1 << 20, 0x22, 0x21, 0x100010
def take(length, flags=PRIVATE, protection=3, address=None):
    place = libc.mmap(address, length, protection, flags, -1, 0)
    if place == 2 ** 64 - 1:
        raise OSError(ctypes.get_errno(), "mmap")
    return place
"""


def warm_bytes(box: Sandbox) -> int:
    """Return the peak memory of a program that does nothing."""
    return box.run("pass").peak_memory_bytes


HOARDS = {
    "data made read-only": (
        "while True:\n  place = take(4 * MIB); ctypes.memset(place, 1, 4 * MIB); libc.mprotect(place, 4 * MIB, 1)"
    ),
    "data made unreadable by threads": (
        "import threading\n"
        "def hoard():\n"
        "  while True: place = take(4 * MIB); ctypes.memset(place, 1, 4 * MIB); libc.mprotect(place, 4 * MIB, 0)\n"
        "for _ in range(8): threading.Thread(target=hoard).start()"
    ),
    "page tables": (
        "try:\n"
        "  for n in range(1, 60000): ctypes.memset(take(4096, PRIVATE | FIXED, 3, n << 30), 1, 1)\n"
        "except OSError: pass\ntime.sleep(5)"
    ),
    "main stack": ("sys.setrecursionlimit(10 ** 9)\ndef dive(n): return [*map(dive, (n + 1,))]\ndive(0)"),
    "all kinds at once": (
        "for number in (1, 2): os.write(number, bytes(15 * MIB))\n"
        "for number in range(4): open(str(number), 'wb').write(bytes(15 * MIB))\n"
        "data = bytearray(100 * MIB); time.sleep(5)"
    ),
    "main stack, when only another thread is left": (
        "import threading\n"
        "def hoard():\n"
        "  end = pointer.in_dll(libc, '__libc_stack_end').value & -4096\n"
        "  for n in range(1, 230000): ctypes.memset(end - n * 4096, 1, 1)\n"
        "  time.sleep(5)\n"
        "threading.Thread(target=hoard).start()\nlibc.syscall(60, 0)"
    ),
    "parts of large pages": (
        "while True:\n"
        "  place = take(4 * MIB); start = place + 2 * MIB - 1 & -2 * MIB\n"
        "  libc.madvise(start, 2 * MIB, 14); ctypes.memset(start, 1, 1); libc.munmap(start + 4096, 2 * MIB - 4096)\n"
        "  libc.munmap(place, start - place); libc.munmap(start + 2 * MIB, place + 2 * MIB - start)"
    ),
}


@pytest.mark.parametrize("name", HOARDS)
def test_what_is_hoarded_counts(attacked: Sandbox, name: str) -> None:
    warm = warm_bytes(attacked)
    result = attacked.run(SYSTEM + HOARDS[name], limits=LIMITS)
    if "threads" not in name:  # there it is threads that meet the limit, not the program
        assert result.outcome in (RunOutcome.MEMORY_LIMIT, RunOutcome.TIME_LIMIT), result
    assert result.peak_memory_bytes - warm < (LIMIT_MB + ROOM_MB) * MIB


def test_the_reported_peak_is_what_the_host_sees(attacked: Sandbox) -> None:
    attacked.run("pass")
    before, highest = processes_of(attacked), [0]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for pid in processes_of(attacked) - before:
                try:
                    fields = dict(
                        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                    )
                    size = sum(int(fields[name].split()[0]) for name in ("RssAnon", "VmPTE")) << 10
                except (OSError, KeyError, ValueError):
                    continue
                highest[0] = max(highest[0], size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    source = (
        "for n in range(1, 8000): ctypes.memset(take(4096, PRIVATE | FIXED, 3, n << 30), 1, 1)\ntime.sleep(1)"
    )
    result = attacked.run(SYSTEM + source, limits=LIMITS)
    done.set()
    watcher.join()
    assert result.outcome is RunOutcome.OK
    assert highest[0] > 80 * MIB
    assert result.peak_memory_bytes > 0.95 * highest[0]


def test_several_boxes_are_each_held(plain: Sandbox) -> None:
    results = {}
    with Sandbox("plain") as other:

        def attack(name: str, box: Sandbox) -> None:
            results[name] = box.run(SYSTEM + HOARDS["page tables"], limits=LIMITS)

        threads = [
            threading.Thread(target=attack, args=item) for item in (("first", plain), ("second", other))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [result.outcome for result in results.values()] == [RunOutcome.MEMORY_LIMIT] * 2
    assert max(result.peak_memory_bytes for result in results.values()) < (LIMIT_MB + ROOM_MB + 20) * MIB


@pytest.mark.slow
def test_copies_of_what_the_warm_interpreter_shares_count(scientific: Sandbox) -> None:
    source = SYSTEM + (
        "import gc\npages, seen, waiting = set(), set(), [vars(module) for module in list(sys.modules.values())]\n"
        "while waiting:\n"
        "  item = waiting.pop()\n"
        "  if id(item) not in seen: seen.add(id(item)); pages.add(id(item) >> 12); waiting += gc.get_referents(item)\n"
        "del seen, waiting\n"
        "for page in sorted(pages): ctypes.memmove(page << 12, ctypes.string_at(page << 12, 1), 1)\n"
        "try:\n  while True: ctypes.memset(take(4 * MIB), 1, 4 * MIB)\n"
        "except OSError: time.sleep(3)"
    )
    result = scientific.run(source, limits=Limits(cpu_s=20, memory_mb=256))
    assert result.outcome is RunOutcome.MEMORY_LIMIT


REFUSED = {
    "shared anonymous mapping": "take(MIB, SHARED)",
    "shared mapping of zeros": "mmap.mmap(os.open('/dev/zero', os.O_RDWR), MIB)",
    "mapping that grows down": "take(MIB, PRIVATE | 0x100)",
    "pages of the machine's pool": "take(2 * MIB, PRIVATE | 0x40000)",
    "droppable mapping": "take(MIB, 0x28)",
    "memory file": "os.memfd_create('x')",
    "larger pipe": "import fcntl; fcntl.fcntl(os.pipe()[1], 1031, 1 << 20)",
    "descriptors in flight": (
        "import socket; ours, theirs = socket.socketpair(); socket.send_fds(ours, [b'x'], [0])"
    ),
    "datagrams": "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "sequenced packets": "import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    "larger buffer": "import socket; socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)",
    "bytes out of band": "import socket; socket.socketpair()[0].send(b'x', socket.MSG_OOB)",
    "pages of files in pipes": (
        "file = open('x', 'w+b'); file.write(bytes(MIB)); file.flush(); os.sendfile(os.pipe()[1], file.fileno(), 0, 4096)"
    ),
    "large pages by force": (
        "place = take(4 * MIB)\nif libc.madvise(place + 2 * MIB - 1 & -2 * MIB, 2 * MIB, 25): raise OSError"
    ),
    "guards in page tables": "if libc.madvise(take(MIB), MIB, 102): raise OSError",
    "merging of pages": "if libc.madvise(take(MIB), MIB, 12): raise OSError",
    "open files of a thread's own": (
        "top = take(MIB) + MIB - 64\n"
        "if libc.clone(ctypes.cast(libc.pause, pointer), pointer(top), 0x50B00, None) < 0: raise OSError"
    ),
    "open files taken apart": "if libc.syscall(436, 60, 62, 2): raise OSError",
    "more open files": "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (256, 256))",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_counted_cannot_be_made(attacked: Sandbox, name: str) -> None:
    result = attacked.run(f"{SYSTEM}\n{REFUSED[name]}\nprint('SUCCEEDED')", limits=LIMITS)
    assert b"SUCCEEDED" not in result.stdout
    assert result.outcome is RunOutcome.RUNTIME_ERROR, result
    assert "NameError" not in result.message


def test_a_program_whose_threads_follow_one_another_does_not_break_the_box(attacked: Sandbox) -> None:
    source = f"""{SYSTEM}
import _thread
def hop(left):
    time.sleep(0.001)
    if left == 0:
        print("done", flush=True)
        os._exit(0)
    _thread.start_new_thread(hop, (left - 1,))
_thread.start_new_thread(hop, (400,))
libc.syscall(60, 0)
"""
    result = attacked.run(source, limits=LIMITS)
    assert (result.outcome, result.stdout) == (RunOutcome.OK, b"done\n")


def test_a_program_has_few_open_files(attacked: Sandbox) -> None:
    source = "import os\nn = 3\ntry:\n  while True: os.dup(0); n += 1\nexcept OSError: print(n)"
    assert attacked.run(source).stdout == b"64\n"


BESIDE = {
    "sockets": ("pairs = []\nwhile True:\n  try: pairs += socket.socketpair()\n  except OSError: break", 24),
    "pipes": ("pipes = []\nwhile True:\n  try: pipes += os.pipe()\n  except OSError: break", 3),
    "scratch": ("for n in range(2): open(str(n), 'wb').write(bytes(10 << 20))", 20),
    "files": ("for n in range(1000): os.symlink('x', str(n))", 2),
    "output": ("os.write(2, bytes(15 << 20))", 15),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_a_program_keeps_beside_its_memory_counts(attacked: Sandbox, name: str) -> None:
    source, least_mb = BESIDE[name]
    before = attacked.run("import os, socket, time\ntime.sleep(0.5)").peak_memory_bytes
    result = attacked.run(f"import os, socket, time\n{source}\ntime.sleep(0.5)")
    assert result.outcome is RunOutcome.OK
    assert result.peak_memory_bytes - before > 0.9 * least_mb * MIB


def test_what_is_kept_beside_the_memory_can_reach_the_limit(attacked: Sandbox) -> None:
    source = "import time\nfor n in range(4): open(str(n), 'wb').write(bytes(15 << 20))\ntime.sleep(9)"
    assert attacked.run(source, limits=Limits(memory_mb=32)).outcome is RunOutcome.MEMORY_LIMIT


def test_no_folder_of_the_machine_is_in_sight(plain: Sandbox) -> None:
    # The kernel would keep each name that is looked up there in vain, without a limit.
    source = (
        "import os\nmounts = {os.stat(path).st_dev for path in ('/', '/tmp', '/submission')}\n"
        "print([path for path, _, _ in os.walk('/') if os.stat(path).st_dev not in mounts])"
    )
    assert plain.run(source).stdout == b"[]\n"


def test_mappings_are_counted(attacked: Sandbox) -> None:
    source = SYSTEM + (
        "place = take(400 * MIB, PRIVATE | 0x4000, 0)\n"
        "for n in range(0, 400 * MIB, 8192):\n  if libc.mprotect(place + n, 4096, 3): break\n"
        "time.sleep(2)"
    )
    result = attacked.run(source, limits=Limits(memory_mb=256))
    assert result.peak_memory_bytes - warm_bytes(attacked) > 10 * MIB


# ------------------------------------------------------------------------------- what honest programs do with all this

HONEST = {
    "anonymous mapping": ("import mmap\nm = mmap.mmap(-1, 100)\nm[:2] = b'ab'\nm.resize(9000)\nprint(m[:2], len(m))", b"b'ab' 9000\n"),
    "mapping by keywords": ("import mmap\nm = mmap.mmap(fileno=-1, length=10, access=mmap.ACCESS_WRITE)\nprint(len(m), isinstance(m, mmap.mmap), type(m))", b"10 True <class 'mmap.mmap'>\n"),
    "mapping to read": ("import mmap\nm = mmap.mmap(-1, 10, access=mmap.ACCESS_READ)\nprint(m[:2])", b"b'\\x00\\x00'\n"),
    "mapped standard input": ("import mmap\nm = mmap.mmap(0, 0, access=mmap.ACCESS_READ)\nprint(m.readline())", b"b'a b\\n'\n"),
    "mapped file": ("import mmap\nf = open('x', 'w+b')\nf.write(b'abc'); f.flush()\nm = mmap.mmap(f.fileno(), 0)\nm[0] = 122; m.flush(); f.seek(0)\nprint(f.read())", b"b'zbc'\n"),
    "mapping given back": ("import mmap\nfor _ in range(40):\n  m = mmap.mmap(-1, 64 << 20)\n  for n in range(0, 64 << 20, 1 << 16): m[n] = 1\n  m.resize(4096); m.close()\nprint(1)", b"1\n"),
    "flush to disk": ("import os\nf = open('x', 'wb')\nf.write(b'1'); f.flush(); os.fsync(f.fileno()); os.fdatasync(f.fileno())\nprint(1)", b"1\n"),
    "advice on a file": ("import os\nos.posix_fadvise(0, 0, 0, os.POSIX_FADV_SEQUENTIAL)\nprint(1)", b"1\n"),
    "locks": ("import fcntl\nf = open('x', 'wb')\nfcntl.flock(f, 2); fcntl.lockf(f, 2); fcntl.flock(f, 8)\nprint(1)", b"1\n"),
    "copied file": ("import shutil\nopen('x', 'wb').write(bytes(100000))\nshutil.copy('x', 'y')\nprint(len(open('y', 'rb').read()))", b"100000\n"),
    "data base in a file": ("import sqlite3\nd = sqlite3.connect('x.db')\nd.execute('create table t (a)'); d.execute('insert into t values (5)'); d.commit(); d.close()\nprint(sqlite3.connect('x.db').execute('select a from t').fetchall())", b"[(5,)]\n"),
    "library loaded late": ("import ssl, ctypes, sqlite3, decimal\nprint(ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 5)())", b"5\n"),
    "socket pair": ("import socket\na, b = socket.socketpair()\na.sendall(b'x')\nprint(b.recv(1))", b"b'x'\n"),
    "shared numbers": ("import multiprocessing as m\nprint(1)", b"1\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_honest_programs_go_on(plain: Sandbox, name: str) -> None:
    source, expected = HONEST[name]
    result = plain.run(source, stdin=b"a b\n", limits=Limits(memory_mb=256))
    assert (result.outcome, result.stdout) == (RunOutcome.OK, expected), result


def test_memory_mapped_arrays_work(numpy_box: Sandbox) -> None:
    source = "import numpy as np\na = np.memmap('x', dtype='i8', mode='w+', shape=9)\na[3] = 5; a.flush()\nprint(np.memmap('x', 'i8')[3])"
    assert numpy_box.run(source).stdout == b"5\n"


# ---------------------------------------------------------------------------------------------- files of the machine


def test_locks_on_files_of_the_machine_are_seen_by_nobody(attacked: Sandbox) -> None:
    source = (
        "import fcntl, os\nfile = open(os.__file__, 'rb')\n"
        "def f():\n  fcntl.flock(file, fcntl.LOCK_EX)\n  fcntl.lockf(file, fcntl.LOCK_SH)\n  return True"
    )
    seen: list[bool] = []

    def locked(index: int, answer: CallResult) -> bool:
        with open(os.__file__, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
        seen.append(answer.value)
        return False

    result = attacked.call(source, [Call("f")] * 2, stop=locked)
    assert (result.outcome, seen) == (RunOutcome.OK, [True, True])


def test_a_lock_of_the_machine_is_not_to_be_seen(attacked: Sandbox) -> None:
    source = (
        "import fcntl, os, struct\nfile = open(os.__file__, 'rb')\nfcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)\n"
        "try: print(fcntl.fcntl(file, fcntl.F_GETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0)))\n"
        "except PermissionError: print('refused')"
    )
    with open(os.__file__, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert attacked.run(source).stdout == b"refused\n"


def test_locks_take_no_memory(attacked: Sandbox) -> None:
    source = "import fcntl\nfile = open('x', 'wb')\nfor n in range(200_000): fcntl.lockf(file, 2, 1, 2 * n)\nprint(1)"
    started = time.process_time()
    assert attacked.run(source, limits=Limits(cpu_s=3)).outcome is RunOutcome.OK
    assert time.process_time() - started < 3
