"""Every limit has its outcome, and the same worker goes on."""

from __future__ import annotations

import time

import pytest

from k2eval.sandbox import Call, Limits, RunOutcome, Sandbox

SMALL = Limits(
    cpu_s=0.5, memory_mb=256, stack_mb=64, output_bytes=1 << 16, scratch_mb=4, scratch_files=32, threads=8
)


def test_cpu_limit(attacked: Sandbox) -> None:
    result = attacked.run("while True: pass", limits=SMALL)
    assert result.outcome is RunOutcome.TIME_LIMIT
    assert 0.5 <= result.cpu_s < 1.6
    assert "0.5 s of CPU time" in result.message


def test_cpu_limit_counts_threads(attacked: Sandbox) -> None:
    source = "import threading\ndef f():\n  while True: pass\nfor _ in range(4): threading.Thread(target=f).start()"
    assert attacked.run(source, limits=SMALL).outcome is RunOutcome.TIME_LIMIT


def test_cpu_limit_survives_exception_handlers(attacked: Sandbox) -> None:
    source = (
        "import signal\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\n"
        "while True:\n  try:\n    while True: pass\n  except BaseException: pass"
    )
    assert attacked.run(source, limits=SMALL).outcome is RunOutcome.TIME_LIMIT


def test_wall_limit(attacked: Sandbox) -> None:
    result = attacked.run("import time; time.sleep(60)", limits=Limits(cpu_s=5, wall_s=0.4))
    assert result.outcome is RunOutcome.TIME_LIMIT
    assert "real time" in result.message
    assert result.wall_s < 30


def test_a_program_just_below_the_limit_passes(plain: Sandbox) -> None:
    source = "import time\nwhile time.process_time() < 0.3: pass\nprint(1)"
    assert plain.run(source, limits=Limits(cpu_s=0.5, wall_s=60)).outcome is RunOutcome.OK


def test_exit_0_after_too_much_cpu_is_still_a_time_limit(plain: Sandbox) -> None:
    limits = Limits(cpu_s=0.02, wall_s=10)
    source = "import time, os\nwhile time.process_time() < 0.2: pass\nos._exit(0)"
    assert plain.run(source, limits=limits).outcome is RunOutcome.TIME_LIMIT


@pytest.mark.parametrize(
    "source",
    [
        "x = [0] * 10**10",
        "x = bytearray(400 << 20)",
        "x = []\nwhile True: x.append(bytes(1 << 20))",
        "x = 'a'\nwhile True: x += x",
        "class A: pass\nx = [A() for _ in range(10**8)]",
        "x = 10 ** (10 ** 10)",
    ],
)
def test_memory_limit(attacked: Sandbox, source: str) -> None:
    result = attacked.run(source, limits=Limits(cpu_s=3, memory_mb=256, stack_mb=0))
    assert result.outcome in (RunOutcome.MEMORY_LIMIT, RunOutcome.TIME_LIMIT)
    assert result.peak_memory_bytes < 400 << 20


def test_memory_limit_has_its_own_outcome(attacked: Sandbox) -> None:
    result = attacked.run("x = bytearray(400 << 20)", limits=SMALL)
    assert result.outcome is RunOutcome.MEMORY_LIMIT
    assert "256 MiB" in result.message


def test_room_for_thread_stacks_is_no_room_for_data(attacked: Sandbox) -> None:
    limits = Limits(cpu_s=3, memory_mb=128, stack_mb=512)
    assert attacked.run("x = bytearray(150 << 20)", limits=limits).outcome is RunOutcome.MEMORY_LIMIT
    assert attacked.run("x = bytearray(100 << 20)", limits=limits).outcome is RunOutcome.OK


@pytest.mark.parametrize(
    "source",
    [
        "import mmap\nm = mmap.mmap(-1, 200 << 20)\nfor n in range(200): m.write(b'x' * (1 << 20))",
        "import sys\nsys.setrecursionlimit(10**9)\n"
        "def f(n): return 0 if n == 0 else [*map(f, (n - 1,))][0]\nf(500_000)",
    ],
    ids=["shared mapping", "main stack"],
)
def test_memory_of_every_kind_counts(attacked: Sandbox, source: str) -> None:
    result = attacked.run(source, limits=Limits(cpu_s=20, memory_mb=128, stack_mb=512))
    assert result.outcome is RunOutcome.MEMORY_LIMIT


def test_calls_that_took_nearly_all_memory_are_fine(plain: Sandbox) -> None:
    source = "def f(): return len(bytearray(123 << 20))"
    result = plain.call(source, [Call("f")] * 2, limits=Limits(memory_mb=128))
    assert (result.outcome, len(result.calls)) == (RunOutcome.OK, 2)


def test_caught_memory_error_is_not_an_error(plain: Sandbox) -> None:
    result = plain.run("try: bytearray(400 << 20)\nexcept MemoryError: print('caught')", limits=SMALL)
    assert (result.outcome, result.stdout) == (RunOutcome.OK, b"caught\n")


@pytest.mark.parametrize(
    "source",
    [
        "while True: print('x' * 1000)",
        "import os\nwhile True: os.write(1, b'x' * 1000)",
        "import sys\nwhile True: sys.stderr.write('x' * 1000)",
        "import os\ntry:\n  while True: os.write(1, b'x' * 1000)\nexcept OSError: os._exit(0)",
        "import os\nos.truncate(1, 1 << 17)",
        "import os\nos.lseek(1, 1 << 40, 0)\nos.write(1, b'x')",
        "import mmap, os\nos.ftruncate(1, 1 << 15)\nm = mmap.mmap(1, 1 << 15)\nm.resize(1 << 20)",
    ],
)
def test_output_limit(attacked: Sandbox, source: str) -> None:
    result = attacked.run(source, limits=SMALL)
    assert result.outcome in (RunOutcome.OUTPUT_LIMIT, RunOutcome.RUNTIME_ERROR)
    assert len(result.stdout) <= 1 << 16
    assert len(result.stderr) <= 1 << 16


def test_output_just_at_the_limit_passes(plain: Sandbox) -> None:
    result = plain.run("print('x' * 65535)", limits=SMALL)
    assert (result.outcome, len(result.stdout)) == (RunOutcome.OK, 1 << 16)


def test_more_output_is_an_output_limit(plain: Sandbox) -> None:
    result = plain.run("print('x' * 65536)", limits=SMALL)
    assert (result.outcome, len(result.stdout)) == (RunOutcome.OUTPUT_LIMIT, 1 << 16)


@pytest.mark.parametrize(
    "source",
    [
        "for n in range(10**6): open(str(n), 'w').close()",
        "for n in range(10**6): open(str(n), 'wb').write(bytes(1 << 15))",
        "import os\nfor n in range(10**6): os.mkdir(str(n)); os.chdir(str(n))",
        "import os\nopen('a', 'w')\nfor n in range(10**6): os.symlink('x' * 4000, str(n))",
        "open('big', 'wb').write(bytes(1 << 24))",
        "import os\nos.truncate('/tmp/x', 0) if 0 else open('x', 'w').truncate(1 << 40)",
    ],
)
def test_disk_is_capped(attacked: Sandbox, source: str) -> None:
    assert attacked.run(source, limits=SMALL).outcome is RunOutcome.RUNTIME_ERROR


def test_threads_are_capped(attacked: Sandbox) -> None:
    source = (
        "import threading, time\nn = 0\n"
        "try:\n  while True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start(); n += 1\n"
        "except RuntimeError: print(n)"
    )
    result = attacked.run(source, limits=SMALL)
    assert result.outcome is RunOutcome.OK
    assert 6 <= int(result.stdout) <= 12


def test_limits_change_from_run_to_run(plain: Sandbox) -> None:
    source = "x = bytearray(400 << 20); print(len(x) >> 20)"
    assert plain.run(source, limits=SMALL).outcome is RunOutcome.MEMORY_LIMIT
    assert plain.run(source).stdout == b"400\n"


def test_scratch_has_the_size_asked_for(plain: Sandbox) -> None:
    source = "import os; s = os.statvfs('.'); print(s.f_blocks * s.f_frsize >> 20, s.f_ffree)"
    assert plain.run(source, limits=Limits(scratch_mb=7, scratch_files=11)).stdout == b"7 11\n"


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 90 + "1" + ")" * 90,
        "x = " + "-" * 100_000 + "1",
        "x = " + "[" * 5000,
        "a." * 50_000 + "b",
    ],
)
def test_deep_sources_end(attacked: Sandbox, source: str) -> None:
    assert attacked.run(source, limits=SMALL).outcome is not RunOutcome.SANDBOX_ERROR


def test_compiling_has_a_time_limit(attacked: Sandbox) -> None:
    source = "x = 1\n" + "if x:\n  y = [" + "x + " * 20 + "1]\n"
    huge = source + "z = (" + "lambda: (" * 0 + ",".join(["x"] * 700_000) + ")\n" * 1
    started = time.monotonic()
    result = attacked.run(huge, limits=Limits(cpu_s=0.2, wall_s=5))
    assert result.outcome is not RunOutcome.SANDBOX_ERROR
    assert time.monotonic() - started < 120
