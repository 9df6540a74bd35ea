"""Small runs over a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import k2eval


def knows_one(request: k2eval.Request) -> str:
    """Answer the second question of the smoke task, and guess the others."""
    return r"\boxed{3}" if request.question_id == "smoke-02" else r"\boxed{1000}"


def settings(out: Path, **changes: Any) -> dict[str, Any]:
    """The arguments of an evaluation that takes a second."""
    engine = k2eval.ScriptedEngine(knows_one, name="knows-one")
    base = {"tasks": "smoke", "engine": engine, "out": out, "limit": 3, "repeats": 2, "workers": 1}
    return base | {"progress": False} | changes
