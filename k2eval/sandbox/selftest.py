"""Start-up self-test: forbidden things are attempted inside the sandbox before anything else runs there."""

from __future__ import annotations

from k2eval.sandbox.types import DoctorRow


def self_test() -> None:
    """Attempt forbidden things inside the sandbox.

    Raises:
        SandboxUnavailable: names the primitive that is missing, or the thing that succeeded, and the remedy.
    """
    raise NotImplementedError


def require() -> None:
    """`self_test`, once per process; later calls return (or raise) at once."""


def doctor_report() -> list[DoctorRow]:
    """The rows that ``k2eval doctor`` prints for the sandbox; never raises."""
    raise NotImplementedError
