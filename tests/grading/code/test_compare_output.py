from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.grading.code.compare_output import output_difference, shorten, value_difference


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("1 2 3\n", "1 2 3"),
        ("  1 2 3 \r\n4\r\n\n", "1 2 3\n4"),
        ("6.0", "6"),
        ("1e2 007", "100 7"),
        ("Infinity", "inf"),
        ("0.1\nYes", "0.10\nYes"),
        ("nan", "nan"),
        ("", ""),
        ("50000000000000000", "50000000000000000.0"),
    ],
)
def test_the_same_output(got: str, expected: str) -> None:
    assert output_difference(got, expected) is None


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("0.30000000000000004", "0.3"),
        ("50000000000000001", "50000000000000000"),
        ("YES", "Yes"),
        ("1\n2", "1 2"),
        ("1\n\n2", "1\n2"),
        ("1  2 x", "1 2 x"),
        ("sNaN", "nan"),
        ("NaN 1", "nan 1"),
        ("1 2", "1"),
        ("", "0"),
    ],
)
def test_another_output(got: str, expected: str) -> None:
    assert output_difference(got, expected)


def test_the_reason_names_the_line_and_is_short() -> None:
    reason = output_difference("1\n" + "7" * 10_000, "1\n8")
    assert reason is not None
    assert reason.startswith("line 2 is ")
    assert len(reason) < 400


@given(st.text())
def test_a_text_is_the_same_as_itself(text: str) -> None:
    assert output_difference(text, text) is None


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(got: str, expected: str) -> None:
    assert (output_difference(got, expected) is None) == (output_difference(expected, got) is None)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        *(((1, 2), [1, 2]), (True, 1), (2.0, 2), ([[1], "a"], [[1], "a"]), (None, None)),
        *((np.int64(6), 6), (np.True_, True), ([np.float64(0.5)], [0.5])),
    ],
)
def test_the_same_value(got: object, expected: object) -> None:
    assert value_difference(got, expected) is None


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        *(([(1, 2)], [[1, 2]]), (0.1 + 0.2, 0.3), ("1", 1), (None, 0), (float("nan"), 1.0), ({1, 2}, [1, 2])),
        *((np.int64(6), 7), (np.int64(6), [6]), (np.array([6]), [6]), (np.array([]), []), (np.False_, True)),
    ],
)
def test_another_value(got: object, expected: object) -> None:
    assert value_difference(got, expected)


def test_equality_must_be_a_plain_true() -> None:
    class Liar:
        def __eq__(self, other: object) -> str:  # type: ignore[override]
            return "yes"

    assert value_difference(Liar(), 5)


def test_a_value_too_deep_or_too_long_to_show_is_only_named() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "too large to show" in str(value_difference(deep, [1]))
    assert "too large to show" in str(value_difference(10**10_000, 1))
    assert value_difference(OrderedDict(a=1), {"a": 1}) is None


def test_shorten_keeps_both_ends() -> None:
    assert shorten("a" * 10, 20) == "a" * 10
    assert shorten("a" + "b" * 1000 + "c", 20).startswith("abbb")
    assert shorten("a" + "b" * 1000 + "c", 20).endswith("bbbc")
