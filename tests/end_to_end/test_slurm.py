"""examples/slurm.sbatch on a real Slurm: it runs, is cancelled, requeued and warned, and the same command goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from k2eval.journal import GENERATIONS
from tests.end_to_end.slurm import Slurm, missing, slurm
from tests.end_to_end.test_fleet import verdicts_of_one_engine
from tests.end_to_end.test_kill import check_journal, script, sorted_verdicts

__all__ = ["script"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("engines"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=f"Slurm cannot run here: {missing()}"),
]
ROOT = Path(__file__).parents[2]
NANO = ROOT / "models" / "nano" / "rl"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm")) as started:
        yield started


def submit(cluster: Slurm, *arguments: str, out: Path, nodes: int = 3) -> str:
    command = ("sbatch", "--parsable", f"--nodes={nodes}", str(ROOT / "examples" / "slurm.sbatch"))
    return cluster.call(*command, *arguments, "--out", str(out))


def generated(out: Path) -> int:
    path = out / GENERATIONS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def until_ended(cluster: Slurm, job: str) -> str:
    cluster.until(job, lambda: cluster.state(job) in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"))
    return cluster.state(job)


def until_again(cluster: Slurm, job: str) -> None:
    """Slurm lets a requeued job wait for two minutes; this spares all but the seconds that its credentials need."""
    cluster.until(job, lambda: cluster.state(job) == "PENDING")
    cluster.call("scontrol", "update", f"jobid={job}", "StartTime=now+5")
    cluster.until(job, lambda: cluster.state(job) != "PENDING")


def leftovers() -> list[str]:
    """What a job may leave: processes of Ray on a cluster with a token, and folders."""
    names = [process.info["name"] for process in psutil.process_iter(["name"])]
    return [
        *(name for name in names if name in ("raylet", "gcs_server")),
        *(str(path) for path in Path("/tmp").glob("k2eval-????????") if (path / "ray").exists()),
    ]


def test_a_job_that_is_cancelled_requeued_and_warned_of_its_limit_loses_nothing(
    cluster: Slurm, script: tuple[str, ...], tmp_path: Path
) -> None:
    before, out = leftovers(), tmp_path / "run"
    slow = (*script, "--limit", "8", "--set", "engine.delay_s=3", "--set", "engine.capacity=2")

    cancelled = submit(cluster, *slow, out=out)
    cluster.until(cancelled, lambda: cluster.output(cancelled).count("joined") == 3 and generated(out) >= 5)
    cluster.call("scancel", cancelled)
    assert until_ended(cluster, cancelled) == "CANCELLED"
    cluster.until(cancelled, lambda: "The same command resumes from there" in cluster.output(cancelled))

    count = generated(out)
    warned = submit(cluster, *slow, out=out, nodes=2)
    cluster.until(warned, lambda: generated(out) >= count + 5)
    cluster.call(
        "scancel", "--batch", "--signal=USR1", warned
    )  # as --signal=B:USR1@180 does before the limit
    until_again(cluster, warned)
    assert cluster.output(warned).count("The same command resumes from there") == 1
    count = generated(out)
    cluster.until(warned, lambda: generated(out) >= count + 5)
    cluster.call("scontrol", "requeue", warned)
    until_again(cluster, warned)
    assert until_ended(cluster, warned) == "COMPLETED", cluster.output(warned)

    check_journal(out, 40)
    assert sorted_verdicts(out) == verdicts_of_one_engine(script, tmp_path / "whole", 8)
    cluster.until(warned, lambda: leftovers() == before, limit_s=60)


def test_each_node_of_a_job_has_a_replica_of_real_vllm(cluster: Slurm, tmp_path: Path) -> None:
    size = {"model": str(NANO), "tasks": "nano_math,nano_choice", "limit": 40, "repeats": 8, "workers": 1}
    arguments = [part for name, value in size.items() for part in (f"--{name}", str(value))]
    out = tmp_path / "run"
    job = submit(cluster, *arguments, "--set", "engine.max_num_seqs=4", out=out, nodes=2)
    cluster.until(job, lambda: cluster.output(job).count("joined") == 2, limit_s=400)
    assert until_ended(cluster, job) == "COMPLETED", cluster.output(job)
    check_journal(out, 640)
    logs = [path.read_text() for path in sorted(out.glob("engine-*.log"))]
    assert len(logs) == 2 and all("EngineCore" in log for log in logs)


def test_wrong_arguments_end_the_job_with_their_own_message(cluster: Slurm, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"match": "", "responses": ["1"]}))
    arguments = ("--engine", "scripted", "--model", str(script), "--tasks", "no_such_task")
    job = submit(cluster, *arguments, out=tmp_path / "run", nodes=1)
    assert until_ended(cluster, job) == "FAILED"
    assert "no_such_task" in cluster.output(job) and "Traceback" not in cluster.output(job)
