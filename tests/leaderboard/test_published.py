from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.errors import DataError
from k2eval.leaderboard.board import build
from k2eval.leaderboard.published import MATHS_QUESTIONS, read_published
from k2eval.leaderboard.render import to_markdown
from tests.leaderboard.synthetic import write_run

TOLERANCE = 0.02
"""Percentage points: published scores seem to be averages of repeats that were each rounded to two decimals."""

SHIPPED = Path(__file__).parents[2] / "leaderboards" / "published.csv"


def test_the_published_k2_think_row_gives_its_published_micro_average() -> None:
    row = read_published(SHIPPED).set_index("system").loc["K2-Think 32B (plan + best-of-3)"]
    assert round(row["math_micro_computed"], 2) == 67.99
    assert row["math_micro_computed"] == pytest.approx(row["math_micro"], abs=TOLERANCE)
    assert round(row["math_macro_computed"], 2) == 76.64


def test_an_average_is_computed_only_from_all_four_benchmarks() -> None:
    frame = read_published(SHIPPED).set_index("system")
    assert frame["math_micro_computed"].notna().sum() == 1


def test_every_shipped_row_names_its_source() -> None:
    assert read_published(SHIPPED)["source"].str.len().min() > 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system,t\nA,1\n", "missing: note, source"),
        ("system,t,source,note\nA,1,,\n", "expected a source for every row, got none for A"),
        ("system,t,source,note\nA,>71,paper,\n", "column t, got '>71'"),
        ("system,t,source,note\nA,101,paper,\n", "column t, got '101'"),
        ("", "Expected a CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_published(path)


FOUR = {name: [[1.0]] * count for name, count in MATHS_QUESTIONS.items()}


def notes_on_mathematics(folder: Path, *runs: dict[str, list[list[float]]]) -> list[tuple[str, ...]]:
    """The notes on the micro-average of each run, with the shipped figures beside it."""
    paths = [write_run(folder / str(number), tasks) for number, tasks in enumerate(runs)]
    board = build(paths, published=SHIPPED).frame.set_index("run")
    return [board["math_micro_notes"][str(number)] for number in range(len(runs))]


def test_an_average_over_the_four_benchmarks_stands_beside_the_published_one_without_a_mark(
    tmp_path: Path,
) -> None:
    assert notes_on_mathematics(tmp_path, FOUR) == [()]


def test_an_average_over_some_of_the_published_benchmarks_is_marked(tmp_path: Path) -> None:
    some = {name: FOUR[name] for name in ("aime24", "aime25")}
    [[note]] = notes_on_mathematics(tmp_path, some)
    assert note.startswith("not over the 4 benchmarks of the published average: without HMMT 2025, Omni")


def test_an_average_over_other_benchmarks_too_is_marked(tmp_path: Path) -> None:
    [[note]] = notes_on_mathematics(tmp_path, {**FOUR, "mine": [[1.0]]})
    assert note.endswith("average: with mine")


def test_only_the_row_that_lacks_a_benchmark_is_marked(tmp_path: Path) -> None:
    lacking = {name: scores for name, scores in FOUR.items() if name != "hmmt25"}
    whole, marked = notes_on_mathematics(tmp_path, FOUR, lacking)
    assert whole == () and marked[-1].endswith("average: without hmmt25")


def test_the_mark_is_in_the_table_with_the_published_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {name: FOUR[name] for name in ("aime24", "aime25")})
    assert "Maths micro ⁽¹⁾" in to_markdown(build([run], published=SHIPPED), "board")
    assert "Maths micro ⁽" not in to_markdown(build([run]), "board")
