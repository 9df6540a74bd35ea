"""Nothing generated is lost or done twice, whatever ends a run: `k2eval run` as a process that is killed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.config.run import load_config
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.journal import GENERATIONS, VERDICTS, read_lines, read_run
from k2eval.records import Generation
from k2eval.run.runner import Runner
from tests.vllm_engine import Lent

STOPPED = 130


class Started:
    """A `k2eval run`, or another command, of its own process group.

    Arguments: ``run`` is the run directory whose generations are counted, if it is not ``out``.
    """

    def __init__(self, *arguments: str, out: Path, command: str = "run", run: Path | None = None) -> None:
        self.out = run or out
        self._output = out.parent / f"{out.name}-{random.randrange(10**9)}.txt"
        self._before = self._generated()
        with self._output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "k2eval", command, *arguments, "--out", str(out)],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait(self, limit_s: float = 600) -> int:
        return self.process.wait(limit_s)

    def until(self, condition: Callable[[], bool], limit_s: float = 600) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def until_generated(self, count: int) -> None:
        """Until this process has made so many."""
        self.until(lambda: self._generated() - self._before >= count)

    def _generated(self) -> int:
        path = self.out / GENERATIONS
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def signal(self, number: signal.Signals) -> None:
        """To all of the process group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def relatives(self) -> list[int]:
        """Processes of its group and session, and graders, which have sessions of their own."""
        result = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                mine = int(fields[2]) == self.process.pid or str(self.process.pid).encode() in command.split(
                    b"\0"
                )
                if mine and fields[0] != "Z":
                    result.append(int(entry.name))
        return result

    def leaves_nobody(self) -> None:
        deadline = time.monotonic() + 120
        while self.relatives():
            assert time.monotonic() < deadline, [
                Path(f"/proc/{pid}/cmdline").read_bytes() for pid in self.relatives()
            ]
            time.sleep(0.1)


def check_journal(out: Path, total: int) -> None:
    """All there, each once, in a complete run."""
    keys = [generation.key for _, generation in read_lines(out / GENERATIONS, Generation)]
    assert len(keys) == len(set(keys)) == total
    assert len((out / VERDICTS).read_text().splitlines()) == total
    assert read_run(out).complete is True


def sorted_verdicts(out: Path) -> list[bytes]:
    return sorted((out / VERDICTS).read_bytes().splitlines())


def seeds(out: Path) -> dict[str, int]:
    """Return the seed of each request."""
    return {generation.key: generation.seed for _, generation in read_lines(out / GENERATIONS, Generation)}


def same_verdicts(one: Path, other: Path) -> float:
    """Return the share of verdicts of two complete runs of a real engine that are equal, in 0 to 1.

    Seeds repeat a text only as far as its numbers do. Their last digits follow what else is in a batch, which a
    killed run changes, and in some 100,000 tokens one or two follow them.
    """
    first, second = set(sorted_verdicts(one)), set(sorted_verdicts(other))
    return len(first & second) / len(first)


@pytest.fixture
def script(tmp_path: Path) -> tuple[str, ...]:
    """Arguments for a run of 100 samples that takes some seconds, without a model."""
    path = tmp_path / "script.jsonl"
    texts = [f"<think>{'so ' * number}</think>\\boxed{{{35 + number}}}" for number in range(5)]
    path.write_text(json.dumps({"match": "", "responses": texts}) + "\n")
    return (
        "--engine", "scripted", "--model", str(path), "--tasks", "smoke", "--limit", "20", "--repeats", "5",
        "--workers", "1", "--set", "engine.delay_s=0.1", "--set", "engine.capacity=5",
    )  # fmt: skip


@pytest.mark.timeout(600)
def test_a_killed_run_goes_on_where_it_was(script: tuple[str, ...], tmp_path: Path) -> None:
    whole, out = Started(*script, out=tmp_path / "whole"), tmp_path / "run"
    for _ in range(3):
        started = Started(*script, out=out)
        time.sleep(random.uniform(0.5, 4.0))
        if started.process.poll() is None:
            started.signal(signal.SIGKILL)
        started.wait()
        started.leaves_nobody()
    last = Started(*script, out=out)
    assert (last.wait(), whole.wait()) == (0, 0), last.output
    check_journal(out, 100)
    assert sorted_verdicts(out) == sorted_verdicts(tmp_path / "whole")


def test_ctrl_c_ends_a_run_in_order_and_says_how_to_go_on(script: tuple[str, ...], tmp_path: Path) -> None:
    started = Started(*script, out=tmp_path / "run")
    started.until_generated(10)
    started.signal(signal.SIGINT)
    assert started.wait() == STOPPED
    started.leaves_nobody()
    assert "Stopping in order. Press Ctrl-C again to stop at once." in started.output
    assert re.search(r"Stopped at \d+ of 100 samples. The same command resumes from there.", started.output)
    assert "Traceback" not in started.output
    generated = len(list(read_lines(tmp_path / "run" / GENERATIONS, Generation)))
    [session] = read_run(tmp_path / "run").sessions
    assert session.generated == generated


def test_ctrl_c_before_anything_was_made_is_no_traceback(script: tuple[str, ...], tmp_path: Path) -> None:
    started = Started(*script, out=tmp_path / "run")
    time.sleep(0.7)
    started.signal(signal.SIGINT)
    assert started.wait() in (STOPPED, -signal.SIGINT), started.output  # it may still import
    started.leaves_nobody()
    assert "Traceback" not in started.output


def test_ctrl_c_twice_stops_at_once(script: tuple[str, ...], tmp_path: Path) -> None:
    started = Started(*script, out=tmp_path / "run")
    started.until_generated(5)
    started.signal(signal.SIGINT)
    time.sleep(0.01)
    started.signal(signal.SIGINT)
    # When the second one comes as Python ends, the system ends the process; a shell shows 130 for both.
    assert started.wait() in (STOPPED, -signal.SIGINT), started.output
    started.leaves_nobody()
    assert "Traceback" not in started.output


def test_graders_do_not_outlive_a_run_that_was_killed_alone(script: tuple[str, ...], tmp_path: Path) -> None:
    started = Started(*script, out=tmp_path / "run")
    started.until_generated(5)
    started.process.kill()
    started.wait()
    started.leaves_nobody()


def test_a_second_process_on_the_same_directory_is_refused(script: tuple[str, ...], tmp_path: Path) -> None:
    first = Started(*script, out=tmp_path / "run")
    first.until_generated(1)
    first.signal(signal.SIGSTOP)
    second = Started(*script, out=tmp_path / "run")
    assert second.wait() == 2, second.output
    first.signal(signal.SIGCONT)
    assert "Another process is writing to" in second.output
    assert first.wait() == 0
    check_journal(tmp_path / "run", 100)


@pytest.mark.slow
@pytest.mark.xdist_group("engines")
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore")
async def test_real_vllm_survives_every_way_to_die(
    engine: VllmEngine, checkpoint: Path, tmp_path: Path
) -> None:
    """Killed alone, with its group, and its engine; stopped by Ctrl-C, at the start too; then finished."""
    flags = {
        "model": str(checkpoint),
        "tasks": "smoke",
        "repeats": 12,
        "out": tmp_path / "whole",
        "workers": 1,
    }
    config = load_config(file=None, flags=flags, task_names=["smoke"])
    await Runner(config, {"solver": Lent(engine)}, Console(quiet=True)).run()
    total, out = 52 * 12, tmp_path / "run"
    arguments = ("--model", str(checkpoint), "--tasks", "smoke", "--repeats", "12", "--workers", "1")

    early = Started(*arguments, out=out)
    early.until(lambda: (out / "engine.log").exists())
    time.sleep(random.uniform(0, 10))
    early.process.kill()
    early.wait()
    early.leaves_nobody()

    waiting = Started(*arguments, out=out)
    waiting.until(lambda: "Starting vllm" in waiting.output)
    time.sleep(random.uniform(0, 15))
    waiting.signal(signal.SIGINT)
    assert waiting.wait() == STOPPED, waiting.output
    assert f"Stopped at 0 of {total} samples" in waiting.output and "Traceback" not in waiting.output
    waiting.leaves_nobody()

    killed = Started(*arguments, out=out)
    killed.until_generated(random.randrange(20, 100))
    killed.signal(signal.SIGKILL)
    killed.wait()
    killed.leaves_nobody()

    died = Started(*arguments, out=out)
    died.until_generated(random.randrange(10, 60))
    for pid in died.relatives():
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"EngineCore" in command or b"vllm.spare" in command:
            os.kill(pid, signal.SIGKILL)
    assert died.wait() == 2, died.output
    assert re.search(
        r"\nk2eval: vLLM stopped while answering: .*run the same command again to go on", died.output
    )
    assert "Traceback" not in died.output and "ERROR" not in died.output
    died.leaves_nobody()

    stopped = Started(*arguments, out=out)
    stopped.until_generated(random.randrange(10, 60))
    stopped.signal(signal.SIGINT)
    assert stopped.wait() == STOPPED, stopped.output
    assert (
        re.search(rf"Stopped at \d+ of {total} samples", stopped.output) and "Traceback" not in stopped.output
    )
    stopped.leaves_nobody()

    last = Started(*arguments, out=out)
    assert last.wait() == 0, last.output
    check_journal(out, total)
    assert seeds(out) == seeds(tmp_path / "whole")
    assert same_verdicts(out, tmp_path / "whole") > 0.95
    assert "Exception ignored" not in last.output and "Warning" not in last.output
