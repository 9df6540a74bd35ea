"""An audit of a run: scores by the graders of others, and each difference with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.audit import Audit, audit_run, audit_table, harnesses_named, reasons_table, write_audit
from k2eval.audit.reasons import How, Reason, reason
from k2eval.errors import ConfigError
from k2eval.records import Grade, Outcome, Request, Verdict
from tests.report.scripted import edit_run, smoke_run
from tests.scripted_runs import config, golds

TEXTS = (
    r"<think>so</think>\boxed{%s}",
    "<think>so</think>It is so. Answer: %s",
    "<think>maybe the answer is %s",
    r"<think>so</think>Either \boxed{99999, %s}",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four questions: boxed, stated, unfinished, and two numbers in the box."""
    known = golds(config(Path("none"), limit=4))
    names = list(known)

    def text(request: Request) -> str:
        return TEXTS[names.index(request.question_id)] % known[request.question_id]

    return smoke_run(tmp_path_factory.mktemp("made") / "run", repeats=1, limit=4, text=text)


@pytest.fixture(scope="module")
def audit(run: Path) -> Audit:
    return audit_run(run, harnesses=["eval360", "simple-evals"], workers=1)


def test_scores_are_those_of_the_same_responses(audit: Audit) -> None:
    found = {column.harness.name: (column.ours.value, column.theirs().value) for column in audit.columns}
    assert found == {"eval360": (0.5, 1.0), "simple-evals": (0.5, 0.25)}


def test_each_difference_has_its_side_and_reason(audit: Audit) -> None:
    found = {(each.harness, each.side, each.reason, each.leniency) for each in audit.differences}
    assert found == {
        ("eval360", "false pass", Reason.UNFINISHED, True),
        ("eval360", "false pass", How.SECOND_CHANCE, True),
        ("simple-evals", "false fail", How.FORM, False),
    }


def test_files_list_the_differing_samples(audit: Audit, tmp_path: Path) -> None:
    paths = write_audit(audit, tmp_path / "audit")
    assert [path.name for path in paths] == ["audit.json", "audit.md", "audit.jsonl"]
    rows = [json.loads(line) for line in paths[2].read_text().splitlines()]
    assert len(rows) == 3 and {row["repeat_index"] for row in rows} == {0}
    assert json.loads(paths[0].read_text())["tasks"][0]["false_pass"] == {
        Reason.UNFINISHED: 1,
        How.SECOND_CHANCE: 1,
    }
    assert "any number in the box (leniency)" in paths[1].read_text()


def test_tables_have_a_row_for_each_harness_and_reason(audit: Audit) -> None:
    header, rows = audit_table(audit)
    assert [row[header.index("Difference")] for row in rows] == ["+50.0", "-25.0"]
    assert len(reasons_table(audit)[1]) == 3


def test_answers_of_protected_tasks_are_left_out(run: Path, tmp_path: Path) -> None:
    import shutil

    protected = shutil.copytree(run, tmp_path / "run")
    edit_run(protected, protected=True)
    found = audit_run(protected, harnesses=["simple-evals"], workers=1)
    assert all(each.ours_extracted is None for each in found.differences)
    shown = audit_run(protected, harnesses=["simple-evals"], workers=1, include_protected=True)
    assert any(each.ours_extracted for each in shown.differences)


def test_a_task_that_no_harness_grades_is_an_error_that_says_so(run: Path) -> None:
    with pytest.raises(ConfigError, match="no harness here has a grader in the place of math"):
        audit_run(run, harnesses=["livecodebench"], workers=1)


def test_an_unknown_harness_is_named() -> None:
    with pytest.raises(ConfigError, match="matharena"):
        harnesses_named(["matharen"])


def verdict(outcome: Outcome, extracted: str | None = None) -> Verdict:
    grade = Grade.of(outcome)
    return Verdict(
        task="t", question_id="1", repeat_index=0, grader="math/5", outcome=outcome, score=grade.score,
        extracted=extracted,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "finished", "why"),
    [
        (verdict(Outcome.TRUNCATED), Grade.of(Outcome.CORRECT, "7"), False, Reason.UNFINISHED),
        (verdict(Outcome.TRUNCATED), Grade.of(Outcome.CORRECT, "7"), True, Reason.CUT),
        (verdict(Outcome.NO_ANSWER), Grade.of(Outcome.CORRECT, "7"), True, Reason.FOUND),
        (verdict(Outcome.WRONG, "8"), Grade.of(Outcome.CORRECT, "$8$"), True, Reason.LOOSER),
        (verdict(Outcome.WRONG, "8"), Grade.of(Outcome.CORRECT, "7"), True, Reason.OTHER_ANSWER),
        (verdict(Outcome.CORRECT, "7"), Grade.of(Outcome.WRONG, "7"), True, Reason.STRICTER),
        (verdict(Outcome.CORRECT, "7"), Grade.of(Outcome.WRONG, "7", how=How.STRINGS), True, How.STRINGS),
        (verdict(Outcome.CORRECT, "7"), Grade.of(Outcome.TIMEOUT), True, Reason.TIME),
        (verdict(Outcome.CORRECT, "7"), Grade.of(Outcome.NO_ANSWER), True, Reason.NOT_FOUND),
    ],
)
def test_reasons(ours: Verdict, theirs: Grade, finished: bool, why: str) -> None:
    assert reason(ours, theirs, finished) == why
