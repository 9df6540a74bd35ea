"""Kinds of answers that graders get wrong, each in many variants."""

import pytest

from k2eval.grading.math.grader import matches
from tests.grading.math.kinds import RIGHT, Pair
from tests.grading.math.lookalikes import WRONG


def every(kinds: dict[str, list[Pair]]) -> list[object]:
    return [
        pytest.param(*pair, id=f"{kind}: {pair[0]} <- {pair[1]}")
        for kind, pairs in kinds.items()
        for pair in pairs
    ]


@pytest.mark.parametrize(("gold", "answer"), every(RIGHT))
def test_the_gold_in_another_form_is_right(gold: str, answer: str) -> None:
    assert matches(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), every(WRONG))
def test_what_only_looks_like_the_gold_is_wrong(gold: str, answer: str) -> None:
    assert not matches(gold, answer)


@pytest.mark.parametrize("gold", sorted({gold for pairs in RIGHT.values() for gold, _ in pairs}))
def test_each_gold_equals_itself(gold: str) -> None:
    assert matches(gold, gold)
