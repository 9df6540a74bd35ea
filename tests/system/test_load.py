"""How busy others keep the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from k2eval.system import load

HERTZ = os.sysconf("SC_CLK_TCK")


def stat(**cores: tuple[int, ...]) -> str:
    lines = ["cpu 0 0 0 0 0 0 0 0 0 0", *(f"{name} {' '.join(map(str, row))}" for name, row in cores.items())]
    return "\n".join([*lines, "intr 1 2 3", ""])


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(load, "_STAT", tmp_path / "stat")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(load, "_ours", lambda: 0.0)
    return tmp_path / "stat"


def test_idle_and_waiting_for_disks_is_not_busy(kernel: Path) -> None:
    #                     user nice system idle iowait irq softirq steal guest
    kernel.write_text(stat(cpu0=(100, 0, 50, 9000, 900, 0, 0, 25, 100), cpu1=(0, 25, 0, 9000, 0, 0, 0, 0, 0)))
    assert load.sample().everyone == 200 / HERTZ


def test_cores_that_we_may_not_use_do_not_count(kernel: Path) -> None:
    kernel.write_text(stat(cpu0=(100, 0, 0, 0, 0, 0, 0, 0, 0), cpu7=(100, 0, 0, 0, 0, 0, 0, 0, 0)))
    assert load.sample().everyone == 100 / HERTZ


def test_what_we_use_ourselves_is_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = iter([load.Sample(0, everyone=0, ours=0), load.Sample(10, everyone=18, ours=5)])
    monkeypatch.setattr(load, "sample", lambda: next(samples))
    assert load.others_since(load.sample()) == pytest.approx(1.3)


def test_our_own_work_is_counted_as_ours() -> None:
    before = load.sample()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    after = load.sample()
    assert after.ours - before.ours >= 0.15
    assert after.everyone - before.everyone >= 0.15
