"""Grades HumanEval: the data set's ``check(candidate)`` runs here, the candidate runs in the sandbox.

``candidate`` is a proxy. Whenever ``check`` needs one more result, the call's arguments go into the sandbox
and plain data come back, all calls of a response to one process there. ``check`` starts again from its
first line with the results known so far, which costs nothing beside a call and needs no thread. So the
expected values never enter the sandbox, and what the candidate returns is data that cannot lie about what
it equals.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import re
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from k2eval.grading import _programs
from k2eval.grading.answer import answer_part
from k2eval.grading.compare_output import shorten
from k2eval.grading.scicode_program import names_defined
from k2eval.records import Grade, Outcome, Question
from k2eval.sandbox import Call, CallResult, Limits, RunOutcome

VERSION = 1

LIMITS = Limits(cpu_s=3.0)
"""The official harness allows 3 s for all calls together; here each has them."""

MAX_CALLS = 2000

_FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grades a response: its last complete code block, or a bare completion of the prompt."""
    code = text if question.metadata.get("as_code") else _programs.find_program(text, truncated)
    if isinstance(code, str):
        return grade_code(question, code)
    rest = answer_part(text).text
    if code.outcome is Outcome.NO_ANSWER and "```" not in rest and rest.startswith((" ", "\t", "\n    ")):
        return grade_code(question, rest)
    return code


def grade_code(question: Question, code: str) -> Grade:
    """Grades a function that has been extracted already, or the body that completes the prompt."""
    shown = _programs.shown(code)
    check = _Check(question.gold["prompt"], question.gold["test"], question.gold["entry_point"])
    if not check.advance():
        return Grade.of(Outcome.GRADER_ERROR, shown, reason=check.why or "the test calls nothing")
    result = _programs.box(_programs.profile_for(code)).call(
        program(question.gold["prompt"], code, question.gold["entry_point"]),
        check,
        limits=LIMITS,
        stop=check.answered,
    )
    if check.passed:
        return Grade.of(Outcome.CORRECT, shown, calls=len(check.results))
    if check.failed is not None:
        return Grade.of(check.failed, shown, calls=len(check.results), why=shorten(check.why, 400))
    outcome = _programs.OUTCOMES[result.outcome]
    if outcome is Outcome.CORRECT:
        return Grade.of(Outcome.GRADER_ERROR, shown, reason="the sandbox stopped asking")
    return Grade.of(outcome, shown, calls=len(check.results), why=shorten(_programs.last_words(result), 400))


def time_limit(question: Question) -> float:
    """Seconds after which the grading of one response must have hung; each call has a limit of its own."""
    return 600.0


def prepare() -> None:
    """Starts the sandbox that most programs use."""
    _programs.box("plain")


def program(prompt: str, code: str, entry_point: str) -> str:
    """The module to call: the prompt, and after it the function, or the body that completes the prompt's."""
    future = "".join(f"{line}\n" for line in _FUTURE.findall(code))
    code = _FUTURE.sub("", code)
    if entry_point in names_defined(code):
        return f"{future}{prompt.rstrip()}\n\n\n{code}"
    lines = [line for line in code.splitlines() if line.strip()]
    body = code if not lines or lines[0][:1] in " \t" else textwrap.indent(code, "    ")
    return f"{future}{prompt.rstrip()}\n{body}"


class _Asks(BaseException):
    """``check`` needs the result of one more call. Not an Exception, so that no test can catch it."""


class _Raised(BaseException):
    """The candidate raised."""


@dataclass
class _Check(Sequence[Call]):
    """The calls that ``check(candidate)`` makes, found one by one as results come in."""

    prompt: str
    test: str
    entry_point: str
    results: list[CallResult] = field(default_factory=list)
    passed: bool = False
    failed: Outcome | None = None
    why: str = ""
    _calls: list[Call] = field(default_factory=list)

    def __len__(self) -> int:
        return MAX_CALLS

    @overload
    def __getitem__(self, index: int) -> Call: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Call]: ...

    def __getitem__(self, index: int | slice) -> Call | Sequence[Call]:
        return self._calls[index]

    def answered(self, index: int, result: CallResult) -> bool:
        """Takes the result of a call; whether ``check`` has come to its end."""
        self.results[index:] = [result]
        return not self.advance()

    def advance(self) -> bool:
        """Runs ``check`` as far as results are known; whether it needs one more."""
        self.passed, self.failed = False, None
        position = 0

        def candidate(*args: Any, **kwargs: Any) -> Any:
            nonlocal position
            position += 1
            if position > len(self.results):
                self._calls[position - 1 :] = [Call(self.entry_point, list(args), kwargs)]
                raise _Asks
            result = self.results[position - 1]
            if result.outcome is not RunOutcome.OK:
                raise _Raised(result)
            return copy.deepcopy(result.value)

        try:
            self._run(candidate)
        except _Asks:
            return True
        except _Raised as error:
            [result] = error.args
            self.failed, self.why = _programs.OUTCOMES[result.outcome], result.error or result.outcome.value
        except Exception as error:
            self.failed, self.why = Outcome.WRONG, f"{type(error).__name__}: {error}".removesuffix(": ")
        else:
            self.passed = bool(self.results)
        return False

    def _run(self, candidate: Any) -> None:
        """Runs the data set's own text: the prompt's helpers, then the test. Random inputs are the same
        each time.
        """
        space: dict[str, Any] = {"__name__": "check"}
        state = random.getstate()
        random.seed(0)
        try:
            with (
                _programs.bounded_memory(),
                warnings.catch_warnings(),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                warnings.simplefilter("ignore")
                exec(compile(f"{self.prompt}\n{self.test}", "<check>", "exec"), space)
                space[self.entry_point] = candidate
                space["check"](candidate)
        finally:
            random.setstate(state)
