"""Boxes start, die with their owner, are replaced when they break, and several live side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from k2eval.sandbox import Call, Limits, RunOutcome, Sandbox, layout, outcome
from k2eval.sandbox.box import BoxError
from k2eval.sandbox.filter import compiled_filters
from k2eval.sandbox.untested import UntestedSandbox
from tests.sandbox.test_attacks_poison import descendants, processes_of

OWNER = """
import sys, time
from k2eval.sandbox import Limits, Sandbox
box = Sandbox("plain")
box.run("print(1)")
print(box._box.process.pid, flush=True)
box.run(sys.argv[1], limits=Limits(cpu_s=600, wall_s=600))
"""


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Give a busy machine time."""
    deadline = time.monotonic() + 240
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize("program", ["while True: pass", "import time; time.sleep(600)"])
def test_everything_dies_with_the_owner(plain: Sandbox, program: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    first = int(owner.stdout.readline())
    wait_until(lambda: len(descendants(first)) >= 4)
    family = descendants(first)
    assert len(family) >= 4
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not any(map(alive, family)))
    assert not any(map(alive, family))


def test_close_ends_all_processes() -> None:
    with Sandbox("plain") as box:
        box.run("print(1)")
        wait_until(lambda: len(processes_of(box)) == 2)
        family = processes_of(box)
    assert len(family) == 2
    assert not any(map(alive, family))


def test_its_processes_stay_in_the_session_of_their_owner(plain: Sandbox) -> None:
    # A session of its own would have a share of the processors of its own, whatever the niceness of the owner.
    plain.start()
    assert {os.getsid(pid) for pid in processes_of(plain)} == {os.getsid(0)}


def test_a_closed_sandbox_starts_again() -> None:
    box = Sandbox("plain")
    assert box.run("print(1)").stdout == b"1\n"
    box.close()
    assert box.run("print(2)").stdout == b"2\n"
    box.close()


def test_a_killed_box_is_replaced(plain: Sandbox) -> None:
    plain.start()
    for pid in sorted(processes_of(plain), reverse=True):
        os.kill(pid, signal.SIGKILL)
    assert plain.run("print(1)").stdout == b"1\n"


def test_a_program_killed_from_outside_is_run_again(plain: Sandbox) -> None:
    plain.start()
    before = processes_of(plain)
    killed = []

    def kill_once() -> None:
        while not processes_of(plain) - before:
            time.sleep(0.01)
        killed.append(max(processes_of(plain) - before))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_once)
    killer.start()
    result = plain.run("import time; time.sleep(5); print(1)")
    killer.join()
    assert killed
    assert (result.outcome, result.stdout) == (RunOutcome.OK, b"1\n")


def test_a_compiler_killed_from_outside_is_no_time_out() -> None:
    killed = outcome.lost_while_compiling(signal.SIGKILL, 0.5, Limits(cpu_s=6))
    assert killed.outcome is RunOutcome.SANDBOX_ERROR
    bomb = outcome.lost_while_compiling(signal.SIGKILL, 7.0, Limits(cpu_s=6))
    assert bomb.outcome is RunOutcome.TIME_LIMIT


def test_a_filter_that_cannot_be_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    *others, _ = compiled_filters()
    monkeypatch.setattr(layout, "compiled_filters", lambda compiles: (*others, bytes(8)))
    with UntestedSandbox("plain") as box:
        result = box.run("print(1)")
    assert result.outcome is RunOutcome.SANDBOX_ERROR
    assert "seccomp" in result.message


def test_two_sandboxes_side_by_side(plain: Sandbox) -> None:
    with Sandbox("plain") as other:
        results = {}

        def work(name: str, box: Sandbox) -> None:
            results[name] = [box.run(f"print('{name}', {n})").stdout for n in range(20)]

        thread = threading.Thread(target=work, args=("b", other))
        thread.start()
        work("a", plain)
        thread.join()
    assert results == {name: [f"{name} {n}\n".encode() for n in range(20)] for name in "ab"}


def test_an_interrupt_does_not_mix_up_runs(plain: Sandbox) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            plain.run("import time; time.sleep(5); print('old')")
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert plain.run("print('new')").stdout == b"new\n"


def test_an_exception_in_stop_of_a_call_does_not_mix_up_runs(plain: Sandbox) -> None:
    def stop(index: int, answer: object) -> bool:
        raise KeyError

    with pytest.raises(KeyError):
        plain.call("def f(): return 1", [Call("f")] * 2, stop=stop)
    assert plain.run("print('new')").stdout == b"new\n"


def test_descriptors_do_not_leak(plain: Sandbox) -> None:
    plain.run("print(1)")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        plain.run("print(1)")
        plain.run("while True: pass", limits=Limits(cpu_s=0.01))
        plain.call("def f(): return 1", [Call("f")])
        plain.record("", "emit(1)")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_box_that_died_says_so(plain: Sandbox) -> None:
    plain.start()
    assert plain._box is not None
    for pid in sorted(processes_of(plain), reverse=True):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(BoxError, match="SIGKILL"):
        plain._box.receive(60)
    plain.close()
