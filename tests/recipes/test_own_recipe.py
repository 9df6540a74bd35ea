"""The recipe of a user's own in docs/recipes.md."""

import re
from pathlib import Path

import pytest

from k2eval.recipes.registry import recipe_for
from k2eval.records import Request
from tests.recipes.support import Asked, boxed, sample_of

DOCS = Path(__file__).parents[2] / "docs" / "recipes.md"


def example() -> str:
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


async def test_the_documented_recipe_runs_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second_look.py").write_text(example())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in __import__("sys").path if entry])
    recipe = recipe_for("second_look:second_look")

    def script(request: Request) -> str:
        return boxed(41 if request.stage == "solve" else 42)

    ask = Asked(script)
    response = await recipe(sample_of(ask))
    assert "42" in response.text
    assert ask.stages == ["solve", "solve.second"]
    assert "hm" not in ask.request("solve.second").messages[-2].content
    assert response.recipe_tokens == 2 * response.output_tokens
    assert response.notes["first"] == ask.request("solve").key
