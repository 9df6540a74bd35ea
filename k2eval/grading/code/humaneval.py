"""Grade HumanEval: the data set's ``check(candidate)`` runs here, the candidate runs in the sandbox.

``candidate`` is a proxy. First, ``check`` runs with placeholders for the results, to foresee its calls. The sandbox
makes these calls, all in one process, and returns plain data. Then ``check`` runs on these data. If it makes a call
that was not foreseen, a further round makes that call. So the expected values never enter the sandbox, and the
candidate's results are data that cannot lie about what they equal.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import random
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

from k2eval.grading.code import programs
from k2eval.grading.code.compare_output import shorten
from k2eval.grading.code.functions import function_code
from k2eval.grading.code.source import names_bound, split_after_future, with_plain_lines
from k2eval.records import Grade, Outcome, Question
from k2eval.sandbox import Call, CallResult, Limits, RunOutcome

VERSION = 3

LIMITS = Limits(cpu_s=3.0, result_bytes=1 << 20)
"""The official harness allows 3 s for all calls together; here each has them. No test expects a kilobyte."""

MAX_CALLS = 20_000
ONE_BY_ONE = 16
"""Number of first results after each of which the test runs."""
MAX_ROUNDS = 200


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: the code in it that gives the function, or the body that completes the prompt."""
    if question.metadata.get("as_code"):
        return grade_code(question, text)
    name = question.gold["entry_point"]
    code = programs.find_program(text, truncated, lambda answer: function_code(answer, name, truncated))
    return code if isinstance(code, Grade) else grade_code(question, code)


def grade_code(question: Question, code: str) -> Grade:
    """Grade a function that was already extracted, or the body that completes the prompt."""
    shown = programs.shown(code)
    check = _Check(question.gold["prompt"], question.gold["test"], question.gold["entry_point"])
    source = program(question.gold["prompt"], code, question.gold["entry_point"])
    sandbox = programs.box(programs.profile_for(code))
    for _ in range(MAX_ROUNDS):
        calls = check.foresee()
        if not calls:
            return Grade.of(Outcome.GRADER_ERROR, shown, reason="the test calls nothing")
        result = sandbox.call(source, calls, limits=LIMITS, stop=check.answered)
        check.settle()
        if check.passed:
            return Grade.of(Outcome.CORRECT, shown, calls=check.position)
        if check.failed is not None:
            return Grade.of(check.failed, shown, calls=check.position, why=shorten(check.why, 400))
        if result.outcome is not RunOutcome.OK:
            why = shorten(programs.last_words(result), 400)
            return Grade.of(programs.OUTCOMES[result.outcome], shown, calls=len(result.calls), why=why)
    return Grade.of(Outcome.GRADER_ERROR, shown, reason=f"the test did not end after {MAX_ROUNDS} rounds")


def time_limit(question: Question) -> float:
    """Return the seconds after which the grading of one response must hang; each call has its own limit."""
    return 600.0


def prepare() -> None:
    """Start the sandbox that most programs use."""
    programs.box("plain")


def program(prompt: str, code: str, entry_point: str) -> str:
    """Return the module to call: the prompt, then the function, or the body that completes the prompt's function."""
    code = with_plain_lines(code)
    if entry_point in names_bound(dedented := textwrap.dedent(code)):
        future, rest = split_after_future(dedented)
        return f"{future}\n{prompt.rstrip()}\n\n\n{rest.lstrip(' ;')}"
    lines = [line for line in code.splitlines() if line.strip()]
    body = code if not lines or lines[0][:1] in " \t" else textwrap.indent(code, "    ")
    return f"{prompt.rstrip()}\n{body}"


class _Asks(BaseException):
    """``check`` needs the result of another call. Not an Exception, so that no test can catch it."""


class _Raised(BaseException):
    """The candidate raised."""


@dataclass
class _Check:
    """One ``check``, the calls that it is foreseen to make, and what they gave."""

    prompt: str
    test: str
    entry_point: str
    passed: bool = False
    failed: Outcome | None = None
    why: str = ""
    position: int = 0
    """Number of calls that ``check`` has made on known results."""
    _calls: list[Call] = field(default_factory=list)
    _shown: list[str] = field(default_factory=list)
    _results: list[CallResult] = field(default_factory=list)
    _asked: Call | None = None
    """A call that ``check`` made and that was not foreseen."""
    _unsettled: bool = False
    """Whether a result came after the last run of the test."""
    _answered: bool = False

    def foresee(self) -> list[Call]:
        """Return the calls that ``check`` seems to make; later, those that it made and the one not foreseen."""
        if self._asked is not None:
            self._calls[self.position :] = [self._asked]
            self._shown[self.position :] = [_show(self._asked.args, self._asked.kwargs)]
            return self._calls

        def candidate(*args: Any, **kwargs: Any) -> Any:
            if len(self._calls) >= MAX_CALLS:
                raise _Asks
            self._calls.append(Call(self.entry_point, copy.deepcopy(list(args)), copy.deepcopy(kwargs)))
            self._shown.append(_show(args, kwargs))
            return Placeholder()

        # Placeholders take part in anything, but what a test makes of them may still raise.
        with contextlib.suppress(Exception, _Asks):
            self._run(_without_asserts(self.test), candidate)
        return self._calls

    def answered(self, index: int, result: CallResult) -> bool:
        """Take the result of a call; tell whether no more are needed, or other calls than foreseen.

        The test runs on the results of the first calls, of the last one, of one that failed, and in between each time
        their number has doubled: a test of a thousand calls must not run a thousand times.
        """
        self._results[index:] = [result]
        self._unsettled = True
        count = index + 1
        in_between = count > ONE_BY_ONE and count & index and count < len(self._calls)
        if in_between and result.outcome is RunOutcome.OK:
            return False
        return self.settle()

    def settle(self) -> bool:
        """Run the test on the results that are there, unless it has; tell whether no more are needed."""
        if not self._unsettled:
            return self._answered
        self._unsettled, self._answered = False, self._runs_to_an_end()
        return self._answered

    def _runs_to_an_end(self) -> bool:
        self.passed, self.failed, self.position, self._asked = False, None, 0, None
        try:
            self._run(self.test, self._known)
        except _Asks:
            return self._asked is not None
        except _Raised as error:
            [raised] = error.args
            self.failed, self.why = programs.OUTCOMES[raised.outcome], raised.error or raised.outcome.value
        except Exception as error:  # whatever an assertion of the test raises, the answer did not pass it
            self.failed, self.why = Outcome.WRONG, f"{type(error).__name__}: {error}".removesuffix(": ")
        else:
            self.passed = True
        return True

    def _known(self, *args: Any, **kwargs: Any) -> Any:
        unforeseen = self.position >= len(self._calls) or self._shown[self.position] != _show(args, kwargs)
        if unforeseen:
            self._asked = Call(self.entry_point, copy.deepcopy(list(args)), copy.deepcopy(kwargs))
        if unforeseen or self.position >= len(self._results):
            raise _Asks
        result = self._results[self.position]
        self.position += 1
        if result.outcome is not RunOutcome.OK:
            raise _Raised(result)
        return copy.deepcopy(result.value)

    def _run(self, test: str, candidate: Any) -> None:
        """Run the data set's own text: the prompt's helpers, then the test. Random inputs are the same each time."""
        space: dict[str, Any] = {"__name__": "check"}
        state = random.getstate()
        random.seed(0)
        try:
            with (
                programs.bounded_memory(),
                warnings.catch_warnings(),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                warnings.simplefilter("ignore")
                exec(_compiled(f"{self.prompt}\n{test}"), space)
                space[self.entry_point] = candidate
                space["check"](candidate)
        finally:
            random.setstate(state)


@lru_cache(maxsize=8)
def _compiled(text: str) -> CodeType:
    """Compile a test once for all its runs; some hold a thousand inputs."""
    return compile(text, "<check>", "exec")


def _show(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return a text that is equal for equal calls, taken at once since the test may change its arguments later."""
    return repr((list(args), dict(kwargs)))


class Placeholder:
    """A result that is not known yet: equals everything, compares as wished, computes to itself, holds
    nothing.
    """

    def _itself(self, *_: Any) -> Any:
        return self

    def _yes(self, *_: Any) -> bool:
        return True

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _itself
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __abs__ = __round__ = (
        _itself
    )
    __getitem__ = __getattr__ = __call__ = _itself
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _yes
    __hash__ = None  # type: ignore[assignment]  # no set holds it

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __float__(self) -> float:
        return 0.0

    def __int__(self) -> int:
        return 0


@lru_cache(maxsize=256)
def _without_asserts(test: str) -> str:
    """Return ``test`` with every assertion only evaluated, so that no placeholder ends it."""

    class Evaluate(ast.NodeTransformer):
        def visit_Assert(self, node: ast.Assert) -> ast.Expr:
            return ast.copy_location(ast.Expr(node.test), node)

    return ast.unparse(Evaluate().visit(ast.parse(test)))
