"""The code of docs/api.md runs, from its first block to its last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import k2eval

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"(<!-- not run: .*? -->\n)?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 10
    names: dict[str, object] = {"__name__": "__main__"}
    for mark, code in blocks:
        if not mark:
            exec(compile(code, str(PAGE), "exec"), names)
    assert isinstance(names["better"], k2eval.Run)


@pytest.mark.parametrize(
    "name", ["evaluate", "evaluate_async", "load_run", "build_leaderboard", "compare_runs", "grade"]
)
def test_the_page_names_every_function(name: str) -> None:
    assert re.search(rf"\b{name}\b", PAGE.read_text(encoding="utf-8"))
