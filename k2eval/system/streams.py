"""Standard streams that the caller has closed, as ``k2eval run >&-`` does."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def hold_streams() -> None:
    """Open what is closed of the descriptors 0, 1 and 2 on ``/dev/null``.

    Else a file of a run would get such a number, and engines that print would write into it.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            os.dup2(opened, descriptor)
            if opened != descriptor:
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r" if descriptor == 0 else "w", encoding="utf-8"))  # noqa: SIM115
