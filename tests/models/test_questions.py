import json
import random
from collections import Counter
from functools import cache

import h5py
import numpy as np
import pytest

from models.nano import nano_science
from models.nano.item import LEVELS
from models.nano.pen import FLAWLESS
from models.nano.questions import GENERATORS, KINDS, TASKS, TEST_LEVELS, test_items, test_rows, training_item

items_for_tests = cache(lambda kind: list(test_items(kind)))
test_items.__test__ = test_rows.__test__ = False  # type: ignore[attr-defined]


def committed(kind: str) -> list[dict[str, object]]:
    lines = (TASKS / f"{kind}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_rows_are_what_the_generator_gives(kind: str) -> None:
    assert committed(kind) == test_rows(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_as_many_questions_of_each_level_as_said(kind: str) -> None:
    counts = Counter(item.level for item in items_for_tests(kind))
    assert tuple(counts[level] for level in LEVELS) == TEST_LEVELS[kind]
    assert sum(TEST_LEVELS[kind]) == 100


@pytest.mark.parametrize("kind", KINDS)
def test_training_never_meets_a_test_question(kind: str) -> None:
    texts = {item.text for item in items_for_tests(kind)}
    assert len(texts) == 100
    rng = random.Random(1)
    for _ in range(2_000):
        item = training_item(kind, rng, LEVELS)
        assert not item.is_test
        assert item.text not in texts


@pytest.mark.parametrize("kind", KINDS)
def test_every_test_question_is_on_the_test_side(kind: str) -> None:
    assert all(item.is_test for item in items_for_tests(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_flawless_work_finds_the_gold(kind: str) -> None:
    rng = random.Random(2)
    for number in range(400):
        item = GENERATORS[kind](rng, LEVELS[number % len(LEVELS)])
        assert all(ask.solve(rng, FLAWLESS).final == ask.gold for ask in item.asks)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_does_not_say_the_answer(kind: str) -> None:
    for item in items_for_tests(kind):
        for ask in item.asks:
            asked = ask.messages[-1].content
            given_away = [line for line in ask.plan if ask.gold in line.split() and ask.gold not in asked]
            assert not given_away


def test_an_expression_has_the_value_that_python_gives_it() -> None:
    asked = [row for row in committed("nano_math") if str(row["problem"]).startswith("Compute")]
    assert len(asked) > 5
    for row in asked:
        text = str(row["problem"]).removeprefix("Compute ").removesuffix(".")
        assert eval(text) == int(str(row["answer"]))


def test_the_targets_are_the_values_of_the_ground_truth() -> None:
    with h5py.File(TASKS / "nano_science_targets.h5") as file:
        for row in committed("nano_science"):
            for step, values in nano_science.targets(row).items():
                stored = [file[f"{step}/test{i}/var1"][()] for i in range(1, len(values) + 1)]
                assert np.allclose(stored, values)


def test_programs_have_hidden_tests_beside_the_public_one() -> None:
    for row in committed("nano_code"):
        assert len(json.loads(str(row["public_test_cases"]))) == 1
        assert len(json.loads(str(row["private_test_cases"]))) >= 7
