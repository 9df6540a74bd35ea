"""Bombs, and what an attack may leave behind for the next submission on the same worker."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from k2eval.sandbox import Call, Limits, RunOutcome, Sandbox

LIMITS = Limits(cpu_s=1, wall_s=6, memory_mb=256, stack_mb=64, output_bytes=1 << 20, scratch_mb=8, threads=16)

BOMBS = {
    "fork": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
    "thread": "import threading\ndef f():\n  while True:\n    try: threading.Thread(target=f).start()\n    except RuntimeError: pass\nf()",
    "thread stacks": "import threading, time\nthreading.stack_size(1 << 29)\nfor _ in range(99):\n  try: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n  except RuntimeError: pass",
    "memory by mmap": "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 1 << 24)); x[-1].write(bytes(1 << 24))",
    "memory by shared mmap": "import mmap\nx = []\nwhile True: x.append(mmap.mmap(-1, 1 << 24, mmap.MAP_SHARED)); x[-1].write(bytes(1 << 24))",
    "memory by pipes": "import os\nwhile True:\n  r, w = os.pipe(); os.set_blocking(w, False)\n  try: os.write(w, bytes(1 << 20))\n  except BlockingIOError: pass",
    "memory by sockets": "import socket\nx = []\nwhile True:\n  a, b = socket.socketpair(); x += [a, b]; a.setblocking(False)\n  try:\n    while True: a.send(bytes(1 << 16))\n  except BlockingIOError: pass",
    "memory by passed descriptors": "import socket\nwhile True:\n  a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [a.fileno(), b.fileno()] * 100)\n  a.close()",
    "memory by the scratch": "x = open('x', 'wb')\nwhile True: x.write(bytes(1 << 20)); x.flush()",
    "memory mapped on the scratch": "import mmap\nf = open('x', 'w+b')\nf.truncate(1 << 22)\nfor n in range(9**9): m = mmap.mmap(f.fileno(), 0); m.write(bytes(1 << 22)); m.close()",
    "sparse output": "import os\nos.truncate(1, (1 << 20) + 1)\nos.truncate(2, (1 << 20) + 1)",
    "descriptors": "import os\nwhile True: os.dup(0)",
    "epoll": "import select\nx = []\nwhile True: x.append(select.epoll())",
    "recursion": "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n  def __getattr__(self, n): return getattr(self, n + 'x')\nA().x",
    "regular expression": "import re\nre.match('(a*)*b', 'a' * 40)",
    "string formatting": "'%*d' % (10**9, 1)",
    "deep list": "x = []\nfor _ in range(10**6): x = [x]\nprint(len(repr(x)))",
    "deallocation": "x = None\nfor _ in range(10**6): x = (x,)\ndel x\nprint(1)",
    "signals to itself": "import signal, os\nfor n in range(1, 65):\n  try: signal.signal(n, lambda *a: os.kill(os.getpid(), n))\n  except (OSError, ValueError): pass\nwhile True: os.kill(os.getpid(), 10)",
    "interval timer": "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)\nsignal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)\nwhile True: pass",
    "abort": "import os; os.abort()",
    "null pointer": "import ctypes; ctypes.string_at(0)",
    "smashed heap": "import ctypes\nx = b'x' * 64\nctypes.memset(id(x) - 4096, 255, 1 << 20)",
    "stop": "import os, signal; os.kill(os.getpid(), signal.SIGTSTP); os.kill(os.getpid(), signal.SIGTTIN)",
    "daemon": "import os\ntry: os.fork() and os._exit(0)\nexcept OSError: pass\nos.setsid() if 0 else None\nimport time; time.sleep(99)",
    "closed streams": "import os\nfor n in range(3): os.close(n)\nraise ValueError",
    "swapped descriptors": "import os\nos.dup2(0, 1)\nos.dup2(0, 2)\nprint('x')",
    "negative seek": "import os\nos.lseek(1, 1 << 62, 0)\ntry: os.write(1, b'x')\nexcept OSError: pass",
    "locks": "import fcntl\nfcntl.flock(1, 2)\nfcntl.flock(open('/submission/main.py'), 1)\nfcntl.lockf(1, 2)",
    "stack limit": "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (4096, 4096))\ndef f(): f()\nf()",
    "compile": "compile('x=' + '-' * 10**6 + '1', '', 'exec')",
    "marshal": "import marshal; exec(marshal.loads(b'\\xe3' + bytes(100)))",
    "code object": "f = lambda: 0\nf.__code__ = f.__code__.replace(co_code=b'd\\xff' * 50 + b'S\\x00')\nf()",
    "after exit handlers": "import atexit\ndef f():\n  while True: pass\natexit.register(f)",
    "thread after main": "import threading\ndef f():\n  while True: pass\nthreading.Thread(target=f).start()",
    "destructor": "class A:\n  def __del__(self):\n    while True: pass\na = A()",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_ends_and_the_worker_goes_on(attacked: Sandbox, name: str) -> None:
    started = time.monotonic()
    result = attacked.run(BOMBS[name], limits=LIMITS)
    assert result.outcome is not RunOutcome.SANDBOX_ERROR, result
    assert result.peak_memory_bytes < 450 << 20
    assert time.monotonic() - started < 300


@pytest.mark.parametrize(
    "name", ["fork", "thread", "memory by mmap", "recursion", "abort", "closed streams", "smashed heap"]
)
def test_bomb_in_a_call(attacked: Sandbox, name: str) -> None:
    body = "\n".join("  " + line for line in BOMBS[name].splitlines())
    result = attacked.call(f"def f():\n{body}", [Call("f"), Call("f")], limits=LIMITS)
    assert result.outcome is not RunOutcome.SANDBOX_ERROR, result
    assert attacked.call("def f(): return 1", [Call("f")]).calls[0].value == 1


POISONS = {
    "builtins": ("import builtins; builtins.print = None; builtins.sum = lambda x: 0; builtins.open = None", "print(sum([1, 2]))", b"3\n"),
    "modules": ("import sys, math; math.sqrt = lambda x: 7; sys.modules['json'] = None", "import math, json; print(math.sqrt(9))", b"3.0\n"),
    "standard streams": ("import sys; sys.stdin.close(); sys.stdout.close(); sys.stdin = None", "print(input())", b"in\n"),
    "stdin state": ("import sys; sys.stdin.read(1); sys.stdout.write('left over')\nimport os; os._exit(0)", "print(input())", b"in\n"),
    "recursion limit": ("import sys; sys.setrecursionlimit(50)", "import sys; print(sys.getrecursionlimit())", b"1000\n"),
    "switch interval": ("import sys; sys.setswitchinterval(99)", "import sys; print(sys.getswitchinterval())", b"0.005\n"),
    "environment": ("import os; os.environ['LEFT'] = '1'", "import os; print('LEFT' in os.environ)", b"False\n"),
    "working directory": ("import os; os.mkdir('d'); os.chdir('d')", "import os; print(os.getcwd(), os.listdir('.'))", b"/tmp []\n"),
    "umask": ("import os; os.umask(0o777)", "import os; print(oct(os.umask(0)))", b"0o22\n"),
    "files": ("import os\nfor n in range(9): open(str(n), 'w').write('x')", "import os; print(os.listdir('/tmp'))", b"[]\n"),
    "deleted files": ("import os\nopen('x', 'w').write('x'); os.unlink('x')", "import os; print(os.listdir('/tmp'), os.stat('/tmp').st_nlink)", b"[] 2\n"),
    "signal handlers": ("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", "import signal; print(signal.getsignal(2) is signal.default_int_handler)", b"True\n"),
    "threads": ("import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()", "import threading; print(threading.active_count())", b"1\n"),
    "garbage collector": ("import gc; gc.disable(); gc.set_threshold(1)", "import gc; print(gc.isenabled(), gc.get_threshold()[0])", b"True 700\n"),
    "random state": ("import random; random.seed(5)", "import random; print(random.random())", None),
    "warnings": ("import warnings; warnings.simplefilter('error')", "import warnings; warnings.warn('x'); print(1)", b"1\n"),
    "import path": ("import sys; sys.path.insert(0, '/tmp'); sys.path_hooks.clear()", "import sys, base64; print('/tmp' in sys.path)", b"False\n"),
    "limits": ("import resource as r; r.setrlimit(r.RLIMIT_STACK, (8192, 8192))", "import resource as r; print(r.getrlimit(3)[0] > 1 << 20)", b"True\n"),
    "hash state": ("x = {str(n): n for n in range(10**5)}", "print(hash('a'))", None),
}  # fmt: skip


@pytest.mark.parametrize("name", POISONS)
def test_nothing_is_left_for_the_next_submission(attacked: Sandbox, name: str) -> None:
    poison, probe, expected = POISONS[name]
    before = attacked.run(probe, stdin=b"in\n").stdout
    attacked.run(poison, stdin=b"other\n")
    attacked.call(poison + "\ndef f(): pass", [Call("f")])
    after = attacked.run(probe, stdin=b"in\n").stdout
    assert after == before
    assert expected is None or after == expected


def test_no_text_of_an_earlier_submission_is_in_sight(attacked: Sandbox) -> None:
    attacked.run("secret = 'needle-' + '51f0'; print(input())", stdin=b"needle-51f0")
    attacked.record("x = 'needle-51f0'", "y = 'needle-51f0'", inputs={"x": "needle-51f0"})
    attacked.call("def f(x): return x", [Call("f", ["needle-51f0"])])
    probe = (
        "import gc, os\nparts = ['needle-', '51f', '0']\nword = ''.join(parts)\n"
        "found = [o for o in gc.get_objects() if type(o) in (list, dict, tuple) and o is not parts and word in repr(o)[:10**6] and o is not globals()]\n"
        "for name in os.listdir('/submission'):\n  if name != 'main.py' and open('/submission/' + name).read(): found.append(name)\n"
        "print(len(found))"
    )
    assert attacked.run(probe, stdin=b"").stdout == b"0\n"


def test_a_call_finds_no_standard_input_of_an_earlier_run(attacked: Sandbox) -> None:
    attacked.run("print(1)", stdin=b"secret input")
    result = attacked.call("def f(): return open('/submission/stdin').read() + open(0).read()", [Call("f")])
    assert result.calls[0].value == ""


def processes_of(box: Sandbox) -> set[int]:
    """Host process ids of a box and everything below."""
    assert box._box is not None
    return descendants(box._box.process.pid)


def descendants(first: int) -> set[int]:
    """A process and all below it."""
    lines = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    descendants, level = set[int](), {first}
    while level:
        descendants |= level
        level = {int(line.split()[0]) for line in lines if int(line.split()[1]) in level} - descendants
    return descendants


def test_no_process_is_left_after_an_attack(attacked: Sandbox) -> None:
    attacked.start()
    before = processes_of(attacked)
    for name in ("fork", "daemon", "thread after main", "stop"):
        attacked.run(BOMBS[name], limits=Limits(cpu_s=0.3, wall_s=0.6))
    deadline = time.monotonic() + 240  # a process that has given its report still has to end
    while processes_of(attacked) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(attacked) == before


def test_nothing_is_left_on_the_host(attacked: Sandbox) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    attacked.run("import os\nopen('left-by-the-sandbox', 'w').write('x'); os.mkdir('left-by-the-sandbox.d')")
    assert not [
        path
        for folder in ("/", "/tmp", "/dev/shm", ".")
        for path in Path(folder).glob("left-by-the-sandbox*")
    ]
    assert Path("/proc/self/mounts").read_text() == mounts
