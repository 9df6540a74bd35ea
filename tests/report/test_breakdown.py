"""pass@k, maj@k and tags of a run whose verdicts are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.errors import ConfigError
from k2eval.journal import RUN, VERDICTS
from k2eval.report.breakdown import break_down, tables, write_breakdown
from tests.report.scripted import smoke_run


def set_verdicts(run: Path, rows: dict[str, tuple[dict[str, str], str]]) -> None:
    """For each question its tags and, for each run, ``+`` for right or the wrong answer's letter."""
    lines = [
        {
            "task": "smoke",
            "question_id": question,
            "repeat_index": index,
            "outcome": "correct" if answer == "+" else "wrong",
            "score": float(answer == "+"),
            "extracted": answer,
            "grader": "math/1",
            "tags": tags,
        }
        for question, (tags, answers) in rows.items()
        for index, answer in enumerate(answers)
    ]
    (run / VERDICTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    described = json.loads((run / RUN).read_text())
    repeats = max(len(answers) for _, answers in rows.values())
    described["tasks"]["smoke"] |= {
        "title": "Smoke",
        "questions": len(rows),
        "repeats": repeats,
        "hashes": dict.fromkeys(rows, "0"),
    }
    (run / RUN).write_text(json.dumps(described))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = smoke_run(tmp_path / "mine", repeats=1, limit=1)
    set_verdicts(
        folder,
        {
            "q1": ({"difficulty": "hard", "date": "2024-01-01"}, "+aab"),
            "q2": ({"difficulty": "easy", "date": "2024-01-02"}, "++ab"),
            "q3": ({"difficulty": "easy", "date": "2024-01-03"}, "++++"),
        },
    )
    return folder


def test_a_benchmark_has_avg_pass_and_maj(run: Path) -> None:
    [row] = break_down([run], by=["difficulty"]).query("tag == ''").to_dict("records")
    assert (row["questions"], row["samples"], row["k"]) == (3, 12, 4)
    assert row["avg"] == pytest.approx(100 * (1 / 4 + 2 / 4 + 1) / 3)
    assert row["pass@2"] == pytest.approx(100 * (1 / 2 + 5 / 6 + 1) / 3)
    assert row["pass@4"] == pytest.approx(100)
    assert row["maj@4"] == pytest.approx(100 * (0 + 1 + 1) / 3)
    assert row["avg_low"] < row["avg"] < row["avg_high"]


def test_each_value_of_a_tag_is_scored_apart_and_easy_comes_first(run: Path) -> None:
    frame = break_down([run], by=["difficulty"])
    scores = frame[frame["tag"] == "difficulty"].set_index("value")["avg"]
    assert dict(scores) == {"easy": pytest.approx(75), "hard": pytest.approx(25)}
    assert list(scores.index) == ["easy", "hard"]


def test_numbers_are_put_in_their_order(run: Path) -> None:
    set_verdicts(run, {f"q{level}": ({"level": level}, "+a") for level in ("10", "9", "2")})
    [_, (title, header, rows)] = tables(break_down([run]))
    assert title == "Smoke, by level"
    assert header == ["level", "Questions", "k", "Samples", "avg", "pass@2", "maj@2"]
    assert [row[0] for row in rows] == ["2", "9", "10"]


def test_tags_with_many_values_are_broken_down_where_they_are_asked_for(run: Path) -> None:
    set_verdicts(run, {f"q{day}": ({"date": f"day {day}"}, "+a") for day in range(30)})
    assert set(break_down([run])["tag"]) == {""}
    assert len(break_down([run], by=["date"])) == 31


def test_programs_have_no_majority(run: Path) -> None:
    described = json.loads((run / RUN).read_text())
    described["tasks"]["smoke"]["grader"] = "code/2"
    (run / RUN).write_text(json.dumps(described))
    assert not [name for name in break_down([run]) if str(name).startswith("maj")]


def test_an_unknown_tag_is_refused_with_those_that_there_are(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"no tag 'dificulty'|tag 'dificulty'.*difficulty"):
        break_down([run], by=["dificulty"])


def test_runs_stand_side_by_side(run: Path, tmp_path: Path) -> None:
    other = smoke_run(tmp_path / "other", repeats=2, limit=3)
    [(_, header, rows), *_] = tables(break_down([run, other]))
    assert header[1] == "Run"
    assert [row[1] for row in rows] == ["mine", "other"]


def test_files_hold_the_numbers_and_the_tables(run: Path, tmp_path: Path) -> None:
    paths = write_breakdown(break_down([run]), tmp_path / "new" / "mine")
    assert [path.name for path in paths] == ["mine.csv", "mine.md"]
    assert "pass@4_low" in paths[0].read_text().splitlines()[0]
    assert "| Smoke | 3 | 4 |" in paths[1].read_text()
