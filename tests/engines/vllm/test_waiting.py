"""Threads wait awake on a quiet machine, and asleep while others need the cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from k2eval.engines.vllm import waiting
from k2eval.engines.vllm.waiting import LOOKS, Waiting, is_ours_to_choose
from k2eval.system import cores


class Threads:
    """Notes how threads were told to wait."""

    def __init__(self, can: bool = True) -> None:
        self.told: list[bool] = []
        self._can = can

    async def switch(self, asleep: bool) -> bool:
        self.told.append(asleep)
        return self._can


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 2)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "taken back after the test")
        monkeypatch.delenv(name)


async def told(*others: float, can: bool = True) -> tuple[list[bool], str | None]:
    threads = Threads(can)
    watching = Waiting(threads.switch)
    for busy in others:
        await watching.look(busy)
    return threads.told, watching.note


async def test_on_a_quiet_machine_nothing_is_told() -> None:
    assert await told(0.0, 0.1, 0.3) == ([], None)


async def test_as_soon_as_others_are_busy_threads_wait_asleep() -> None:
    tellings, note = await told(0.0, 1.2, 1.6)
    assert tellings == [True]
    assert note and note.startswith("other programs kept up to 1.6 of 2 cores busy")


async def test_threads_wake_up_only_once_others_have_been_quiet_for_a_while() -> None:
    assert (await told(1.2, *[0.0] * (LOOKS - 1)))[0] == [True]
    assert (await told(1.2, *[0.0] * LOOKS))[0] == [True, False]
    assert (await told(1.2, *[0.0] * (LOOKS - 1), 0.4, 0.0))[0] == [True]


async def test_the_note_stays_when_others_have_become_quiet() -> None:
    assert (await told(1.2, *[0.0] * LOOKS))[1] is not None


async def test_threads_that_cannot_wait_asleep_make_no_note() -> None:
    assert (await told(1.2, can=False))[1] is None


def test_threads_are_set_to_wait_awake_at_first() -> None:
    assert is_ours_to_choose()
    assert os.environ["GOMP_SPINCOUNT"] == waiting.SPIN
    assert is_ours_to_choose()  # the second engine of a process


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_what_the_environment_says_of_waiting_stands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "7")
    assert not is_ours_to_choose()
    assert os.environ[name] == "7"
    assert "GOMP_SPINCOUNT" not in os.environ or name == "GOMP_SPINCOUNT"


IDLE = """
import time, torch
from k2eval.engines.vllm.waiting import wait_asleep

torch.set_num_threads(2)
values = torch.ones(1 << 20)

def spun():
    "CPU time that the second thread burns after a task that both have shared."
    (values * 2).sum()
    before = time.process_time()
    time.sleep(0.5)
    return time.process_time() - before

spun()
awake, could, asleep = spun(), wait_asleep(True), spun()
wait_asleep(False)
time.sleep(0.5)
print(awake > 0.1, could, asleep < 0.05, spun() > 0.1)
"""


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has nobody to wait for")
def test_a_second_team_puts_threads_to_sleep_and_its_end_wakes_them() -> None:
    """Two cores, as `taskset` gives them, so that a team of three is one too many."""
    command = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))]
    result = subprocess.run(
        [*command, sys.executable, "-c", IDLE],
        env=os.environ | {"GOMP_SPINCOUNT": "100000000000", "OMP_NUM_THREADS": "2"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.split() == ["True"] * 4
