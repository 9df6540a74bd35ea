"""Record and replay without a sandbox: the recorder runs here, on submissions of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from k2eval.grading.code.scicode_replay import Judgement, Unjudgeable, reduce_tests, replay
from k2eval.grading.code.scicode_replay.recorder import record
from k2eval.sandbox.wire import dumps, loads

DEPENDENCIES = "import numpy as np\nimport module_that_is_not_there\n"


def recorded(submission: str, tests: Sequence[str], names: Sequence[str]) -> list[Any]:
    space: dict[str, Any] = {"np": np, "__name__": "__main__"}
    exec(submission, space)
    records: list[Any] = []
    record(space, reduce_tests(tests, names), names, lambda item: records.append(loads(dumps(item))))
    return records


def judge(submission: str, *tests: str, targets: Sequence[Any], names: Sequence[str] = ("f",)) -> Judgement:
    return replay(tests, targets, recorded(submission, tests, names), names, DEPENDENCIES)


def passes(submission: str, *tests: str, targets: Sequence[Any], names: Sequence[str] = ("f",)) -> bool:
    judged = judge(submission, *tests, targets=targets, names=names)
    assert judged.kind in ("passed", "failed", "raised")
    return judged.kind == "passed"


SQUARE = "def f(x): return x * x"
CLOSE = "x = np.array([1.0, 2.0])\nassert np.allclose(f(x), target)"


def test_a_right_result_passes_and_a_wrong_one_fails() -> None:
    assert passes(SQUARE, CLOSE, targets=[np.array([1.0, 4.0])])
    judged = judge("def f(x): return x", CLOSE, targets=[np.array([1.0, 4.0])])
    assert judged == Judgement("failed", 0, "not so: np.allclose(f(x), target)")


def test_tests_share_one_namespace_in_order() -> None:
    second = "assert np.allclose(f(x) + 1, target)"
    assert passes(SQUARE, CLOSE, second, targets=[np.array([1.0, 4.0]), np.array([2.0, 5.0])])


def test_a_submission_that_raises_is_told_apart() -> None:
    judged = judge("def f(x): raise ValueError('no')", CLOSE, targets=[1.0])
    assert judged == Judgement("raised", 0, "ValueError: no")


def test_a_submission_that_ends_early_does_not_pass() -> None:
    assert replay([CLOSE], [1.0], [], ["f"], DEPENDENCIES).kind == "raised"
    assert replay(
        [CLOSE, CLOSE], [1.0, 1.0], [("test", 0), ("call", "f", 1.0, [])], ["f"], DEPENDENCIES
    ) == Judgement("raised", 1, "the program ended before this test")


@pytest.mark.parametrize(
    "test",
    [
        "a, b = target\nr, s = f(2)\nassert np.allclose(r, a) and np.allclose(s, b)",
        "assert np.allclose(f(2)[0], target[0]) and np.allclose(f(2)[1], target[1])",
        "from scicode.compare.cmp import cmp_tuple_or_list\nassert cmp_tuple_or_list(f(2), target)",
        "def both(x):\n    return f(x)\nassert np.allclose(both(2), target)",
        "assert np.allclose([f(x) for x in (2,)][0], target)",
        "r = []\nfor x in range(2, 3):\n    r += f(x)\nassert np.allclose(r, target)",
    ],
)
def test_shapes_of_tests(test: str) -> None:
    assert passes("def f(x): return (x, x * x)", test, targets=[(2, 4)])
    assert not passes("def f(x): return (x, x)", test, targets=[(2, 4)])


@pytest.mark.parametrize(
    ("submission", "test", "target"),
    [
        ("def f(): return {'a': 1.0, 'b': [1, 2]}", "are_dicts_close(f(), target)", {"a": 1.0, "b": np.array([1, 2])}),
        ("def f(): return 1.0, 'up', True", "cmp_tuple_or_list(f(), target)", (1.0, "up", True)),
        ("from scipy import sparse\ndef f(): return sparse.eye(2)", "np.allclose(f().toarray(), target)", np.eye(2)),
        ("from scipy import sparse\ndef f(): return {'a': sparse.eye(2)}", "are_dicts_close(f(), target)", {"a": sparse.eye(2)}),
        ("import sympy\ndef f(): return {'e': sympy.Symbol('e')}, {sympy.Symbol('e'): 2.0}",
         "cmp_tuple_or_list(f(), target)", ({"e": "e"}, {"e": 2.0})),
        ("import sympy\ndef f(): return sympy.Rational(1, 2)", "np.allclose(float(f()), target)", 0.5),
        ("def f(): return 1 + 2j", "np.allclose(f(), target)", 1 + 2j),
        ("def f(): return None", "(f() == None) == target", True),
    ],
)  # fmt: skip
def test_kinds_of_results(submission: str, test: str, target: Any) -> None:
    text = f"from scicode.compare.cmp import are_dicts_close, cmp_tuple_or_list\nassert {test}"
    assert passes(submission, text, targets=[target])


OBJECTS = """
class Box:
    def __init__(self, side): self.side = side
    def area(self): return self.side ** 2
def double(box): return Box(2 * box.side), box.area()
"""


@pytest.mark.parametrize(
    ("test", "target"),
    [
        ("box = Box(side=3)\nassert np.allclose((box.area(), box.side), target)", (9, 3)),
        (
            "new, area = double(Box(3))\nassert np.allclose(new.side, target[0]) and np.allclose(area, target[1])",
            (6, 9),
        ),
        (
            "boxes = [Box(1), Box(2)]\nassert np.allclose([double(b)[0].area() for b in boxes], target)",
            (4, 16),
        ),
    ],
)
def test_objects_of_the_submission(test: str, target: Any) -> None:
    assert passes(OBJECTS, test, targets=[target], names=["Box", "double"])
    assert not passes(OBJECTS.replace("** 2", "** 3"), test, targets=[target], names=["Box", "double"])


def test_functions_of_the_submission_as_arguments() -> None:
    submission = "def f(x): return 2 * x\ndef g(h, x): return h(h(x))"
    assert passes(submission, "assert np.allclose(g(f, 3), target)", targets=[12], names=["f", "g"])


def test_arguments_that_the_call_changes_are_changed_outside_too() -> None:
    submission = "def f(x):\n    x *= 2\n    return None"
    assert passes(submission, "x = np.ones(2)\nf(x)\nassert np.allclose(x, target)", targets=[[2, 2]])


@pytest.mark.parametrize("target", [5.0, np.array([1.0, 2.0]), True, (True, True)])
def test_an_empty_result_does_not_pass_for_a_target_that_is_not_empty(target: Any) -> None:
    test = "assert np.all(f() > 1) == target" if target is True else "assert np.allclose(f(), target)"
    assert not passes("def f(): return np.array([])", test, targets=[target])


def test_an_empty_result_passes_for_an_empty_target() -> None:
    assert passes(
        "def f(): return np.zeros((0, 3))", "assert np.allclose(f(), target)", targets=[np.zeros((0, 3))]
    )


def test_results_too_large_to_broadcast_are_no_match() -> None:
    test = "assert np.allclose(f(), target)"
    assert not passes("def f(): return np.zeros((1 << 20, 1))", test, targets=[np.zeros(1 << 20)])


@pytest.mark.parametrize(
    "test",
    [
        "assert f(target) == 1",
        "if target > 1:\n    assert f(1) == 1",
        "assert all(f(x) == t for t in target for x in [1])",
        "t = target + 1\nassert f(t) == 1",
        "for t in target:\n    assert f(1) == t",
    ],
)
def test_tests_that_would_show_the_target_to_the_submission_cannot_be_judged(test: str) -> None:
    with pytest.raises(Unjudgeable):
        reduce_tests([test], ["f"])


def test_no_target_is_left_in_what_goes_into_the_sandbox() -> None:
    tests = [
        "a, b = target\nx = 1\nassert f(x) == a and np.allclose(f(x + 1), b)",
        "a = 3\nassert f(a) == target",
    ]
    assert reduce_tests(tests, ["f"]) == ["x = 1\nf(x)\nnp.allclose\nf(x + 1)", "a = 3\nf(a)"]


def test_a_module_that_is_missing_here_is_our_failure() -> None:
    test = "assert module_that_is_not_there.close(f(), target)"
    with pytest.raises(Unjudgeable, match="module_that_is_not_there"):
        replay([test], [1], [("test", 0), ("call", "f", 1, [])], ["f"], DEPENDENCIES)


class Forged:
    """Records that no honest recording gives."""

    ANY: tuple[list[Any], ...] = (
        [("test", 0), ("call", "f", ("object", 0), [])],
        [("test", 0), ("call", "f", 4.0)],
        [("test", 0), ("call", "g", 4.0, [])],
        [("test", 0), ("get", "f", 4.0)],
        [("test", 0), ("raised",)],
        [("test", 0), (np.ones(3), np.ones(3), 1, 2)],
        [("test", 0), ("call", "f", [], [])],
        [("test", 0), ("call", "f", None, [("x", 1), 5, (0, 0)])],
        [("test", 0.0), ("call", "f", 4.0, [])],
        [5, None, "test"],
    )


@pytest.mark.parametrize("records", Forged.ANY)
def test_forged_records_do_not_pass(records: list[Any]) -> None:
    assert replay(["assert np.allclose(f(2), target)"], [4.0], records, ["f"], DEPENDENCIES).kind != "passed"


def test_an_object_of_the_submission_equals_nothing() -> None:
    liar = "class Liar:\n    def __eq__(self, other): return True\ndef f(): return Liar()"
    for test in ("assert f() == target", "assert np.allclose(f(), target)", "assert (f() == f()) == target"):
        assert not passes(liar, test, targets=[True])
