from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from k2eval.errors import ConfigError
from k2eval.leaderboard import build, print_table, write
from k2eval.records import Outcome, Sampling
from tests.leaderboard.synthetic import bernoulli, verdict, write_run
from tests.run_records import model_record, note

SHIPPED = Path(__file__).parents[2] / "leaderboards" / "published.csv"


def printed(board: object, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(board, console)  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    infos: dict[str, dict[str, Any]] = {
        "t": {"title": "Tee", "expected_questions": 60},
        "u": {"title": "You"},
    }
    paths = []
    for name, shift in (("good", 0.0), ("bad", -0.3)):
        tasks = {task: bernoulli(40, 8, 0.5, seed, shift) for seed, task in enumerate("tu")}
        tasks["u"][0][0] = Outcome.ENGINE_ERROR  # type: ignore[call-overload]
        paths.append(write_run(tmp_path / name, tasks, infos=infos))
    return paths


def test_csv_markdown_and_html_are_written_beside_each_other(tmp_path: Path, runs: list[Path]) -> None:
    paths = write(build(runs), tmp_path / "boards" / "v1.2")
    assert [path.name for path in paths] == ["v1.2.csv", "v1.2.md", "v1.2.html"]
    assert all(path.exists() for path in paths)


def test_the_csv_has_one_number_per_cell(tmp_path: Path, runs: list[Path]) -> None:
    board = build(runs)
    path, *_ = write(board, tmp_path / "board")
    frame = pd.read_csv(path)
    assert frame["t"].tolist() == pytest.approx(board.frame["t"].tolist(), abs=1e-6)
    for column in (
        "t_low",
        "t_high",
        "t_k",
        "t_questions",
        "math_micro",
        "math_micro_rank_high",
        "tokens_per_s",
    ):
        assert pd.api.types.is_numeric_dtype(frame[column])


def test_published_figures_are_not_in_the_csv(tmp_path: Path, runs: list[Path]) -> None:
    path, page, _ = write(build(runs, published=SHIPPED), tmp_path / "board")
    assert "K2-Think" not in path.read_text()
    measured, published = page.read_text().split("## Published figures\n")
    assert "K2-Think" not in measured
    assert "90.83" in published
    assert "67.99" in published


def test_figures_of_benchmarks_that_are_not_run_here_are_in_a_table_of_their_own(
    tmp_path: Path, runs: list[Path]
) -> None:
    _, page, html = write(build(runs, published=SHIPPED), tmp_path / "board")
    run_here, elsewhere = page.read_text().split("## Published figures")[1:]
    assert "BrowseComp |" not in run_here
    for title in (
        "HLE, text only, with tools",
        "BrowseComp",
        "τ²-Bench",
        "Terminal-Bench 1",
        "Terminal-Bench 2.0",
    ):
        assert f"| {title} |" in elsewhere
    row = next(line for line in elsewhere.splitlines() if line.startswith("| Kimi K2 Thinking |"))
    assert row.startswith("| Kimi K2 Thinking | 44.90 | 60.20 | – | – | 47.10 | – |")
    assert "K2-Think 32B" not in elsewhere
    assert "Published figures of other benchmarks" in html.read_text()


def test_the_page_marks_best_incomplete_and_failed(tmp_path: Path, runs: list[Path]) -> None:
    _, page, _ = write(build(runs), tmp_path / "board")
    text = page.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| good"))
    assert row.count("**") == 8
    assert "⚠" in row
    assert "avg@8, 40 of 60 questions" in text
    assert "40 of 60 questions\n" in text
    assert "infrastructure failures, left out: 1 of 320 samples" in text


def test_every_mark_has_its_footnote(tmp_path: Path, runs: list[Path]) -> None:
    _, page, _ = write(build(runs), tmp_path / "board")
    head, notes = page.read_text().split("\n- ", 1)
    for mark in ("⁽¹⁾", "⁽²⁾", "⁽³⁾"):
        assert mark in head
        assert mark in notes


def test_different_k_is_shown_cell_by_cell(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", {"t": [[1.0, 0.0]] * 5}), write_run(tmp_path / "b", {"t": [[1.0]] * 5})]
    _, page, _ = write(build(runs), tmp_path / "board")
    assert "avg@2, 5 questions" in page.read_text()
    assert "avg@1, 5 questions" in page.read_text()


def test_lopsided_intervals_show_their_ends(tmp_path: Path) -> None:
    _, page, _ = write(build([write_run(tmp_path / "a", {"t": [[0.0]] * 30})]), tmp_path / "board")
    assert "0.0 (0.0 – 11.6)" in page.read_text()


def test_one_run_is_printed_benchmark_by_benchmark(runs: list[Path]) -> None:
    text = printed(build(runs[:1]), 110)
    assert "good: models/good, recipe plain; 500 tokens/s" in text
    assert "40 of 60" in text
    assert "1 ⚠" in text
    assert "Maths micro" in text


def test_brackets_in_names_are_printed_as_they_are(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"t": [[1.0]]}, model=model_record("models/[bold]x[/bold]"))
        for name in ("a", "b")
    ]
    assert "[bold]x[/bold]" in printed(build(runs)).replace("\n", "")


def test_pipes_in_names_do_not_break_the_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0]]}, model=model_record("x|y"))
    _, page, _ = write(build([run]), tmp_path / "board")
    assert "x\\|y" in page.read_text()


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path, runs: list[Path]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Choose another --out"):
        write(build(runs), tmp_path / "file" / "board")


def test_one_run_on_a_terminal_shows_what_the_whole_recipe_costs(tmp_path: Path, runs: list[Path]) -> None:
    assert "whole" in printed(build(runs[:1]))
    lines = [verdict("t", "q", 0, 1.0, output_tokens=300)]
    plain = write_run(tmp_path / "plain", {"t": [[1.0]]}, lines=lines)
    assert "whole" not in printed(build([plain]))


def test_what_an_adaptive_vote_saved_is_said(tmp_path: Path) -> None:
    lines = [verdict("t", "q", 0, 1.0, notes={"tokens_saved_estimate": 100})]
    run = write_run(tmp_path / "adaptive", {"t": [[1.0]]}, lines=lines)
    assert "about 25% fewer tokens than with all candidates" in printed(build([run]))


def test_notes_stand_in_one_cell_of_the_csv_and_can_be_told_apart(tmp_path: Path) -> None:
    infos = {"t": {"notes": (note("one; and more"), note("two"))}}
    table, *_ = write(build([write_run(tmp_path / "a", {"t": [[1.0]]}, infos=infos)]), tmp_path / "board")
    assert pd.read_csv(table).loc[0, "t_notes"] == "one, and more; two"


def test_a_note_with_a_semicolon_is_one_footnote(tmp_path: Path) -> None:
    infos = {"t": {"notes": (note("one; and more"),)}}
    _, page, _ = write(build([write_run(tmp_path / "a", {"t": [[1.0]]}, infos=infos)]), tmp_path / "board")
    assert "⁽¹⁾ one; and more\n" in page.read_text()


def thinking(folder: Path, *samplings: Sampling) -> list[Path]:
    return [
        write_run(folder / f"r{number}", {"t": [[1.0], [0.0]]}, infos={"t": {"sampling": sampling}})
        for number, sampling in enumerate(samplings)
    ]


def test_switches_of_thinking_have_a_column_in_every_form(tmp_path: Path) -> None:
    high = Sampling(thinking=True, reasoning_effort="high", thinking_budget=4096)
    board = build(thinking(tmp_path, high, Sampling()))
    assert sorted(board.frame["thinking"]) == ["", "on, effort high, budget 4,096"]
    assert all("on, effort high, budget 4,096" in path.read_text() for path in write(board, tmp_path / "b"))
    assert "effort high" in printed(board)


def test_one_run_says_its_switches_of_thinking_in_its_title(tmp_path: Path) -> None:
    assert "; thinking off" in printed(build(thinking(tmp_path, Sampling(thinking=False))))


def test_without_switches_there_is_no_column(tmp_path: Path) -> None:
    board = build(thinking(tmp_path, Sampling(), Sampling()))
    assert "thinking" not in board.frame and "Thinking" not in printed(board)


def test_switches_that_differ_between_tasks_are_told_by_task(tmp_path: Path) -> None:
    infos: dict[str, dict[str, Any]] = {
        "t": {"title": "Tee", "sampling": Sampling(thinking=False)},
        "u": {"title": "You"},
    }
    run = write_run(tmp_path / "a", {"t": [[1.0]], "u": [[1.0]]}, infos=infos)
    assert build([run]).frame["thinking"].tolist() == ["Tee: off; You: by its template"]


def test_a_row_that_sets_a_switch_is_told_from_rows_that_do_not(tmp_path: Path) -> None:
    board = build(thinking(tmp_path, Sampling(), Sampling(), Sampling(reasoning_effort="low")))
    [notes] = [
        notes for name, notes in zip(board.frame["run"], board.frame["t_notes"], strict=True) if name == "r2"
    ]
    assert notes == ("reasoning_effort low instead of unset",)
