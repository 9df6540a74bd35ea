"""Outcomes do not depend on what else the machine does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from k2eval.sandbox import Limits, RunOutcome, Sandbox

LIMITS = Limits(cpu_s=0.5, wall_s=120)
SOURCE = "import time\nwanted = float(input())\nwhile time.process_time() < wanted: pass\nprint('done')"
# Seconds of CPU time; nothing within 20 % of the limit.
WANTED = [0.02 + 0.03 * n for n in range(12)] + [0.62 + 0.2 * n for n in range(8)]


def outcomes(box: Sandbox) -> list[RunOutcome]:
    return [result.outcome for result in box.run_batch(SOURCE, [b"%f" % s for s in WANTED], limits=LIMITS)]


@pytest.mark.slow
def test_a_busy_machine_gives_the_same_outcomes(plain: Sandbox) -> None:
    expected = [RunOutcome.OK if seconds < 0.5 else RunOutcome.TIME_LIMIT for seconds in WANTED]
    assert outcomes(plain) == expected
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    try:
        assert outcomes(plain) == expected
    finally:
        for process in busy:
            process.kill()
            process.wait()
