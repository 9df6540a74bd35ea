"""Outcomes do not depend on what else the machine does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from k2eval.sandbox import Limits, RunOutcome, Sandbox
from k2eval.sandbox.patience import factor, patience, share_of_a_core

LIMITS = Limits(cpu_s=0.5, wall_s=120)
SOURCE = "import time\nwanted = float(input())\nwhile time.process_time() < wanted: pass\nprint('done')"
# Seconds of CPU time; nothing within 20 % of the limit.
WANTED = [0.02 + 0.07 * n for n in range(6)] + [0.62, 0.8, 1.4, 2.0]
EXPECTED = [RunOutcome.OK if seconds < 0.5 else RunOutcome.TIME_LIMIT for seconds in WANTED]


def outcomes(box: Sandbox) -> list[RunOutcome]:
    return [result.outcome for result in box.run_batch(SOURCE, [b"%f" % s for s in WANTED], limits=LIMITS)]


STARVED = """
import os, sys
os.nice(10)
from k2eval.sandbox import Limits, Sandbox
with Sandbox("plain") as box:
    box.start()
    print("ready", flush=True)
    sys.stdin.readline()
    result = box.run(sys.argv[1], stdin=b"0.8", limits=Limits(cpu_s=1.0, patient=sys.argv[2] == "patient"))
    print(result.outcome, result.wall_s > 10)
"""


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Two processes a core that never rest."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    yield
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def busy() -> Iterator[None]:
    with busy_machine():
        yield


@pytest.mark.slow
def test_an_idle_machine_ends_what_takes_too_long(plain: Sandbox) -> None:
    assert outcomes(plain) == EXPECTED


@pytest.mark.slow
@pytest.mark.usefixtures("busy")
def test_a_busy_machine_gives_the_same_outcomes(plain: Sandbox) -> None:
    assert outcomes(plain) == EXPECTED


@pytest.mark.slow
def test_a_program_that_waits_for_a_processor_is_not_ended() -> None:
    command = [sys.executable, "-c", STARVED, SOURCE, "patient"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        with busy_machine():
            words, _ = process.communicate("go\n")
    assert words.split() == ["ok", "True"] and process.returncode == 0


@pytest.mark.parametrize(("share", "expected"), [(1.0, 1.0), (0.25, 1.0), (0.1, 2.5), (1e-6, 40.0)])
def test_patience_grows_as_the_share_shrinks(share: float, expected: float) -> None:
    assert factor(share) == expected


def test_a_program_that_takes_the_processors_itself_gains_no_time() -> None:
    assert patience(lambda: 2 * time.monotonic()) == 1.0


def test_a_program_that_rests_has_the_share_of_its_watcher() -> None:
    assert 0 < share_of_a_core(lambda: 7.0) <= 1


def test_a_program_that_sleeps_is_ended(plain: Sandbox) -> None:
    result = plain.run("import time; time.sleep(60)", limits=Limits(cpu_s=0.1, wall_s=0.3))
    assert (result.outcome, result.wall_s < 5) == (RunOutcome.TIME_LIMIT, True)
