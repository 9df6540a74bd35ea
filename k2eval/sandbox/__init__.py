"""Runs untrusted Python programs. Knows nothing of benchmarks, holds no expected value, states no verdict.

    with Sandbox("plain") as box:
        result = box.run("print(int(input()) + 1)", stdin=b"41")
    assert result.outcome is RunOutcome.OK and result.stdout == b"42
"

How it isolates, and why so: ``docs/sandbox.md``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
