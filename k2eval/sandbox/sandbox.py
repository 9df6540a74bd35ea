"""The sandbox for use outside of this package."""

from __future__ import annotations

from k2eval.sandbox.layout import package_binds
from k2eval.sandbox.selftest import require
from k2eval.sandbox.types import Profile
from k2eval.sandbox.untested import UntestedSandbox


class Sandbox(UntestedSandbox):
    """One sandbox, owned by one grading worker. A context manager; not thread-safe.

    The box starts with the first run and is replaced by itself if it breaks. A failure of the sandbox is a
    result with the outcome ``SANDBOX_ERROR``, after one repetition; it is never an exception.

    Args:
        profile: The interpreter that is kept warm, with the packages that can be imported.

    Raises:
        SandboxUnavailable: If the self-test fails on this machine, or a package of the profile is not installed.

    >>> with Sandbox("plain") as box:
    ...     box.run("print(int(input()) + 1)", stdin=b"41").stdout
    b'42\\n'
    """

    def __init__(self, profile: Profile = "plain") -> None:
        require()
        package_binds(profile)
        super().__init__(profile)
