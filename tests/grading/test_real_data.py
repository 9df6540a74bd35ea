"""The grader on the golds of real benchmarks; runs where the environment variable K2EVAL_DATA names their folder."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from k2eval.grading.answer import find_answer
from k2eval.grading.math.grader import matches
from k2eval.grading.number import read

DATA = os.environ.get("K2EVAL_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="K2EVAL_DATA does not name the folder of benchmark data")

FILES = ["aime24/train.jsonl", "aime25/test.jsonl", "hmmt_feb_2025/train.jsonl", "math500/test.jsonl",
         "omni_math/omni_math_rule_2821.test.jsonl", "aime_2026/train.jsonl", "hmmt_nov_2025/train.jsonl",
         "hmmt_feb_2026/train.jsonl", "imo_answerbench/answerbench_v2.jsonl"]  # fmt: skip


def rows(name: str) -> list[dict[str, Any]]:
    path = Path(str(DATA)) / name
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    return [json.loads(line) for line in path.read_text().splitlines()]


def golds(name: str) -> list[str]:
    return [str(row["Short Answer" if name.startswith("imo") else "answer"]) for row in rows(name)]


@pytest.mark.parametrize("name", FILES)
def test_every_gold_equals_itself(name: str) -> None:
    as_integer = name.startswith("aime")
    failed = [gold for gold in golds(name) if not matches(gold, f" {gold}.", as_integer)]
    assert failed == []


@pytest.mark.parametrize("name", FILES)
def test_every_gold_equals_itself_in_another_typeface(name: str) -> None:
    def other(gold: str) -> str:
        return (
            gold.replace(r"\frac", r"\dfrac").replace(r"\left", "").replace(r"\right", "").replace(" ", "  ")
        )

    assert [
        gold for gold in golds(name) if not matches(gold, f"${other(gold)}$" if "$" not in gold else gold)
    ] == []


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("aime")])
def test_an_integer_gold_equals_no_neighbour(name: str) -> None:
    for gold in golds(name):
        assert matches(gold, str(int(gold)), True) and matches(gold, f"{int(gold):03d}", True)
        assert not any(matches(gold, str(int(gold) + shift), True) for shift in (-1, 1, 100))
        assert not matches(gold, str(int(gold) * 100), True) and not matches(gold, f"{int(gold) / 100}", True)


def test_the_two_answers_of_a_row_may_come_in_any_order() -> None:
    lists = [gold for gold in golds("hmmt_feb_2025/train.jsonl") if "," in gold]
    for gold in lists:
        first, second = gold.split(",")
        assert matches(gold, f"{second}, {first}") and not matches(gold, first) and not matches(gold, second)
    assert lists


def test_golds_of_different_questions_are_hardly_ever_equal() -> None:
    """Of random pairs that are written differently, only true equals (75^\\circ, 75^{\\circ}) may match."""
    pool = sorted({gold for name in FILES[2:] for gold in golds(name) if not gold.lstrip("-").isdigit()})
    rng = random.Random(1)
    pairs = [rng.sample(pool, 2) for _ in range(1000)]
    equal = [(a, b) for a, b in pairs if matches(a, b)]
    assert len(equal) <= 1, equal


def test_the_boxed_answer_of_a_solution_is_its_gold() -> None:
    share = {}
    for name in ("math500/test.jsonl", "omni_math/omni_math_rule_2821.test.jsonl"):
        boxed = [row for row in rows(name) if r"\boxed" in row["solution"]]
        right = [
            row
            for row in boxed
            if matches(str(row["answer"]), find_answer(row["solution"], False).text or "")
        ]
        share[name] = len(right) / len(boxed)
    assert share["math500/test.jsonl"] == 1.0
    assert share["omni_math/omni_math_rule_2821.test.jsonl"] > 0.97


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("esol/delaney_processed.jsonl", "measured log solubility in mols per litre"),
        ("freesolv/freesolv.jsonl", "expt"),
        ("lipophilicity/lipophilicity.jsonl", "exp"),
    ],
)
def test_every_measured_number_is_read_as_itself(name: str, field: str) -> None:
    values = [row[field] for row in rows(name)]
    assert [value for value in values if read(f"{value}") != value] == []
    assert [
        value for value in values if read(rf"\log S \approx {value} \pm 0.3 \text{{ units}}") != value
    ] == []
