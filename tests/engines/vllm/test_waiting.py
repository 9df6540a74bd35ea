"""Threads wait awake on a quiet machine, and asleep while others need the cores."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from k2eval.engines.vllm import waiting
from k2eval.engines.vllm.waiting import LOOKS, Wait, Waiting, variables_of_threads
from k2eval.system import cores


class Threads:
    """Notes how threads were told to wait."""

    def __init__(self, can: bool = True) -> None:
        self.told: list[Wait] = []
        self._can = can

    async def switch(self, how: Wait) -> bool:
        self.told.append(how)
        return self._can


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 2)
    for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY", "LD_PRELOAD", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)


async def told(*others: float, can: bool = True) -> tuple[list[Wait], str | None]:
    threads = Threads(can)
    watching = Waiting(threads.switch)
    for busy in others:
        await watching.look(busy)
    return threads.told, watching.note


async def test_on_a_quiet_machine_threads_wait_awake() -> None:
    assert await told(0.0, 0.1, 0.3) == ([Wait.AWAKE], None)


async def test_as_soon_as_others_are_busy_threads_wait_asleep() -> None:
    tellings, note = await told(0.0, 1.2, 1.6)
    assert tellings == [Wait.AWAKE, Wait.ASLEEP]
    assert note and note.startswith("other programs kept up to 1.6 of 2 cores busy")


async def test_threads_wake_up_only_once_others_have_been_quiet_for_a_while() -> None:
    assert (await told(1.2, *[0.0] * (LOOKS - 1)))[0] == [Wait.ASLEEP]
    assert (await told(1.2, *[0.0] * LOOKS))[0] == [Wait.ASLEEP, Wait.AWAKE]
    assert (await told(1.2, *[0.0] * (LOOKS - 1), 0.4, 0.0))[0] == [Wait.ASLEEP]


async def test_the_note_stays_when_others_have_become_quiet() -> None:
    assert (await told(1.2, *[0.0] * LOOKS))[1] is not None


async def test_threads_that_cannot_wait_asleep_make_no_note_and_are_not_told_again() -> None:
    assert await told(1.2, 0.0, 1.2, can=False) == ([Wait.ASLEEP], None)


@pytest.mark.parametrize(
    ("steps", "tellings"),
    [
        ([True, True], [Wait.BRIEFLY]),
        ([True, False], [Wait.BRIEFLY, Wait.AWAKE]),
        ([False], [Wait.AWAKE]),
        ([True, 1.2, False, True], [Wait.BRIEFLY, Wait.ASLEEP]),
        ([1.2, True, *[0.0] * LOOKS], [Wait.ASLEEP, Wait.BRIEFLY]),
    ],
)
async def test_threads_wait_briefly_while_graders_want_time_and_nobody_else_does(
    steps: list[bool | float], tellings: list[Wait]
) -> None:
    threads = Threads()
    waiting = Waiting(threads.switch)
    for step in steps:
        await (waiting.leave_time(step) if isinstance(step, bool) else waiting.look(step))
    assert threads.told == tellings


async def test_a_word_that_was_cut_off_is_given_again() -> None:
    heard, told = asyncio.Event(), list[Wait]()

    async def switch(how: Wait) -> bool:
        told.append(how)
        await heard.wait()
        return True

    waiting = Waiting(switch)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting.leave_time(False), 0.01)
    heard.set()
    await waiting.leave_time(False)
    assert told == [Wait.AWAKE, Wait.AWAKE]


@pytest.fixture
def intel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which Intel's library is installed."""
    package = tmp_path / "intel_openmp-2024.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: intel-openmp\nVersion: 2024\n")
    (package / "RECORD").write_text("libiomp5.so,,\nother.so,,\n")
    (tmp_path / "libiomp5.so").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path / "libiomp5.so"


def test_intels_library_is_preloaded_where_it_is_installed(
    intel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert variables_of_threads() == {"LD_PRELOAD": str(intel), "KMP_BLOCKTIME": "200"}
    monkeypatch.setenv("LD_PRELOAD", "/lib/own.so")
    assert (variables_of_threads() or {})["LD_PRELOAD"] == f"{intel}:/lib/own.so"


def test_without_intels_library_threads_are_those_of_libgomp(intel: Path) -> None:
    intel.unlink()
    assert variables_of_threads() == {"GOMP_SPINCOUNT": waiting.SPIN}


@pytest.mark.parametrize("name", ["a b", "a:b"])
def test_a_library_that_the_linker_cannot_name_is_left_alone(
    name: str, intel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(intel.parent, moved := intel.parent.parent / name)
    monkeypatch.setattr(sys, "path", [str(moved)])
    assert variables_of_threads() == {"GOMP_SPINCOUNT": waiting.SPIN}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOMP_SPINCOUNT", "7"),
        ("OMP_WAIT_POLICY", "active"),
        ("KMP_BLOCKTIME", "0"),
        ("LD_PRELOAD", "/usr/lib/libgomp.so.1"),
        ("LD_PRELOAD", "/usr/lib/libomp.so"),
        ("LD_PRELOAD", "/usr/lib/libiomp5.so"),
    ],
)
def test_what_the_environment_says_of_threads_stands(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert variables_of_threads() is None


IDLE = """
import time, torch
from k2eval.engines.vllm.waiting import let_wait

torch.set_num_threads(2)
values = torch.ones(1 << 20)

def spun():
    "CPU time that the second thread burns after a task that both have shared."
    (values * 2).sum()
    before = time.process_time()
    time.sleep(0.15)
    return time.process_time() - before

spun()
awake, could, asleep = spun(), let_wait("asleep"), spun()
let_wait("awake")
time.sleep(0.5)
print(awake > 0.05, could, asleep < 0.02, spun() > 0.05)
"""


def waits(environment: dict[str, str]) -> list[str]:
    """Return what `IDLE` prints on two cores, as `taskset` gives them, so that a team of three is one too many."""
    command = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))]
    result = subprocess.run(
        [*command, sys.executable, "-c", IDLE],
        env=os.environ | environment | {"OMP_NUM_THREADS": "2"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return result.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has nobody to wait for")
def test_a_second_team_puts_threads_to_sleep_and_its_end_wakes_them() -> None:
    assert waits({"GOMP_SPINCOUNT": "100000000000"}) == ["True"] * 4


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has nobody to wait for")
def test_threads_of_intels_library_wait_as_they_are_told() -> None:
    variables = variables_of_threads() or {}
    if "LD_PRELOAD" not in variables:
        pytest.skip("Intel's library is not installed")
    assert waits(variables) == ["True"] * 4
