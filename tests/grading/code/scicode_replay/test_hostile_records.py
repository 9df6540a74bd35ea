"""Records that no recorder writes, and results made to cost: nothing passes, nothing else is raised, nothing hangs."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy import sparse

from k2eval.grading.code.scicode_replay import Judgement, ReplayFailed, replay, replay_apart
from k2eval.grading.code.scicode_replay.compare import (
    are_csc_matrix_close,
    are_dicts_close,
    cmp_tuple_or_list,
    guarded_allclose,
    guarded_isclose,
)

DEPENDENCIES = "import numpy as np\n"
SECRET = np.array([0.123456789, 9.87654321])
TESTS = [
    "assert np.allclose(f(1), target)",
    "box = f(1)\nassert np.allclose(box.area(), target)",
    "x = np.ones(2)\nf(x)\nassert np.allclose(x, target)",
    "assert np.allclose([item for item in f(1)], target)",
    "r = f(1)\nassert np.allclose(r[0], target) and len(r) == 2",
    "from scicode.compare.cmp import cmp_tuple_or_list\nassert cmp_tuple_or_list(f(1), target)",
    "from scicode.compare.cmp import are_dicts_close\nassert are_dicts_close(f(1), {'a': target})",
    "assert (f(1) == target).all()",
]

leaves = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            1,
            -1,
            2.5,
            10**4200,
            float("nan"),
            "f",
            "#0",
            "#0.area",
            "area",
            "call",
            "get",
            "test",
        ),
        *(
            "raised",
            "object",
            b"x",
            1j,
            (),
            [],
            {},
            set(),
            np.zeros(2),
            np.zeros((0, 2)),
            np.float64(1),
            range(3),
        ),
        *(np.array("a"), sparse.csr_matrix(np.eye(2)), frozenset((1,))),
    ]
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.sampled_from(["a", 0, "x"]), inner, max_size=2)
        | st.integers(0, 3).map(lambda number: ("object", number))
    ),
    max_leaves=6,
)
records = (
    st.tuples(st.just("call"), st.sampled_from(["f", "#0.area", "#1", "g"]), values, st.just([]) | values)
    | st.tuples(st.just("get"), st.sampled_from(["#0.area", "#0.iter", "#0[]", "#0.len", "#0.float"]), values)
    | st.tuples(st.just("test"), st.integers(-1, 2) | values)
    | st.tuples(st.just("raised"), values)
    | values
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(TESTS), st.lists(records, max_size=5))
def test_no_records_pass_that_do_not_hold_the_target(test: str, tape: list[Any]) -> None:
    judged = replay([test], [SECRET], [("test", 0), *tape], ["f"], DEPENDENCIES)
    assert judged.kind in ("failed", "raised")
    assert len(judged.why) < 1000


def test_a_message_that_the_submission_wrote_is_cut() -> None:
    judged = replay([TESTS[0]], [SECRET], [("test", 0), ("raised", "x" * 10**6)], ["f"], DEPENDENCIES)
    assert judged.kind == "raised" and len(judged.why) == 400


def within(megabytes: int, work: Callable[[], object]) -> object:
    """The value of ``work`` with so much more memory, as text. It runs in a process of its own."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115
        limit = pages * resource.getpagesize() + (megabytes << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            answer = repr(work())
        except BaseException as error:
            answer = type(error).__name__
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


COLUMN, ROW = np.zeros((1 << 22, 1)), np.zeros(400)
TALL = sparse.coo_matrix(([1.0], ([5], [0])), shape=(1 << 24, 1))
TEXTS = ["a" * 500_000, *["b"] * 2000]


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (lambda: guarded_allclose(COLUMN, ROW), "False"),
        (lambda: guarded_allclose(ROW, COLUMN), "False"),
        (lambda: bool(guarded_isclose(COLUMN, ROW)), "False"),
        (lambda: cmp_tuple_or_list([COLUMN], [ROW]), "False"),
        (lambda: are_dicts_close({"a": COLUMN}, {"a": ROW}), "False"),
        (lambda: cmp_tuple_or_list([[COLUMN, 1]], [[ROW, 1]]), "False"),
        (lambda: are_csc_matrix_close(TALL, TALL), "True"),
        (lambda: are_csc_matrix_close(TALL, 2 * TALL), "False"),
        (lambda: cmp_tuple_or_list([TALL], [TALL.reshape(1 << 12, 1 << 12)]), "False"),
        (lambda: guarded_allclose(TEXTS, [1.0] * 2001), "TypeError"),
        (lambda: guarded_allclose([1.0, [TEXTS]], 1.0), "TypeError"),
    ],
)
def test_a_comparison_needs_little_more_memory_than_its_sides(
    work: Callable[[], object], answer: str
) -> None:
    start = time.monotonic()
    assert within(256, work) == answer
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("mine", "theirs", "close"),
    [
        ([[0, 1.0], [0, 0]], [[0, 1.0 + 1e-9], [0, 0]], True),
        ([[0, 1.0], [0, 0]], [[0, 1.0], [1e-3, 0]], False),
        ([[0, 1.0], [0, 0]], [[0, 1.0], [1e-9, 0]], True),
        ([[0, np.inf]], [[0, np.inf]], True),
        ([[0, np.nan]], [[0, np.nan]], False),
        ([[0, 0]], [[0, 0]], True),
        ([[0, 0]], [[0, 1]], False),
        ([[0, 1, 2]], [[0, 1], [2, 0]], False),
    ],
)
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix])
def test_sparse_matrices_are_close_where_dense_ones_are(
    kind: Any, mine: Any, theirs: Any, close: bool
) -> None:
    assert are_csc_matrix_close(kind(mine), kind(theirs)) is close
    assert cmp_tuple_or_list([kind(mine)], [kind(theirs)]) is close


def test_places_that_are_given_twice_are_added() -> None:
    twice = sparse.coo_matrix(([1.0, 2.0], ([0, 0], [1, 1])), shape=(1, 2))
    assert are_csc_matrix_close(twice, sparse.csr_matrix([[0.0, 3.0]]))


def apart(test: str, result: Any, target: Any = True, extra_s: float = 60.0) -> Judgement:
    tape: list[Any] = [("test", 0), ("call", "f", result, [])]
    return replay_apart([test], [target], tape, ["f"], DEPENDENCIES, extra_s=extra_s)


def test_a_replay_apart_judges_as_a_replay_does() -> None:
    assert apart("assert np.allclose(f(), target)", SECRET, SECRET) == Judgement("passed")
    judged = apart("assert np.allclose(f(), target)", SECRET, SECRET + 1)
    assert judged == Judgement("failed", 0, "not so: np.allclose(f(), target)")


def test_a_replay_that_computes_for_its_whole_limit_overran() -> None:
    colliding = [number * (2**61 - 1) for number in range(60_000)]
    judged = apart("assert (len(set(f())) > 0) == target", colliding, extra_s=1.0)
    assert judged.kind == "overran" and "1 s of processor time" in judged.why


def test_a_replay_that_needs_too_much_memory_failed() -> None:
    judged = apart("x = f()\nassert (x @ x.T).any() == target", np.zeros((1 << 16, 1)))
    assert judged.kind == "failed" and "allocate" in judged.why


def test_a_replay_that_is_killed_has_no_judgement() -> None:
    with pytest.raises(ReplayFailed, match="SIGKILL"):
        apart("import os\nos.kill(os.getpid(), 9)", 1)
