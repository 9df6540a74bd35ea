from __future__ import annotations

import json

import pytest

from k2eval.grading.code import livecodebench
from k2eval.records import Outcome, Question
from tests.grading.code.test_livecodebench import DOUBLE, READERS, SQUARE

pytestmark = pytest.mark.usefixtures("isolation")


def graded(asked: Question, program: str) -> Outcome:
    official = asked.model_copy(update={"metadata": {"parity": "official"}})
    return livecodebench.grade_code(official, program).outcome


REFUSED_THERE = {
    *("lines", "readlines", "buffer lines", "open", "os", "buffer out", "globals", "no imports", "future"),
    "class Solution",
}
"""Right programs that the official grader fails."""


@pytest.mark.parametrize("name", READERS)
def test_right_programs_that_the_official_grader_fails_are_failed(name: str) -> None:
    program = READERS[name]
    if name == "guard":
        program = program.replace("\nx = 1", "")
    assert (graded(DOUBLE, program) is Outcome.CORRECT) == (name not in REFUSED_THERE)


def test_a_guard_that_is_not_the_last_statement_does_not_run() -> None:
    assert graded(DOUBLE, READERS["guard"]) is Outcome.WRONG


def test_any_exit_status_is_fine() -> None:
    assert graded(DOUBLE, READERS["exit"].replace("exit()", "exit(3)")) is Outcome.CORRECT


def test_functions() -> None:
    assert graded(SQUARE, "class Solution:\n    def square(self, x): return x * x") is Outcome.CORRECT
    assert graded(SQUARE, "def square(x): return x * x") is Outcome.CORRECT
    assert graded(SQUARE, "def square(x): return 9") is Outcome.WRONG
    assert graded(SQUARE, "def square(x): return 1 / 0") is Outcome.RUNTIME_ERROR
    assert graded(SQUARE, "def cube(x): return x") is Outcome.RUNTIME_ERROR


def test_one_solution_object_answers_all_tests() -> None:
    counting = "class Solution:\n    n = 0\n    def square(self, x):\n        self.n += 1\n        return x * x * self.n"
    assert graded(SQUARE, counting) is Outcome.WRONG
    assert livecodebench.grade_code(SQUARE, counting).outcome is Outcome.CORRECT


def test_results_cannot_be_forged() -> None:
    lying = "class Yes:\n    def __eq__(self, other): return True\ndef square(x): return Yes()"
    assert graded(SQUARE, lying) is Outcome.WRONG
    forged = (
        "import sys\nframe = sys._getframe()\nwhile frame:\n"
        "    if 'emit' in frame.f_globals: frame.f_globals['emit'](('value', 9))\n    frame = frame.f_back\n"
        "def square(x): return 9"
    )
    assert graded(SQUARE, forged) is not Outcome.CORRECT


def test_a_wall_alarm_bounds_each_test(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(livecodebench, "LIMITS", replace(livecodebench.LIMITS, cpu_s=1))
    assert graded(DOUBLE, "import time\ntime.sleep(30)") is Outcome.TIMEOUT
    stubborn = "def square(x):\n    while True:\n        try:\n            while True: pass\n        except Exception: pass"
    assert graded(SQUARE, stubborn) is Outcome.TIMEOUT


def test_unreadable_answers_of_the_driver_are_no_pass() -> None:
    nothing = "import os\nos._exit(0)"
    assert graded(DOUBLE, nothing) is Outcome.RUNTIME_ERROR
    assert json.loads(DOUBLE.gold["public"])
