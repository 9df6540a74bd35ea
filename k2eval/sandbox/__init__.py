"""Run untrusted Python programs. This package knows no benchmark, holds no expected value and states no verdict.

    with Sandbox("plain") as box:
        result = box.run("print(int(input()) + 1)", stdin=b"41")
    assert result.outcome is RunOutcome.OK and result.stdout == b"42
"

``docs/sandbox.md`` describes the isolation and the reasons for it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
