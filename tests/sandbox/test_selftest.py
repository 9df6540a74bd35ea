from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox import Sandbox, doctor_report, selftest
from k2eval.sandbox.box import start_failure
from k2eval.sandbox.types import DoctorRow
from k2eval.sandbox.untested import UntestedSandbox


def test_all_rows_are_fine_here(plain: Sandbox) -> None:
    bad = [row for row in doctor_report() if not row.ok]
    assert bad == []


def test_rows_name_every_forbidden_thing(plain: Sandbox) -> None:
    names = [row.name for row in doctor_report()]
    assert [f"refused: {name}" for name in selftest.FORBIDDEN] == [
        n for n in names if n.startswith("refused")
    ]


OUTSIDE = {
    "network socket",
    "new process",
    "running a file",
    "files of the host",
    "environment of the grader",
}


@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_the_forbidden_thing_is_possible_outside(name: str) -> None:
    source = f"CANARY = {__file__!r}\n" + selftest.FORBIDDEN[name].replace(
        "/usr/local/bin/python3", sys.executable
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, timeout=240, check=False)
    assert selftest.SUCCEEDED in done.stdout


def test_a_hole_makes_the_sandbox_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    row = DoctorRow("refused: new process", False, "it was possible", "Do not grade here.")
    monkeypatch.setattr(selftest, "attempts", lambda: [row])
    selftest.failure.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match=r"refused: new process.*it was possible.*Do not grade"):
            Sandbox("plain")
    finally:
        selftest.failure.cache_clear()


def test_a_program_that_succeeds_is_noticed(plain: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "FORBIDDEN", {"nothing": "print('SUCCEEDED')"})
    assert [row.ok for row in selftest.attempts()] == [True, False, True]


@pytest.mark.parametrize(
    ("primitive", "code", "words"),
    [
        ("unshare(user namespace)", errno.EPERM, "apparmor_restrict_unprivileged_userns"),
        ("unshare(user namespace)", errno.ENOSPC, "max_user_namespaces"),
        ("mount_setattr", errno.ENOSYS, "Linux 5.12"),
        ("reading /proc/self/maps", errno.ENOENT, "mount -t proc"),
    ],
)
def test_a_missing_primitive_is_named_with_its_remedy(primitive: str, code: int, words: str) -> None:
    error = str(start_failure({"primitive": primitive, "errno": code}, ""))
    assert primitive in error
    assert words in error
    assert "Nothing was run" in error


def test_an_interpreter_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k2eval.sandbox.box.plan", lambda profile: {"entry": {}})
    selftest.failure.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match="Expected an interpreter inside the sandbox"):
            Sandbox("plain")
        assert not doctor_report()[-1].ok
    finally:
        selftest.failure.cache_clear()


def test_a_box_that_dies_at_once_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "k2eval.sandbox.box.ENTER", "import os, sys; print('no luck', file=sys.stderr); os._exit(7)"
    )
    started = time.monotonic()
    with UntestedSandbox("plain") as box, pytest.raises(SandboxUnavailable, match=r"status 7 \| no luck"):
        box.start()
    assert time.monotonic() - started < 60


def test_a_box_that_is_killed_says_by_which_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k2eval.sandbox.box.ENTER", "import os; os.kill(os.getpid(), 9)")
    with UntestedSandbox("plain") as box, pytest.raises(SandboxUnavailable, match="SIGKILL"):
        box.start()


def test_a_refused_memory_file_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "memfd_create", refuse)
    with (
        UntestedSandbox("plain") as box,
        pytest.raises(SandboxUnavailable, match=r"memfd_create.*seccomp=unconfined"),
    ):
        box.start()


def test_the_self_test_needs_no_temporary_folder(plain: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: str) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with selftest.canary_file() as path:
        assert Path(path).exists()
    assert all(row.ok for row in selftest.attempts())


WITHOUT_PROC = """
mount --make-rprivate / && mount -t tmpfs none /proc && exec "$0" -c '
from k2eval.errors import SandboxUnavailable
from k2eval.sandbox import Sandbox
try: Sandbox("plain")
except SandboxUnavailable as error: print(error)'
"""


def test_without_proc_the_message_has_a_remedy(plain: Sandbox) -> None:
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", WITHOUT_PROC, sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no mount namespace here: {done.stderr}")
    assert "reading /proc" in done.stdout
    assert "mount -t proc proc /proc" in done.stdout
