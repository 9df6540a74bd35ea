"""Runs untrusted Python programs. Knows nothing of benchmarks, holds no expected value, states no verdict.

    with Sandbox("plain") as box:
        result = box.run("print(int(input()) + 1)", stdin=b"41")
    assert result.outcome is RunOutcome.OK and result.stdout == b"42\\n"

How it isolates, and why so: ``docs/sandbox.md``.
"""

from k2eval.sandbox.sandbox import Sandbox
from k2eval.sandbox.selftest import doctor_report, require, self_test
from k2eval.sandbox.types import Call, CallResult, DoctorRow, Limits, Profile, RunOutcome, RunResult
from k2eval.sandbox.wire import Opaque

__all__ = [
    "Call",
    "CallResult",
    "DoctorRow",
    "Limits",
    "Opaque",
    "Profile",
    "RunOutcome",
    "RunResult",
    "Sandbox",
    "doctor_report",
    "require",
    "self_test",
]
