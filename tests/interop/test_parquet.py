"""The Parquet files of a run, and the documented queries on them, by the programs that people use."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from k2eval.interop import parquet
from k2eval.interop.export import export_run
from k2eval.interop.exported import HIDDEN, Run
from k2eval.records import Outcome, Verdict
from tests.report.scripted import edit_run, make_best_of_two, smoke_run

DOCS = Path(__file__).parents[2] / "docs" / "interop.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = smoke_run(tmp_path_factory.mktemp("run") / "model", repeats=3, limit=4)
    make_best_of_two(folder, "smoke-01")
    return folder


@pytest.fixture(scope="module")
def folder(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parquet")
    export_run(run, "parquet", out)
    return out


def test_each_sample_is_a_row_with_the_score_of_the_table(run: Path, folder: Path) -> None:
    samples = pd.read_parquet(folder / "samples.parquet")
    assert len(samples) == 12 and samples["score"].notna().all()
    means = samples.groupby("question_id")["score"].mean()
    assert means.mean() == pytest.approx(Run(run).estimate("smoke").value)


def test_all_generations_of_a_sample_are_rows(folder: Path) -> None:
    generations = pl.read_parquet(folder / "generations.parquet")
    of_first = generations.filter((pl.col("question_id") == "smoke-01") & (pl.col("repeat_index") == 0))
    assert len(of_first) > 1 and of_first["selected"].sum() == 1
    assert {"reasoning", "answer", "complete"} <= set(generations.columns)


def test_reasoning_is_split_from_the_answer(folder: Path) -> None:
    generations = pd.read_parquet(folder / "generations.parquet")
    finished = generations[generations["complete"] & (generations["reasoning"] != "")]
    assert len(finished) and not finished["answer"].str.contains("<think>").any()


def test_a_failure_of_our_side_has_no_score(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "failed", repeats=2, limit=2)
    verdicts = folder / "verdicts.jsonl"
    first = Verdict.model_validate_json(verdicts.read_text().splitlines()[0])
    failed = first.model_copy(update={"outcome": Outcome.GRADER_ERROR, "score": None, "extracted": None})
    with verdicts.open("a") as file:
        file.write(failed.to_line() + "\n")
    export_run(folder, "parquet", tmp_path / "out")
    samples = pd.read_parquet(tmp_path / "out" / "samples.parquet")
    assert samples[samples["score"].isna()]["outcome"].tolist() == ["grader_error"]


def test_texts_that_utf_8_cannot_hold_are_kept_as_far_as_they_go(tmp_path: Path) -> None:
    with parquet._Table(tmp_path / "x.parquet", parquet.SAMPLES) as table:
        table.add({"response": "a\ud800b\0c"})
    row = pq.read_table(tmp_path / "x.parquet").to_pylist()[0]
    assert row["response"].startswith("a") and row["response"].endswith("c")


def test_groups_of_rows_stay_small(tmp_path: Path) -> None:
    with parquet._Table(tmp_path / "x.parquet", parquet.SAMPLES) as table:
        for _ in range(5):
            table.add({"response": "x" * 20_000_000})
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 3


@pytest.mark.parametrize("name", ["samples.parquet", "generations.parquet"])
def test_texts_of_protected_benchmarks_are_left_out(tmp_path: Path, name: str) -> None:
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    edit_run(folder, protected=True)
    export_run(folder, "parquet", tmp_path / "out")
    columns = pq.read_table(tmp_path / "out" / name).to_pydict()
    texts = {text for column in columns.values() for text in column if isinstance(text, str)}
    assert HIDDEN in texts and not any("83rd power" in text or "boxed" in text for text in texts)


QUERIES = re.findall(r"```sql\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("query", QUERIES)
def test_the_documented_queries_answer(query: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    answer = duckdb.sql(query)
    assert answer is not None and answer.fetchall()


def test_five_queries_are_documented() -> None:
    assert len(QUERIES) == 5
