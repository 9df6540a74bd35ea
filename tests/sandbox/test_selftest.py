from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox import Sandbox, doctor_report, selftest
from k2eval.sandbox.box import start_failure
from k2eval.sandbox.types import DoctorRow


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
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, timeout=30, check=False)
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
