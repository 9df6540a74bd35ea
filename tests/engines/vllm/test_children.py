"""An engine's processes end with the one that started them, and no others do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from k2eval.engines.vllm.children import Children


@contextmanager
def sleeping(**options: bool) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "100"], **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_was_started_is_ended() -> None:
    children = Children()
    with sleeping() as process:
        children.note()
        assert children.pids == [process.pid]
        children.close()
        assert process.wait(240) == -signal.SIGKILL
    assert children.pids == []


def test_what_was_there_before_is_left_alone() -> None:
    with sleeping() as other:
        children = Children()
        children.note()
        children.kill()
        children.close()
        assert other.poll() is None


def test_processes_of_other_sessions_are_left_alone() -> None:
    """Graders have sessions of their own, and ends of their own."""
    children = Children()
    with sleeping(start_new_session=True) as other:
        children.note()
        children.close()
        assert other.poll() is None


def test_grandchildren_are_ended_too() -> None:
    children = Children()
    program = "import subprocess; print(subprocess.Popen(['sleep', '100']).pid, flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None and parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    children.note()
    assert sorted(children.pids) == sorted([parent.pid, grandchild])
    children.close()
    assert parent.wait(240) == -signal.SIGKILL
    assert children.pids == []
    parent.stdin.close()
    parent.stdout.close()


@pytest.mark.parametrize("note", ["children.note()", ""], ids=["told", "killed before it could tell"])
def test_the_guard_acts_when_its_owner_is_killed(note: str) -> None:
    program = (
        "import subprocess, time; from k2eval.engines.vllm.children import Children; children = Children(); "
        f"process = subprocess.Popen(['sleep', '100']); {note}\nprint(process.pid, flush=True); time.sleep(99)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    assert owner.stdout is not None
    orphan = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    owner.stdout.close()
    deadline = time.monotonic() + 60
    while _lives(orphan):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_second_engine_ends_without_the_first() -> None:
    first = Children()
    with sleeping() as process:
        first.note()
        Children().close()
        assert process.poll() is None
        first.close()


def test_the_processes_of_an_engine_that_started_later_are_its_own() -> None:
    """Contestants of a race answer side by side in one process, and one may end before the other."""
    first, second = Children(), Children()
    with sleeping() as process:
        second.note()
        first.note()
        first.kill()
        first.close()
        assert process.poll() is None
        second.close()
        assert process.wait(240) == -signal.SIGKILL


def test_a_guard_has_nothing_left_to_do_after_an_orderly_end() -> None:
    children = Children()
    with sleeping() as process:
        children.note()
        os.kill(process.pid, signal.SIGTERM)
        process.wait()
        children.close()
