"""A Slurm of several nodes on this host, for tests: munged, slurmctld, and one slurmd a node, in a folder of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = 3
_CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=3600
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,sched_min_interval=100000
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=2 RealMemory=4000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """The reason for which Slurm cannot run here; empty if it can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)}; apt-get install slurmctld slurmd slurm-client munge"
    return "" if os.geteuid() == 0 else "slurmd wants root"


class Slurm:
    """A Slurm that is up; its commands find it by ``SLURM_CONF``."""

    def __init__(self, folder: Path) -> None:
        python = Path(sys.executable).parent
        root = Path(__file__).parents[2]
        self.folder = folder
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{python}:{os.environ['PATH']}",
            "PYTHONPATH": str(root),
        }

    def call(self, *command: str) -> str:
        """The output of a command of Slurm's."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """Such as ``RUNNING``."""
        return self.call("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")

    def output(self, job: str) -> str:
        path = self.folder / f"slurm-{job}.out"
        return path.read_text() if path.exists() else ""

    def until(self, job: str, condition: Callable[[], bool], limit_s: float = 240) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, (self.state(job), self.output(job))
            time.sleep(0.2)

    def end_jobs(self) -> None:
        """End all jobs, which would outlive Slurm."""
        for signal in (("--signal=KILL", "--full"), ()):  # without a signal none starts again
            subprocess.run(["scancel", "--user=root", *signal], env=self.environment, check=False)
        _until(lambda: not self.call("squeue", "--noheader"))


def _free_ports(count: int) -> list[int]:
    """Ports that follow each other, as a range of nodes wants them."""
    for first in range(16801, 30000, count):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return list(range(first, first + count))
    raise AssertionError("no free ports")


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """Start Slurm, and end it with all that its jobs left."""
    munge = folder / "munge"
    munge.mkdir(mode=0o711)
    (folder / "state").mkdir()
    (munge / "key").write_bytes(os.urandom(1024))
    (munge / "key").chmod(0o400)
    port, first, *_, last = _free_ports(NODES + 1)
    names = {"host": socket.gethostname(), "user": getpass.getuser(), "folder": folder, "nodes": NODES}
    configuration = _CONFIGURATION.format(**names, port=port, first=first, last=last)
    (folder / "slurm.conf").write_text(configuration)
    started = Slurm(folder)
    files = [f"--{name}-file={munge}/{name}" for name in ("key", "pid", "log", "seed")]
    commands = [
        ["munged", "--foreground", "--force", f"--socket={munge}/socket", *files],
        ["slurmctld", "-D"],
    ]
    commands += [["slurmd", "-D", "-N", f"n{number + 1}"] for number in range(NODES)]
    processes = []
    try:
        for command in commands:
            with (folder / f"{'-'.join(command)[:16].strip('-')}.log").open("ab") as log:
                processes.append(subprocess.Popen(command, env=started.environment, stdout=log, stderr=log))
            if command[0] == "munged":
                _until(lambda: (munge / "socket").exists())
        _until(lambda: started.call("sinfo", "--noheader", "--states=idle", "--format=%D") == str(NODES))
        try:
            yield started
        finally:
            started.end_jobs()
    finally:
        for process in processes[::-1]:
            process.terminate()
        for process in processes[::-1]:
            process.wait(120)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while True:
        with contextlib.suppress(AssertionError):
            if condition():
                return
        assert time.monotonic() < deadline, "Slurm did not start"
        time.sleep(0.1)
