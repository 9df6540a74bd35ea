"""Runs under different protocols are never ranked together, and every table says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k2eval.budget import budget_points
from k2eval.compare import compare
from k2eval.decide import Rules, race_of_runs
from k2eval.errors import ConfigError
from k2eval.journal import ProtocolRecord
from k2eval.leaderboard import build, load_runs
from k2eval.leaderboard.render import to_markdown
from tests.leaderboard.synthetic import write_run


def protocol(name: str = "kimi", **settings: Any) -> ProtocolRecord:
    return ProtocolRecord(
        name=name, version=1, settings=settings, unknown=("prompt",), told=(), inferred=(), remarks=()
    )


def run(folder: Path, name: str, scores: float, of: ProtocolRecord | None) -> Path:
    tasks = {task: [[scores]] * 20 for task in ("t", "u")}
    hashes = {task: {f"{task}-{number}": f"{task}{number}" for number in range(20)} for task in tasks}
    infos = {task: {"protocol": of, "hashes": hashes[task], "title": task.upper()} for task in tasks}
    return write_run(folder / name, tasks, name=name, infos=infos)


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [
        run(tmp_path, "a", 1.0, protocol()),
        run(tmp_path, "b", 0.0, protocol()),
        run(tmp_path, "c", 1.0, None),
    ]


def test_a_row_under_another_protocol_has_no_place_and_a_note(runs: list[Path]) -> None:
    frame = build(runs).frame.set_index("run")
    assert frame.loc[["a", "b"], "t_rank_low"].tolist() == [1, 2]
    assert frame["t_rank_low"].isna()["c"] and frame["math_micro_rank_low"].isna()["c"]
    assert "protocol k2eval's own, other rows have kimi/1: not ranked with them" in frame["t_notes"]["c"]
    assert "another protocol than other rows (T, U): not ranked with them" in frame["math_micro_notes"]["c"]


def test_two_rows_under_two_protocols_are_not_ranked_at_all(runs: list[Path]) -> None:
    assert not [name for name in build(runs[1:]).frame.columns if "_rank_" in name or name.endswith("_group")]


def test_a_row_names_its_protocol(runs: list[Path]) -> None:
    assert "models/a, plain, protocol kimi/1" in to_markdown(build(runs), "x")
    assert build(runs).frame["protocol"].tolist() == ["kimi/1", "kimi/1", ""]


def test_deviations_and_what_is_unknown_are_notes(tmp_path: Path) -> None:
    [row] = build([run(tmp_path, "a", 1.0, protocol(repeats=32, recipe="plain"))]).frame["t_notes"]
    assert row == (
        "deviates from protocol kimi/1: repeats 1 instead of 32",
        "protocol kimi/1: unknown, so k2eval's own: prompt",
    )


def test_a_comparison_across_protocols_says_so_in_its_verdict(runs: list[Path]) -> None:
    lines = {line.name: line for line in compare(runs[1:]).pairs[0].lines}
    assert lines["t"].verdict == "better, under different protocols"
    assert lines["math_micro"].verdict == "better, under different protocols"
    assert lines["t"].notes[0].startswith("protocol k2eval's own instead of kimi/1: ")
    assert lines["math_micro"].notes == ("under different protocols: T, U",)


def test_a_comparison_within_a_protocol_is_as_before(runs: list[Path]) -> None:
    assert {line.verdict for line in compare(runs[:2]).pairs[0].lines} == {"worse"}


def test_a_race_across_protocols_is_refused(runs: list[Path]) -> None:
    with pytest.raises(ConfigError, match="under one protocol"):
        race_of_runs(load_runs(runs[1:]), Rules())


def test_each_protocol_has_a_frontier_of_its_own(runs: list[Path]) -> None:
    points = budget_points(load_runs([runs[1], runs[2]]), [100])
    assert {point.frontier for point in points} == {"on"}
