from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from k2eval.decide import (
    Gate,
    Policy,
    Rule,
    gate_json,
    gate_junit,
    gate_markdown,
    gate_of_runs,
    gate_table,
    gate_words,
)
from k2eval.records import Outcome
from tests.leaderboard.synthetic import write_run


@pytest.fixture
def result(tmp_path: Path) -> Gate:
    """One GO, one NO-GO and one INCONCLUSIVE, of a run whose name no XML can hold."""
    run = write_run(tmp_path / "a", {"t": [[1.0, Outcome.TRUNCATED]] * 40}, name="a|<b>")
    rules = (
        Rule(benchmark="t", at_least=30),
        Rule(measure="truncated", below=1),
        Rule(benchmark="u", at_least=40),
    )
    return gate_of_runs(Policy(rules=rules), [run])


def test_json_holds_every_figure(result: Gate) -> None:
    content = json.loads(gate_json(result))
    assert (content["answer"], content["tests"]) == ("NO-GO", 1)
    first, second, third = content["runs"][0]["rules"]
    assert (first["answer"], first["value"], first["confidence"]) == ("GO", 50, 95)
    assert first["low"] > 30
    assert (second["answer"], second["value"], second["low"]) == ("NO-GO", 50, None)
    assert (third["answer"], third["value"]) == ("INCONCLUSIVE", None)
    assert third["definition"] == {"benchmark": "u", "at_least": 40}


def test_junit_shows_nothing_as_passed_that_is_no_go(result: Gate) -> None:
    suites = ElementTree.fromstring(gate_junit(result).encode())
    [suite] = suites
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    kinds = [[child.tag for child in case if child.tag != "system-out"] for case in suite]
    assert kinds == [[], ["failure"], ["error"]]
    assert suite.get("name") == "a|<b>"


def test_the_summary_is_one_table_a_run(result: Gate) -> None:
    text = gate_markdown(result)
    assert text.startswith("## ❌ NO-GO\n")
    assert "| truncated below 1 % | ❌ NO-GO | 50.00 | – | as measured: 40 of 80 samples |" in text
    assert [line.count(" | ") for line in text.splitlines() if line.startswith("| ")] == [4] * 5


def test_the_table_says_what_was_measured_and_why(result: Gate) -> None:
    rows = {row[0]: row[1:] for row in gate_table(result.runs[0])[1]}
    assert rows["t at least 30"] == [
        "GO",
        "50.0",
        "33.8 … 66.2 (95 %)",
        "the whole interval is above 30",
    ]
    assert rows["u at least 40"][3].endswith("has no u. Known: t.")


def test_the_last_words_say_the_level(result: Gate) -> None:
    assert "at most 5 % over the one rule that tests" in gate_words(result)


def test_every_output_names_what_is_estimated(result: Gate) -> None:
    tested, measured, _ = json.loads(gate_json(result))["runs"][0]["rules"]
    assert (tested["estimand"], measured["estimand"]) == ("on questions like these", "on these samples")
    for text in (gate_words(result), gate_markdown(result), gate_junit(result)):
        assert "on questions like these" in text
