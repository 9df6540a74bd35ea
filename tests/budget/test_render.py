from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest

from k2eval.budget import BudgetPoint, budget_points, budget_table, write_budget
from k2eval.errors import ConfigError
from k2eval.leaderboard import load_runs
from k2eval.records import Sampling
from tests.budget.test_points import made


@pytest.fixture
def points(tmp_path: Path) -> list[BudgetPoint]:
    return budget_points(load_runs([made(tmp_path / name) for name in ("a", "b")]), (100, 400))


def test_the_table_has_a_row_for_each_point(points: list[BudgetPoint]) -> None:
    header, rows = budget_table(points)
    assert [row[header.index("Budget")] for row in rows] == ["100", "400"] * 2
    assert rows[0][header.index("Score")] == "33.3 (14.2 – 57.6)"
    assert "Thinking" not in header


def test_efforts_are_a_column_if_any_is_set(tmp_path: Path) -> None:
    infos = {"t": {"sampling": Sampling(reasoning_effort="low")}}
    points = budget_points(load_runs([made(tmp_path / "a"), made(tmp_path / "b", infos=infos)]), (400,))
    header, rows = budget_table(points)
    assert [row[header.index("Thinking")] for row in rows] == ["–", "effort low"]


def test_files_are_written_beside_each_other(tmp_path: Path, points: list[BudgetPoint]) -> None:
    paths = write_budget(points, tmp_path / "out" / "budget.csv")
    assert [path.name for path in paths] == ["budget.csv", "budget.md", "budget.svg"]
    frame = pd.read_csv(paths[0])
    assert frame["score"].tolist() == pytest.approx([100 / 3, 200 / 3] * 2)
    assert frame["frontier"].tolist() == ["on"] * 4
    assert paths[1].read_text().startswith("# Answers at a budget")


def test_the_chart_stands_alone(tmp_path: Path, points: list[BudgetPoint]) -> None:
    *_, path = write_budget(points, tmp_path / "budget")
    root = ET.parse(path).getroot()
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {"t: score by budget", "t: score by tokens", "a", "b", "frontier (dashed)"} <= set(texts)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, points: list[BudgetPoint]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Cannot write "):
        write_budget(points, tmp_path / "file" / "budget")
