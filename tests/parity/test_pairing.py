"""Which questions, figures and prompts of both sides belong together, where a file does not make it plain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.interop import export_run
from k2eval.parity import Parity, parity_of, read_against
from k2eval.parity.bounded import json_of
from k2eval.parity.side import Side, task_key
from tests.report.scripted import smoke_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("made") / "run", repeats=2)


def changed(run: Path, folder: Path, change: Any) -> Parity:
    """Compare the run with its own export, whose rows were changed."""
    [path] = [path for path in export_run(run, "lm-eval", folder).files if path.suffix == ".jsonl"]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for place, row in enumerate(rows):
        change(row, rows, place)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [parity] = parity_of(run, path.parent, with_audit=False).parities
    return parity


def status(parity: Parity, name: str) -> str:
    return next(cause.status for cause in parity.causes if cause.name == name)


def other_texts(row: dict[str, Any], words: str) -> None:
    row["doc"] = {"id": row["doc"]["id"], "problem": words}
    row["arguments"]["gen_args_0"]["arg_0"] = words


def test_an_id_pairs_no_questions_whose_texts_are_others(run: Path, tmp_path: Path) -> None:
    words = "A baker sells loaves at nine prices and wants to know which of them were sold before noon on day"
    parity = changed(run, tmp_path, lambda row, rows, place: other_texts(row, f"{words} {place}"))
    assert parity.shared == 0 and parity.agreements[0].method != "paired"
    assert status(parity, "data revision") != "same"


def test_an_id_without_a_text_pairs_and_tells_nothing_of_the_data(run: Path, tmp_path: Path) -> None:
    parity = changed(run, tmp_path, lambda row, rows, place: other_texts(row, ""))
    assert parity.agreements[0].method == "paired" and status(parity, "data revision") == "unknown"


def test_a_text_of_several_rows_pairs_none(run: Path, tmp_path: Path) -> None:
    def with_source(row: dict[str, Any], rows: list[Any], place: int) -> None:
        row["doc"] = {"source": "a competition in a large country", **row["doc"]}

    parity = changed(run, tmp_path, with_source)
    assert parity.agreements[0].value == pytest.approx(0)
    side = Side("x", "t", 0.5)
    for owner in ("1", "2", "3"):
        side.score_row(owner, ["source", f"id:{owner}"], [1.0])
    assert sorted(side.scores) == ["id:1", "id:2", "id:3"]


def test_rows_of_one_question_are_its_repeats() -> None:
    side = Side("x", "t", 0.5)
    side.score_row("1", ["id:1"], [1.0])
    side.score_row("1", ["id:1"], [0.0])
    assert side.scores == {"id:1": [1.0, 0.0]}


def test_the_end_of_a_prompt_is_another_prompt(run: Path, tmp_path: Path) -> None:
    def only_end(row: dict[str, Any], rows: list[Any], place: int) -> None:
        row["arguments"]["gen_args_0"]["arg_0"] = "\\boxed{}."

    assert status(changed(run, tmp_path, only_end), "prompt") == "differs"


def test_samples_that_do_not_make_up_the_stated_score_are_not_paired(run: Path, tmp_path: Path) -> None:
    def failed(row: dict[str, Any], rows: list[Any], place: int) -> None:
        row["avg_at_k"] = 0.0

    parity = changed(run, tmp_path, failed)
    assert parity.agreements[0].method != "paired"
    assert any("the mean of its samples is 0.0" in note for note in parity.theirs.notes)


def test_samples_of_more_questions_than_ours_must_make_up_the_stated_score_too(
    run: Path, tmp_path: Path
) -> None:
    [path] = [path for path in export_run(run, "lm-eval", tmp_path).files if path.suffix == ".jsonl"]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["avg_at_k"] = 0.0
    more = {"doc_id": 99, "doc": {"id": "99"}, "filter": "k2eval", "avg_at_k": 0.0}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, more]))
    results = next(tmp_path.glob("**/results_*.json"))
    content = json.loads(results.read_text())
    content["n-samples"]["smoke"]["effective"] = len(rows) + 1
    results.write_text(json.dumps(content))
    [parity] = parity_of(run, path.parent, with_audit=False).parities
    assert parity.shared == len(rows) and parity.agreements[0].method != "paired"


@pytest.mark.parametrize(
    ("first", "second"), [("humaneval", "HumanEval+"), ("mbpp", "MBPP+"), ("aime24", "AIME 2024 II")]
)
def test_a_variant_of_a_benchmark_is_another_one(first: str, second: str) -> None:
    assert task_key(first) != task_key(second)


@pytest.mark.parametrize("second", ["smoke", "Smoke"])
def test_two_figures_of_one_benchmark_are_never_chosen_from(run: Path, tmp_path: Path, second: str) -> None:
    path = tmp_path / "figures.csv"
    path.write_text(f"system,task,score,effort\nA,SMOKE,10,low\nA,{second},60,high\nA,SMOKE,70,\n")
    with pytest.raises(ConfigError, match="several figures"):
        parity_of(run, path, with_audit=False)


def test_benchmarks_of_one_side_are_named(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "figures.csv"
    path.write_text("system,task,score\nA,smoke,60\nA,aime24,70\n")
    assert parity_of(run, path, with_audit=False).notes == ["only the other side has aime24"]


def test_counts_of_samples_need_the_number_of_samples() -> None:
    assert Side("x", "t", 0.5, questions=30).asked is None
    assert Side("x", "t", 0.5, questions=30, repeats=16).asked == 480


def test_a_nan_within_a_text_stays(tmp_path: Path) -> None:
    content = rb'{"a": NaN, "b": "NaN3 and \"NaN\"", "c": [-NaN]}'
    assert json_of(content, tmp_path) == {"a": None, "b": 'NaN3 and "NaN"', "c": [None]}


DATA = "dataset_name: aime24\nnum_generations: 2\n"


def eval360(folder: Path, scores: str, **rows: list[dict[str, Any]]) -> Path:
    (folder / "data.yaml").write_text(DATA)
    (folder / "scores.yaml").write_text(scores)
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_an_error_of_a_score_is_no_score(tmp_path: Path) -> None:
    [side] = read_against(eval360(tmp_path, "accuracy_stderr: 0.03\navg_len: 0.5\naccuracy: 0.6\n"))
    assert side.score == 0.6


def test_generations_beside_graded_rows_count_for_nothing(tmp_path: Path) -> None:
    graded = [{"row": 0, "correct": [True, False]}, {"row": 1, "correct": []}]
    folder = eval360(tmp_path, "x: 1\n", a_grades=graded, b_generations=[{"row": 0}, {"row": 1}])
    [side] = read_against(folder)
    assert (side.score, side.questions, side.scores) == (0.5, 2, {"id:0": [1.0, 0.0]})


def test_two_files_of_graded_rows_are_refused(tmp_path: Path) -> None:
    rows = [{"row": 0, "correct": [True]}]
    with pytest.raises(DataError, match="one file of graded rows"):
        read_against(eval360(tmp_path, "x: 1\n", a=rows, b=rows))
