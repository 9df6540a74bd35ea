"""`k2eval run --replicas`: the same verdicts as of one engine, whatever dies; and nothing open to other users."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from k2eval.config import load_config
from k2eval.engines import open_engines
from k2eval.engines.vllm import VllmEngine
from k2eval.journal import read_run
from k2eval.records import NoteKind
from k2eval.run import Runner
from tests.end_to_end.test_kill import Started, check_journal, script, sorted_verdicts

__all__ = ["script"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines"), pytest.mark.timeout(600)]
NANO = Path(__file__).resolve().parents[2] / "models" / "nano" / "rl"


def actors(started: Started) -> list[psutil.Process]:
    return [process for process in family(started) if "ReplicaActor" in " ".join(process.cmdline())]


def family(started: Started) -> list[psutil.Process]:
    return list(psutil.Process(started.process.pid).children(recursive=True))


def until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=120)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def verdicts_of_one_engine(script: tuple[str, ...], out: Path, limit: int) -> list[bytes]:
    """The verdicts of one engine in this process, without delay."""
    flags = {"model": script[3], "tasks": "smoke", "limit": limit, "repeats": 5, "workers": 1, "out": out}
    config = load_config(file=None, flags=flags, sets=["engine.kind=scripted"], task_names=["smoke"])
    asyncio.run(Runner(config, open_engines(config), Console(quiet=True)).run())
    return sorted_verdicts(out)


@pytest.fixture
def whole(script: tuple[str, ...], tmp_path: Path) -> list[bytes]:
    """The verdicts of one engine."""
    return verdicts_of_one_engine(script, tmp_path / "whole", 20)


def test_replicas_that_are_killed_change_no_verdict(
    script: tuple[str, ...], tmp_path: Path, whole: list[bytes]
) -> None:
    replicas = 8
    slow = ("--set", "engine.delay_s=0.5", "--set", "engine.capacity=2", "--set", "fleet.restarts=9")
    started = Started(*script, *slow, "--replicas", str(replicas), out=tmp_path / "run")
    for count in (1, 20, 40):
        started.until_generated(count)
        for process in actors(started)[: replicas // 2]:
            process.kill()
    assert started.wait() == 0, started.output
    started.leaves_nobody()
    check_journal(tmp_path / "run", 100)
    assert sorted_verdicts(tmp_path / "run") == whole
    run = read_run(tmp_path / "run")
    kinds = [note.kind for note in run.engine.notes]
    assert NoteKind.REPLICAS in kinds and "died: its process ended" in started.output
    assert run.config.fleet.replicas == replicas and run.reproducible
    assert "Traceback" not in started.output and "(raylet)" not in started.output


def test_a_killed_driver_leaves_nothing_and_the_same_command_goes_on_with_another_number(
    script: tuple[str, ...], tmp_path: Path, whole: list[bytes]
) -> None:
    started = Started(*script, "--replicas", "2", out=tmp_path / "run")
    started.until_generated(10)
    processes = family(started)
    assert len(actors(started)) >= 1
    started.process.kill()
    started.wait()
    until_gone(processes)
    again = Started(*script, "--replicas", "3", out=tmp_path / "run")
    assert again.wait() == 0, again.output
    check_journal(tmp_path / "run", 100)
    assert sorted_verdicts(tmp_path / "run") == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_fleet_in_order(
    script: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    started = Started(*script, "--replicas", "2", out=tmp_path / "run")
    started.until_generated(10)
    processes = family(started)
    started.process.send_signal(number) if number == signal.SIGTERM else started.signal(number)
    assert started.wait() == 128 + number, started.output
    assert "The same command resumes from there" in started.output and "logging.cc" not in started.output
    until_gone(processes)
    assert "Traceback" not in started.output


def test_a_cluster_whose_head_is_killed_ends_the_run_with_what_to_do(
    script: tuple[str, ...], tmp_path: Path, whole: list[bytes]
) -> None:
    slow = ("--set", "engine.delay_s=2", "--set", "engine.capacity=2")
    started = Started(*script, *slow, "--replicas", "2", out=tmp_path / "run")
    started.until_generated(4)
    processes = family(started)
    next(process for process in processes if "gcs_server" in process.name()).kill()
    assert started.wait() == 2, started.output
    assert "The head of the Ray cluster has not answered" in started.output
    assert "Traceback" not in started.output
    until_gone(processes)
    again = Started(*script, "--replicas", "2", out=tmp_path / "run")
    assert again.wait() == 0, again.output
    assert sorted_verdicts(tmp_path / "run") == whole


def test_a_cluster_of_the_runs_own_is_closed_to_others(script: tuple[str, ...], tmp_path: Path) -> None:
    started = Started(*script, "--set", "engine.delay_s=3", "--replicas", "2", out=tmp_path / "run")
    started.until_generated(1)
    mine = family(started)
    listening = [
        (process.name(), connection.laddr.ip)
        for process in mine
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening and {ip.removeprefix("::ffff:") for _, ip in listening} == {"127.0.0.1"}, listening
    assert {process.environ().get("RAY_AUTH_MODE") for process in actors(started)} == {"token"}
    [folder] = Path(tempfile.gettempdir()).glob(f"k2eval-{started.process.pid}.*-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and (folder / "ray").is_dir()
    port = next(
        connection.laddr.port
        for process in mine
        if "gcs_server" in process.name()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    )
    # Another user of this host, who has no token.
    stranger = f"import ray; ray.init(address='127.0.0.1:{port}', log_to_driver=False)"
    variables = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}
    variables |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "3", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", stranger], env=variables, capture_output=True, timeout=10, check=False
        )
        assert done.returncode != 0
    except subprocess.TimeoutExpired:
        pass  # it waits for a word that nobody gives
    started.signal(signal.SIGINT)
    assert started.wait() == 128 + signal.SIGINT, started.output
    assert not folder.exists(), started.output


@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore")
async def test_two_real_replicas_swap_weights_and_one_is_killed_half_way(tmp_path: Path) -> None:
    """The verdicts of the second checkpoint are those of one engine that has started with it.

    In 16 bits the last digits depend on what else is in a batch, and now and then a token with them.
    """
    train, tasks = tmp_path / "train", "nano_math,nano_choice"
    train.mkdir()
    for step, name in enumerate(("sft", "rl")):
        (train / f"step-{step}").symlink_to(NANO.parent / name)
    size = {"tasks": tasks, "limit": 40, "repeats": 4, "workers": 1}
    arguments = [part for name, value in size.items() for part in (f"--{name}", str(value))]
    engine = {"max_num_seqs": 4, "dtype": "float32"}
    settings = [part for name, value in engine.items() for part in ("--set", f"engine.{name}={value}")]
    places = (*settings, "--set", "fleet.restarts=0", "--replicas", "2")
    run = tmp_path / "two" / "step-1"
    started = Started(
        "--checkpoints", str(train / "step-*"), *arguments, *places, out=tmp_path / "two", command="sweep", run=run
    )  # fmt: skip
    started.until(lambda: started.output.count("joined") == 2)
    started.until_generated(40)
    engines = [process for process in family(started) if "EngineCore" in " ".join(process.cmdline())]
    victim = actors(started)[0]
    victim.kill()
    killed = time.monotonic()
    while all(process.is_running() for process in engines):  # the engine of a killed actor does not live on
        assert time.monotonic() - killed < 120 and started.process.poll() is None
        time.sleep(0.1)
    assert started.wait() == 0, started.output
    assert "Swapped the weights of" in started.output and "starts anew" not in started.output, started.output
    assert "died: its process ended" in started.output and started.output.count("joined") == 2
    check_journal(run, 320)
    assert read_run(run).sessions[0].swapped_from == str(train / "step-0")

    model = train / "step-1"
    flags = size | {"model": str(model), "out": tmp_path / "one"}
    config = load_config(file=None, flags=flags, task_names=tasks.split(","))
    solver = VllmEngine(str(model), engine, log=tmp_path / "log")
    await Runner(config, {"solver": solver}, Console(quiet=True)).run()
    assert sorted_verdicts(run) == sorted_verdicts(tmp_path / "one")
    assert sorted_verdicts(run) != sorted_verdicts(tmp_path / "two" / "step-0")
