from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, JournalError
from k2eval.leaderboard import build, load_runs
from k2eval.records import Outcome
from k2eval.report import write_report
from k2eval.report.charts import attempts, frontiers, kind_of, lengths
from k2eval.report.index import describe, store_texts
from k2eval.report.pieces import PieceWriter
from k2eval.report.samples import Samples
from tests.leaderboard.synthetic import bernoulli, verdict, write_run
from tests.leaderboard.test_errors import noisy, run_of
from tests.report.reading import texts_in
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


def sample(page: Path, number: int, run: int = 0) -> tuple[dict[str, Any], list[str], list[str]]:
    """Facts, texts and prompts of a sample."""
    [task] = embedded(page, "index")["tasks"]
    columns, pieces = task["runs"][run], texts_in(page)
    [facts, *written] = pieces[columns["pieces"][0][1]][number]
    return json.loads(facts), written, pieces[task["pieces"][0][1]][number // columns["repeats"]]


def test_the_report_is_one_file_when_texts_are_few(run: Path, tmp_path: Path) -> None:
    page = write_report([run], tmp_path / "out")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    assert [len(records) for records in texts_in(page).values()] == [12, 4]


def test_the_page_may_load_nothing_from_elsewhere(run: Path, tmp_path: Path) -> None:
    text = write_report([run], tmp_path / "out").read_text()
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert not re.search(r"unsafe|https?:|img-src", policy)
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"<(link|img|iframe)\b|\bsrc=|https?:", markup)


def test_texts_stand_beside_the_page_when_they_are_many(run: Path, tmp_path: Path) -> None:
    page = write_report([run], tmp_path / "out", embedded=1000)
    assert embedded(page, "index")["beside"] == "samples"
    assert "piece-" not in page.read_text().partition("<body>")[2].partition("<script>")[0]
    files = sorted(path.relative_to(page.parent).as_posix() for path in page.parent.rglob("*.js"))
    assert files == ["samples/0.js", "samples/1.js"]
    assert texts_in(page) == texts_in(write_report([run], tmp_path / "one"))


def test_model_text_cannot_end_a_script(run: Path, tmp_path: Path) -> None:
    folder = smoke_run(
        tmp_path / "run", limit=1, repeats=1, text=lambda request: "</script><b id=in>\\boxed{</script>}"
    )
    page = write_report([folder], tmp_path / "out").read_text()
    assert "<b id=in>" not in page
    assert "boxed{</script" not in page
    assert embedded(write_report([folder], tmp_path / "out"), "index")["tasks"][0]["runs"][0]["answers"] == [
        "</script>"
    ]


def test_every_sample_is_indexed_with_outcome_tokens_and_answer(run: Path, tmp_path: Path) -> None:
    index = embedded(write_report([run], tmp_path / "out"), "index")
    [task] = index["tasks"]
    [columns] = task["runs"]
    assert task["questions"] == ["smoke-01", "smoke-02", "smoke-03", "smoke-04"]
    assert [len(columns["outcomes"]), len(columns["tokens"]), len(columns["answer"])] == [12, 12, 12]
    code = "abcdefghijklmnopqrstuvwxyz"[[name for name, _ in index["outcomes"]].index("correct")]
    right = columns["outcomes"].index(code)
    assert columns["answers"][columns["answer"][right]] == "35"
    assert columns["tokens"][right] > 0
    assert task["previews"][0].startswith("Add the 83rd power")


def test_a_sample_shows_question_gold_response_candidates_and_judgements(run: Path, tmp_path: Path) -> None:
    facts, written, prompts = sample(write_report([run], tmp_path / "out"), 0)
    assert "83rd power" in prompts[facts["prompt"]]
    assert facts["gold"] == "35"
    generations = facts["generations"]
    assert [one["stage"] for one in generations] == ["solve", "plan", "solve-1", "judge.0-1"]
    assert [one["selected"] for one in generations] == [True, False, False, False]
    assert written[4:6] == ["second", "\\boxed{99}"]
    assert facts["notes"]["comparisons"][0]["ground"] == "both orders"


def tagged(folder: Path) -> Path:
    """Four questions, two of a tag each; the hard ones are wrong."""
    lines = [
        verdict("t", f"q{number}", repeat, float(number < 3), tags={"level": level})
        for number, level in ((1, "easy"), (2, "easy"), (3, "hard"), (4, "hard"))
        for repeat in range(2)
    ]
    return write_run(folder, {"t": [[1, 1], [1, 1], [0, 0], [0, 0]]}, lines=lines)


def test_the_index_has_the_tags_of_questions(tmp_path: Path) -> None:
    [task] = embedded(write_report([tagged(tmp_path / "a")], tmp_path / "out"), "index")["tasks"]
    assert task["tags"] == [{"name": "level", "values": ["easy", "hard"], "of": [0, 0, 1, 1]}]


def test_excluded_questions_count_in_no_chart_and_are_shown_as_samples(tmp_path: Path) -> None:
    (tmp_path / "seen.txt").write_text("t/q3\nq1\n")
    page = write_report([tagged(tmp_path / "a")], tmp_path / "out", exclude=tmp_path / "seen.txt")
    text = page.read_text()
    assert "easy, questions: 1" in text and "hard, questions: 1" in text
    assert 'k = 2</th></tr></thead>\n<tbody>\n<tr><th scope="row">a</th><td>50.0 (' in text
    assert embedded(page, "index")["tasks"][0]["questions"] == ["q1", "q2", "q3", "q4"]


def test_a_report_without_any_question_left_is_still_a_page(tmp_path: Path) -> None:
    (tmp_path / "seen.txt").write_text("q1\nq2\nq3\nq4\n")
    page = write_report([tagged(tmp_path / "a")], tmp_path / "out", exclude=tmp_path / "seen.txt")
    assert len(embedded(page, "index")["tasks"][0]["questions"]) == 4


def test_ids_stand_in_their_natural_order(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", {"t": bernoulli(12, 2, 0.5, 1)})]
    [task] = embedded(write_report(runs, tmp_path / "out"), "index")["tasks"]
    assert task["questions"] == sorted(task["questions"], key=lambda name: int(re.sub(r"\D", "", name)))


def test_characters_that_separate_texts_are_shown_and_separate_nothing(tmp_path: Path) -> None:
    odd = "one \x1e two \x1f three \ud800 \\boxed{1}"
    folder = smoke_run(tmp_path / "run", limit=1, repeats=1, text=lambda request: odd)
    _, written, _ = sample(write_report([folder], tmp_path / "out"), 0)
    assert written == ["", "one ␞ two ␟ three \ufffd \\boxed{1}"]


def test_texts_of_many_samples_come_in_several_pieces(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=4, repeats=3)
    samples = [Samples.load(folder)]
    index = describe(load_runs([folder]), samples, set())
    with PieceWriter(tmp_path / "out", 0, piece_bytes=2000) as writer:
        store_texts(index, samples, writer)
    [task] = index.described["tasks"]
    places = task["runs"][0]["pieces"]
    pieces = texts_in(tmp_path / "out" / "none.html")
    assert len(places) > 2
    for (first, piece), (after, _) in zip(places, [*places[1:], (12, None)], strict=True):
        assert list(pieces[piece]) == list(range(first, after))


def test_protected_texts_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=2, repeats=2)
    edit_run(folder, protected=True)
    page = write_report([folder], tmp_path / "out")
    text = page.read_text()
    assert "83rd power" not in text
    assert "Let me see" not in text
    assert texts_in(page) == {}
    assert embedded(page, "index")["tasks"][0]["runs"][0]["answers"] == []
    assert "left out, as the authors ask" in text
    shown = write_report([folder], tmp_path / "all", include_protected=True)
    assert "83rd power" in sample(shown, 0)[2][0]


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
    assert sample(page, 0)[2] == [""]


def test_runs_with_different_benchmarks_share_a_page(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", {"t": bernoulli(20, 4, 0.5, 1), "u": bernoulli(5, 4, 0.5, 2)}),
        write_run(tmp_path / "b", {"t": bernoulli(20, 4, 0.5, 1)}),
    ]
    index = embedded(write_report(runs, tmp_path / "out"), "index")
    assert [task["name"] for task in index["tasks"]] == ["t", "u"]
    assert index["tasks"][1]["runs"][1] is None


def test_an_error_is_in_no_chart_in_percent(tmp_path: Path) -> None:
    paths = [run_of(tmp_path / name, noisy(0.5, seed)) for seed, name in enumerate("ab")]
    board, runs = build(paths), load_runs(paths)
    assert any(benchmark.error_unit for benchmark in board.benchmarks)
    drawn = [*lengths(runs), *attempts(runs, [{}, {}]), *frontiers(board, runs)]
    assert {figure.title for figure in drawn} <= {"ESOL", "ESOL: pass@k"}


def test_the_frontier_names_the_run_that_is_better(tmp_path: Path) -> None:
    paths = [
        write_run(tmp_path / name, {"t": bernoulli(40, 4, 0.5, 1, shift)})
        for name, shift in (("good", 0.2), ("bad", -0.2))
    ]
    [figure] = [one for one in frontiers(build(paths), load_runs(paths)) if one.title == "t"]
    assert figure.values is not None
    ends = {row[0]: row[-1] for row in figure.values.rows}
    tokens = {row[0]: float(row[1].replace(",", "")) for row in figure.values.rows}
    assert ends["good"] == "on it"
    assert ends["bad"] == ("good is better" if tokens["bad"] >= tokens["good"] else "on it")


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


def test_more_repeats_than_a_page_can_show_are_refused(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=1, repeats=1)
    edit_run(folder, repeats=1_000_000)
    verdicts = folder / "verdicts.jsonl"
    line = json.loads(verdicts.read_text())

    with verdicts.open("a") as file:
        file.write(json.dumps(line | {"repeat_index": 999_999}) + "\n")
    with pytest.raises(JournalError, match=r"up to 4,096 repeats .* got 1,000,000 repeats of 1 questions"):
        write_report([folder], tmp_path / "out")
