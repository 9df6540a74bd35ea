from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError
from k2eval.records import Outcome
from k2eval.report import write_report
from k2eval.report.charts import kind_of
from k2eval.report.samples import Samples
from tests.leaderboard.synthetic import bernoulli, write_run
from tests.report.scripted import edit_run, make_best_of_two, smoke_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = smoke_run(tmp_path_factory.mktemp("runs") / "plain", limit=4)
    make_best_of_two(folder, "smoke-01")
    return folder


def embedded(page: Path, which: str) -> Any:
    result = re.search(
        rf'<script type="application/json" id="{which}">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert result
    return json.loads(result[1])


def test_the_report_is_one_file_when_texts_are_few(run: Path, tmp_path: Path) -> None:
    page = write_report([run], tmp_path / "out")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    assert len(embedded(page, "texts")) == 4


def test_the_page_loads_nothing_from_elsewhere(run: Path, tmp_path: Path) -> None:
    text = write_report([run], tmp_path / "out").read_text()
    assert not re.search(r"<(link|img|iframe)\b|\bsrc=|@import|https?://", text)


def test_texts_stand_beside_the_page_when_they_are_many(run: Path, tmp_path: Path) -> None:
    page = write_report([run], tmp_path / "out", embedded=1000)
    assert embedded(page, "texts") == {}
    assert embedded(page, "index")["beside"] == "samples"
    files = sorted(path.relative_to(page.parent).as_posix() for path in page.parent.rglob("*.js"))
    assert files == [f"samples/0/0/{question}.js" for question in range(4)]


def test_model_text_cannot_end_a_script(run: Path, tmp_path: Path) -> None:
    page = write_report([run], tmp_path / "out").read_text()
    assert "</think>" not in page.split('id="texts">')[1].split("</script>")[0]
    assert "<script>alert" not in page


def test_every_sample_is_indexed_with_outcome_tokens_and_answer(run: Path, tmp_path: Path) -> None:
    [task] = embedded(write_report([run], tmp_path / "out"), "index")["tasks"]
    assert task["questions"] == ["smoke-01", "smoke-02", "smoke-03", "smoke-04"]
    cells = [cell for row in task["cells"][0] for cell in row]
    assert len(cells) == 12
    kind, _, tokens, score, extracted = next(cell for cell in cells if cell[1] == "correct")
    assert (kind, score, extracted) == ("correct", 1.0, "35")
    assert tokens > 0
    assert task["previews"][0].startswith("Add the 83rd power")


def test_a_sample_shows_question_gold_response_candidates_and_judgements(run: Path, tmp_path: Path) -> None:
    shown = embedded(write_report([run], tmp_path / "out"), "texts")["0/0/0"]
    sample = shown["samples"]["0"]
    assert "83rd power" in shown["prompts"][sample["prompt"]]
    assert sample["gold"] == "35"
    assert [generation["stage"] for generation in sample["generations"]] == [
        "solve",
        "plan",
        "solve-1",
        "judge.0-1",
    ]
    assert [generation["selected"] for generation in sample["generations"]] == [True, False, False, False]
    assert sample["notes"]["comparisons"][0]["ground"] == "both orders"


def test_protected_texts_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=2, repeats=2)
    edit_run(folder, protected=True)
    page = write_report([folder], tmp_path / "out")
    text = page.read_text()
    assert "83rd power" not in text
    assert "Let me see" not in text
    assert embedded(page, "texts") == {}
    assert all(cell[4] is None for row in embedded(page, "index")["tasks"][0]["cells"][0] for cell in row)
    assert "left out, as the authors ask" in text
    assert "83rd power" in write_report([folder], tmp_path / "all", include_protected=True).read_text()


def test_protected_texts_of_an_earlier_report_do_not_stay_beside_the_page(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=2, repeats=2)
    edit_run(folder, protected=True)
    write_report([folder], tmp_path / "out", include_protected=True, embedded=0)
    assert list((tmp_path / "out").rglob("*.js"))
    write_report([folder], tmp_path / "out", embedded=0)
    assert not list((tmp_path / "out").rglob("*.js"))


def test_a_run_without_its_questions_still_gets_a_report(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=2, repeats=2)
    edit_run(folder, fingerprint="another")
    page = write_report([folder], tmp_path / "out")
    assert "the questions found are not those of the run" in page.read_text()
    assert embedded(page, "texts")["0/0/0"]["prompts"] == [""]


def test_runs_with_different_benchmarks_share_a_page(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", {"t": bernoulli(20, 4, 0.5, 1), "u": bernoulli(5, 4, 0.5, 2)}),
        write_run(tmp_path / "b", {"t": bernoulli(20, 4, 0.5, 1)}),
    ]
    index = embedded(write_report(runs, tmp_path / "out"), "index")
    assert [task["name"] for task in index["tasks"]] == ["t", "u"]
    assert index["tasks"][1]["cells"][1] == [[]] * 5


def test_letters_do_not_vote_across_shuffled_options(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=2, repeats=2)
    samples = Samples.load(folder)
    assert samples.votes("smoke") is not None
    edit_run(folder, grader="choice/1", fingerprint="another")
    assert Samples.load(folder).votes("smoke") is None


@pytest.mark.parametrize(
    ("outcome", "score", "kind"),
    [
        (Outcome.CORRECT, 1.0, "correct"),
        (Outcome.WRONG, 0.5, "partial"),
        (Outcome.TRUNCATED, 0.0, "truncated"),
        (Outcome.RUNTIME_ERROR, 0.0, "program"),
        (Outcome.ENGINE_ERROR, None, "infrastructure"),
    ],
)
def test_outcomes_have_kinds(outcome: Outcome, score: float | None, kind: str) -> None:
    assert kind_of(outcome, score) == kind


def test_a_directory_that_cannot_be_written_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Choose another --out"):
        write_report([run], tmp_path / "file" / "out")
