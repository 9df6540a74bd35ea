"""Configurations side by side."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from k2eval.engines.measured import Load
from k2eval.errors import ConfigError
from k2eval.speed.figures import Figures, Spread, figures_of
from k2eval.speed.load import Trace
from k2eval.speed.report import METRICS, print_tables, remarks, table_of, to_markdown, write


def some(config: str, gap: float = 0.02, requests: int = 4, concurrency: int = 2) -> Figures:
    traces = [
        Trace(0.1 * number, [0.1 * number + 0.05 + gap * n for n in range(10)], 10, 30)
        for number in range(requests)
    ]
    return figures_of(config, Load(requests, 10, 30, concurrency=concurrency), traces)


def cells(measured: list[Figures]) -> dict[str, list[str]]:
    header, rows = table_of(measured)
    assert all(len(row) == len(header) for row in rows)
    return {row[0]: row[1:] for row in rows}


def test_changes_are_in_percent_of_the_first() -> None:
    table = cells([some("TP8"), some("TP8 + DCP8", gap=0.01)])
    assert table["TPOT mean, ms"] == ["20.00", "10.00", "-50.0 %"]


def test_published_figures_of_vllm_give_the_published_changes() -> None:
    # vllm-project/recipes, Kimi-K2-Think: TP8 against TP8 with DCP8, 1,000 prompts on 8 H200.
    tp8 = replace(
        some("TP8"), requests=1000, failed=2, output_tokens=389.5, requests_per_s=1.25, tokens_per_s=485.78,
        tpot=Spread(381.29, 473.04, np.nan), errors=("x",),
    )  # fmt: skip
    dcp8 = replace(
        tp8, config="DCP8", failed=6, output_tokens=441.5, requests_per_s=1.57, tokens_per_s=695.13,
        tpot=Spread(398.60, 472.81, np.nan),
    )  # fmt: skip
    table = cells([tp8, dcp8])
    assert table["Output tokens/s"][2] == "+43.1 %"
    assert table["TPOT mean, ms"][2] == "+4.5 %"
    text = " ".join(remarks([tp8, dcp8]))
    assert "answers +13.4 % long" in text and "each answer comes more slowly (TPOT +4.5 %)" in text
    assert "6 of 1000 requests failed" in text


def test_what_nobody_measured_has_no_row() -> None:
    table = cells([some("a")])
    assert "Acceptance length" not in table and "Peak GPU memory, GiB" not in table
    assert "Output tokens/s" in table


def test_like_configurations_need_no_remark() -> None:
    assert remarks([some("a"), some("b")]) == []


def test_every_metric_names_a_column() -> None:
    row = some("a").row()
    assert all(column in row for column, _ in METRICS.values())


def test_files(tmp_path: Path) -> None:
    measured = [some("a"), some("a", concurrency=4), some("b|c"), some("b|c", concurrency=4)]
    paths = write(measured, tmp_path / "out" / "speed", "k2eval speed")
    assert [path.suffix for path in paths] == [".csv", ".md", ".png"]
    rows = list(csv.DictReader(paths[0].read_text().splitlines()))
    assert [(row["config"], row["load"]) for row in rows][:2] == [("a", "2 at a time"), ("a", "4 at a time")]
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    page = paths[1].read_text()
    assert page.count("## ") == 2 and "b\\|c" in page


def test_a_name_with_a_dot_stays_whole(tmp_path: Path) -> None:
    paths = write([some("a")], tmp_path / "vllm-0.32", "k2eval speed")
    assert [path.name for path in paths] == ["vllm-0.32.csv", "vllm-0.32.md", "vllm-0.32.png"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Choose another --out"):
        write([some("a")], tmp_path / "file" / "speed", "k2eval speed")


def test_the_terminal_shows_each_load_with_its_requests() -> None:
    text = io.StringIO()
    print_tables([some("a"), some("b"), some("a", concurrency=4)], Console(file=text, width=100))
    assert "2 at a time: 4 requests" in text.getvalue() and "4 at a time: 4 requests" in text.getvalue()


def test_markdown_explains_its_words() -> None:
    assert "TPOT: time per further token" in to_markdown([some("a")], "k2eval speed")
