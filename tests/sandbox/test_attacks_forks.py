"""Attacks on what forks programs: the warm interpreter, the watcher of a batch, and the process that measures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from k2eval.sandbox import Call, Limits, RunOutcome, Sandbox
from tests.sandbox.test_attacks_poison import processes_of

LIMITS = Limits(cpu_s=1, wall_s=10, memory_mb=256)
OK = RunOutcome.OK

# Each runs for the first input of a batch; for the second the program says what it finds.
LEFT_BEHIND = {
    "a file": ("open('x', 'w').write('x')", "os.listdir('.')", "[]"),
    "a file that is gone again": ("open('x', 'w'); os.unlink('x'); os.utime('.', ns=(0, 0))", "os.stat('.').st_mtime_ns > 0", "True"),
    "times of the folder": ("os.utime('.', ns=(5, 5))", "os.stat('.').st_mtime_ns != 5", "True"),
    "mode of the folder": ("os.chmod('.', 0)", "oct(os.stat('.').st_mode & 0o777)", "0o700"),
    "a hard link": ("open('x', 'w'); os.link('x', 'y'); os.unlink('x')", "os.listdir('.')", "[]"),
    "a lock": ("import fcntl; fcntl.flock(os.open('/submission/stdin', os.O_RDONLY), 2)", "1", "1"),
    "a place in standard input": ("os.lseek(0, 1, 0)", "os.lseek(0, 0, 1)", "0"),
    "standard input without waiting": ("os.set_blocking(0, False)", "os.get_blocking(0)", "True"),
    "closed descriptors": ("os.closerange(0, 64)", "os.fstat(1).st_size", "0"),
    "a limit": ("import resource as r; r.setrlimit(r.RLIMIT_STACK, (8192, 8192))", "__import__('resource').getrlimit(3)[0] > 8192", "True"),
    "an ignored signal": ("import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 10, 15)]", "__import__('signal').getsignal(15) == 0", "True"),
    "a blocked signal": ("import signal; signal.pthread_sigmask(0, range(1, 65))", "len(__import__('signal').pthread_sigmask(0, ())) == 0", "True"),
    "a timer": ("import signal; signal.setitimer(0, 0.05)", "__import__('signal').getitimer(0)", "(0.0, 0.0)"),
    "a patched module": ("sys.modules['json'] = None; os.listdir = None", "os.listdir('.')", "[]"),
    "a changed constant": ("import ctypes; ctypes.memset(id(1) + 24, 3, 1)", "1", "1"),
    "a mask": ("os.umask(0o777)", "oct(os.umask(0))", "0o22"),
    "another folder": ("os.chdir('/')", "os.getcwd()", "/tmp"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_a_run_of_a_batch_leaves_nothing_for_the_next(attacked: Sandbox, name: str) -> None:
    act, probe, expected = LEFT_BEHIND[name]
    source = f"import os, sys\nif open('/submission/stdin').read() == 'act':\n  {act}\nelse: print({probe})"
    first, second, third = attacked.run_batch(source, [b"act", b"probe", b"probe"], limits=LIMITS)
    assert first.outcome is not RunOutcome.SANDBOX_ERROR
    assert (second.outcome, second.stdout.decode().strip()) == (OK, expected), second
    assert third.stdout == second.stdout


def test_the_next_input_of_a_batch_is_not_there_yet(attacked: Sandbox) -> None:
    source = "import os\nprint([open('/submission/' + name).read() for name in sorted(os.listdir('/submission'))][2:])"
    results = attacked.run_batch(source, [b"first", b"second", b"third"], limits=LIMITS)
    assert [eval(result.stdout)[-1] for result in results] == ["first", "second", "third"]
    assert all(b"third" not in result.stdout for result in results[:2])


ON_THE_FORKS = {
    "signals to the first process": "for n in range(1, 65):\n  for p in (1, 2):\n    try: os.kill(p, n)\n    except OSError: pass",
    "limits of the first process": "import resource as r\nfor n in range(16):\n  try: r.prlimit(1, n, (0, 0)); print('SUCCEEDED')\n  except (OSError, ValueError): pass",
    "priority of the first process": "try: os.setpriority(0, 1, 19); print('SUCCEEDED')\nexcept OSError: pass",
    "processors of the first process": "try: os.sched_setaffinity(1, {0}); print('SUCCEEDED')\nexcept OSError: pass",
    "memory of the first process": (
        "import ctypes\nlibc = ctypes.CDLL(None)\nprint('SUCCEEDED' * (libc.process_vm_readv(1, None, 0, None, 0, 0) >= 0))"
    ),
    "descriptors of the first process": "import ctypes\nprint('SUCCEEDED' * (ctypes.CDLL(None).syscall(434, 1, 0) >= 0))",
    "descriptors that were not closed": (
        "for n in range(3, 4096):\n  try: os.fstat(n); print('SUCCEEDED', n)\n  except OSError: pass"
    ),
    "a group of its own": "try: os.setpgid(0, 1); print('SUCCEEDED')\nexcept OSError: pass",
    "the folder of the source": "import stat\nos.chdir('/submission')\ntry: os.unlink('stdin'); print('SUCCEEDED')\nexcept OSError: pass",
    "the process that measures": "for p in range(2, 2000):\n  try: os.kill(p, 0); p == os.getpid() or print('SUCCEEDED', p)\n  except OSError: pass",
    "what lies above the root": "print('SUCCEEDED' * (sorted(os.listdir('/../..')) != sorted(os.listdir('/'))))",
}  # fmt: skip


@pytest.mark.parametrize("name", ON_THE_FORKS)
@pytest.mark.parametrize("mode", ["run", "batch", "call", "record"])
def test_the_processes_above_cannot_be_reached(attacked: Sandbox, name: str, mode: str) -> None:
    source = "import os\n" + ON_THE_FORKS[name]
    if mode == "run":
        results = [attacked.run(source, limits=LIMITS)]
    elif mode == "batch":
        results = attacked.run_batch(source, [b""] * 2, limits=LIMITS)
    elif mode == "record":
        results = [attacked.record(source, "emit(1)", limits=LIMITS)]
    else:
        results = [attacked.call(source + "\ndef f(): return 1", [Call("f")], limits=LIMITS)]
    for result in results:
        allowed = (
            b"SUCCEEDED 3" if mode in ("call", "record") and "closed" in name else None
        )  # channel, records
        assert {line for line in result.stdout.splitlines() if b"SUCCEEDED" in line} <= {allowed}, result
        assert result.outcome in (OK, RunOutcome.RUNTIME_ERROR, RunOutcome.VIOLATION)


def test_the_process_that_measures_goes_with_the_box() -> None:
    with Sandbox("plain") as box:
        box.run("import time; time.sleep(0.2)")
        family = processes_of(box)
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists() and pid != os.getpid()]


@pytest.mark.slow
def test_a_long_batch_does_not_use_up_the_watcher(plain: Sandbox) -> None:
    results = plain.run_batch("", [b""] * 4000, limits=Limits(cpu_s=0.05))
    assert {result.outcome for result in results} == {OK}
