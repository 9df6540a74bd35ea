"""Start-up self-test: forbidden things are attempted inside the sandbox before anything else runs there."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox.filter import compiled_filters
from k2eval.sandbox.layout import package_binds
from k2eval.sandbox.types import PROFILES, DoctorRow, Limits, RunOutcome, RunResult
from k2eval.sandbox.untested import UntestedSandbox

SUCCEEDED = b"SUCCEEDED"
LIMITS = Limits(
    cpu_s=0.5, wall_s=20.0, memory_mb=128, stack_mb=64, output_bytes=1 << 16, scratch_mb=4, threads=8
)
HOLE = "Do not grade here. Please report this with the output of `k2eval doctor` and of `uname -a`."

# Each program prints SUCCEEDED when it could do what must be impossible.
FORBIDDEN = {
    "network socket": "import socket; socket.socket(); print('SUCCEEDED')",
    "virtual machine socket": "import socket; socket.socket(40, socket.SOCK_STREAM); print('SUCCEEDED')",
    "netlink socket": "import socket; socket.socket(16, socket.SOCK_RAW); print('SUCCEEDED')",
    "new process": "import os; pid = os.fork(); pid and print('SUCCEEDED')",
    "running a file": "import os; os.execv('/usr/local/bin/python3', ['python3', '-c', 'print(\"SUCCEEDED\")'])",
    "files of the host": (
        "import os\n"
        "names = [CANARY, '/etc/passwd', '/proc/self/environ', '/proc/1/environ', '/root', '/home', '/sys', '/var']\n"
        "if any(map(os.path.exists, names)): print('SUCCEEDED')"
    ),
    "environment of the grader": "import os; set(os.environ) <= {'PATH', 'HOME', 'LANG'} or print('SUCCEEDED')",
    "writing outside of the scratch": (
        "for folder in ('/', '/submission/', '/usr/local/', '/dev/'):\n"
        "    try: open(folder + 'file', 'w'); print('SUCCEEDED')\n"
        "    except OSError: pass"
    ),
    "changing its own source": "open('/submission/main.py', 'w'); print('SUCCEEDED')",
    "other processes": (
        "import os\n"
        "for pid in [*range(3, 300), os.getppid()]:\n"
        "    try:\n"
        "        pid in (0, 1, os.getpid()) or os.kill(pid, 0) or print('SUCCEEDED')\n"
        "    except OSError: pass"
    ),
    "new namespaces": "import ctypes; ctypes.CDLL(None).unshare(0x10000000) == 0 and print('SUCCEEDED')",
    "tracing": "import ctypes; ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0 and print('SUCCEEDED')",
    "mounting": "import ctypes; ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, 0) == 0 and print('SUCCEEDED')",
    "memory beyond the limit": "x = bytearray(400 << 20); print('SUCCEEDED')",
    "disk beyond the limit": "for n in range(200): open(str(n), 'wb').write(bytes(60000))\nprint('SUCCEEDED')",
    "output beyond the limit": "import os\nfor _ in range(99): os.write(1, bytes(1 << 10))\nos.write(1, b'SUCCEEDED')",
    "threads beyond the limit": (
        "import threading, time\n"
        "for _ in range(40): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        "print('SUCCEEDED')"
    ),
    "CPU time beyond the limit": "import time\nwhile time.process_time() < 9: pass\nprint('SUCCEEDED')",
}
HONEST = "import sys\nprint(sum(map(int, sys.stdin.read().split())))"


def self_test() -> None:
    """Attempt forbidden things inside the sandbox.

    Raises:
        SandboxUnavailable: If a primitive is missing or a forbidden thing succeeds; names it and the remedy.
    """
    for row in attempts():
        if not row.ok:
            raise SandboxUnavailable(f"Expected {row.name}, got: {row.detail}. Nothing was run. {row.remedy}")


@cache
def failure() -> str:
    """Return the self-test's complaint, empty if it passed; the test runs once per process."""
    try:
        self_test()
    except SandboxUnavailable as error:
        return str(error)
    return ""


def require() -> None:
    """Run `self_test` once per process; later calls return (or raise) at once."""
    if failure():
        raise SandboxUnavailable(failure())


def attempts() -> list[DoctorRow]:
    """Return one row for an honest program and one for every forbidden thing.

    Raises:
        SandboxUnavailable: If no box can be started.
    """
    rows = []
    with UntestedSandbox("plain") as box, canary_file() as canary:
        box.start()
        rows.append(honest_row(box.run(HONEST, stdin=b"40 2\n", limits=LIMITS)))
        for name, program in FORBIDDEN.items():
            result = box.run(f"CANARY = {canary!r}\n{program}", limits=LIMITS)
            refused = SUCCEEDED not in result.stdout and result.outcome is not RunOutcome.SANDBOX_ERROR
            detail = result.message or "refused" if refused else result.message or "it was possible"
            rows.append(DoctorRow(f"refused: {name}", refused, detail, "" if refused else HOLE))
        rows.append(honest_row(box.run(HONEST, stdin=b"40 2\n", limits=LIMITS)))
    return rows


@contextlib.contextmanager
def canary_file() -> Iterator[str]:
    """Yield the path of a file of the host; a file of our own if no temporary one can be made."""
    with contextlib.ExitStack() as stack:
        try:
            space = Path("/proc/self/ns/pid").stat().st_ino
            name = (
                f"k2eval-{os.getpid()}.{space}-"  # by which the next start knows what a killed process left
            )
            path = stack.enter_context(tempfile.NamedTemporaryFile(prefix=name)).name
        except OSError:
            path = __file__
        yield path


def honest_row(result: RunResult) -> DoctorRow:
    """Return the row that tells whether an honest program gave its answer."""
    ok = result.outcome is RunOutcome.OK and result.stdout == b"42\n"
    detail = (
        "42" if ok else f"{result.outcome}: {result.message} {result.stderr[-300:].decode(errors='replace')}"
    )
    return DoctorRow("an honest program runs", ok, detail, "" if ok else HOLE)


def doctor_report() -> list[DoctorRow]:
    """Return the rows that ``k2eval doctor`` prints for the sandbox; this never raises."""
    release, machine = platform.release(), platform.machine()
    new_enough = tuple(int(part) for part in re.findall(r"\d+", release)[:2]) >= (5, 12)
    remedy = "" if new_enough else "Use Linux 5.12 or newer."
    rows = [
        DoctorRow("kernel", new_enough, f"{platform.system()} {release} on {machine}", remedy),
        DoctorRow(
            "user",
            True,
            "root: every box gets a user of its own" if os.geteuid() == 0 else "ordinary user",
            "",
        ),
    ]
    try:
        size = sum(map(len, compiled_filters())) // 8
        rows.append(DoctorRow("seccomp filters", True, f"{size} instructions", ""))
        for profile in PROFILES:
            binds = package_binds(profile)
            names = ", ".join(Path(target).name for _, target in binds) or "standard library"
            rows.append(DoctorRow(f"profile {profile}", True, names, ""))
        rows += attempts()
    except SandboxUnavailable as error:
        expectation, _, rest = str(error).partition(". ")
        rows.append(DoctorRow("sandbox", False, expectation, rest))
    return rows
