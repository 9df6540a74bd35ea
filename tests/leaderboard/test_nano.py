"""leaderboards/nano.*: made by `make demo` from the verdicts beside it, and not by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.leaderboard import build, write

FOLDER = Path(__file__).parents[2] / "leaderboards"
RUNS = sorted(path.parent for path in (FOLDER / "nano").glob("*/run.json"))
PUBLISHED = FOLDER / "published.csv"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("leaderboards") / "nano"
    write(build(RUNS, published=PUBLISHED), out)
    return out.parent


@pytest.mark.parametrize("suffix", ["csv", "md", "html"])
def test_the_table_is_what_the_verdicts_give(suffix: str, rebuilt: Path) -> None:
    assert (FOLDER / f"nano.{suffix}").read_text("utf-8") == (rebuilt / f"nano.{suffix}").read_text("utf-8")


def test_the_readme_shows_the_table() -> None:
    readme = (FOLDER.parent / "README.md").read_text("utf-8")
    lines = (FOLDER / "nano.md").read_text("utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| Run |"))
    table = lines[first : lines.index("", first)]
    assert len(table) == len(RUNS) + 2
    for line in table:
        assert line in readme


def test_all_runs_are_whole_and_on_the_same_questions() -> None:
    described = [json.loads((run / "run.json").read_text("utf-8")) for run in RUNS]
    assert all(run["complete"] for run in described)
    assert (
        len(
            {
                json.dumps({name: task["fingerprint"] for name, task in run["tasks"].items()})
                for run in described
            }
        )
        == 1
    )
