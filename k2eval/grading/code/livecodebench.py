"""Grade programs as LiveCodeBench does: every test must pass, the first failure decides.

Programs run in the sandbox. Only their output or their returned values come out; expected outputs never go in.
Programs that read standard input run as real programs, one process per test. Functions are called with the JSON
values of each test. The protocol is that of ``lcb_runner`` at revision 28fef95 with these differences, which
``parity: official`` in a question's metadata removes (see ``docs/code-graders.md``):

* the 6 s per test are CPU seconds with a wall backstop, and a separate run must confirm a time-out;
* programs run as they are, not rewritten into a function with parts of ``sys.stdin`` mocked;
* each functional test has a fresh ``Solution()``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from k2eval.errors import DataError
from k2eval.grading.code import parity, programs
from k2eval.grading.code.blocks import extract_code
from k2eval.grading.code.compare_output import output_difference, shorten, value_difference
from k2eval.grading.code.programs import Failure
from k2eval.grading.code.source import names_bound, split_after_future
from k2eval.records import Grade, Json, Outcome, Question
from k2eval.sandbox import Call, CallResult, Limits, RunOutcome, RunResult
from k2eval.tasks.livecodebench import Test, decode_tests

VERSION = 3

CPU_S = 6.0
"""CPU seconds a test, LiveCodeBench's limit."""

LIMITS = Limits(cpu_s=CPU_S, memory_mb=4096)
"""LiveCodeBench names 4 GB in a comment, and sets no limit."""

_STAR = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
_NAMED = [name for name in _STAR if name not in ("builtins", "typing")]

PRELUDE = ";".join(
    [f"from {name} import *" for name in _STAR]
    + [f"import {name}" for name in _NAMED]
    + ["sys.setrecursionlimit(50000)", "sys.set_int_max_str_digits(50000)"]
)
"""One line with the imports and settings that LiveCodeBench puts in front of every program, in its order."""


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: the program is its last complete code block after the reasoning."""
    if question.metadata.get("as_code"):
        return grade_code(question, text)
    code = programs.find_program(
        text, truncated, lambda answer: _program_in(answer, question.gold["function"])
    )
    return code if isinstance(code, Grade) else grade_code(question, code)


def grade_code(question: Question, code: str) -> Grade:
    """Grade a program that was already extracted."""
    erratum = {"erratum": question.metadata["erratum"]} if "erratum" in question.metadata else {}
    try:
        with programs.bounded_memory():
            tests = decode_tests(question.gold["public"], question.gold["private"])
        arguments = _arguments(tests) if question.gold["function"] else None
    except DataError as error:
        outcome = Outcome.WRONG if erratum else Outcome.GRADER_ERROR
        return Grade.of(outcome, programs.shown(code), reason=str(error), **erratum)
    if question.metadata.get("parity") == "official":
        failure = parity.first_failure(code, tests, question.gold["function"], PRELUDE, LIMITS)
    elif arguments is None:
        failure = _run_program(with_prelude(code), tests, code)
    else:
        failure = _run_function(with_prelude(code), tests, arguments, target(code, question.gold["function"]))
    public = len(json.loads(question.gold["public"]))
    counts = {"tests": len(tests), "hidden_tests": len(tests) - public}
    if failure is None:
        return Grade.of(Outcome.CORRECT, programs.shown(code), **counts, **erratum)
    return Grade.of(
        failure.outcome,
        programs.shown(code),
        **counts,
        passed=failure.test,
        failed=_describe(failure, tests, hidden=failure.test >= public),
        **erratum,
    )


def time_limit(question: Question) -> float:
    """Return the seconds after which the grading of one response must hang; each run has its own limits.

    More than 300 tests take this time if all sleep until their backstop: no program may look like a fault of ours.
    """
    return 3 * 3600.0


def prepare() -> None:
    """Start the sandbox that most programs use."""
    programs.box("plain")


def with_prelude(code: str) -> str:
    """Return ``code`` behind `PRELUDE`, which comes after the ``__future__`` imports."""
    future, rest = split_after_future(code)
    return f"{future};{PRELUDE}{rest}" if future else f"{PRELUDE}\n{rest}"


def target(code: str, function: str) -> str:
    """Return the target of a functional test: the method of ``Solution``, or the function without such a class."""
    return f"Solution.{function}" if "Solution" in names_bound(code) else function


def _program_in(answer: str, function: str | None) -> str | None:
    """Return the program of an answer; if a function is asked for, a block that defines it comes before others."""
    return extract_code(answer, "Solution", function) if function else extract_code(answer)


def _arguments(tests: Sequence[Test]) -> list[list[Json]]:
    """Read the arguments of every functional test, one JSON value per line; check the expected outputs too."""
    try:
        for test in tests:
            json.loads(test.output)
        return [[json.loads(line) for line in test.input.split("\n")] for test in tests]
    except ValueError as error:
        raise DataError(f"a functional test should consist of JSON values: {error}") from error


def _run_program(source: str, tests: Sequence[Test], code: str) -> Failure | None:
    sandbox = programs.box(programs.profile_for(code))
    inputs = [test.input.encode(errors="surrogatepass") for test in tests]

    def judge(index: int, result: RunResult) -> Failure | None:
        if result.outcome is not RunOutcome.OK:
            return Failure(index, programs.OUTCOMES[result.outcome], programs.last_words(result))
        got = result.stdout.decode(errors="replace")
        why = output_difference(got, tests[index].output)
        return None if why is None else Failure(index, Outcome.WRONG, why, got)

    def run(start: int, stop: int) -> list[Failure | None]:
        results = sandbox.run_batch(
            source,
            inputs[start:stop],
            limits=LIMITS,
            stop=lambda offset, result: judge(start + offset, result) is not None,
        )
        return [judge(start + offset, result) for offset, result in enumerate(results)]

    return _first_failure(run, len(tests))


def _run_function(
    source: str, tests: Sequence[Test], arguments: Sequence[list[Json]], function: str
) -> Failure | None:
    sandbox = programs.box(programs.profile_for(source))
    expected = [json.loads(test.output) for test in tests]

    def judge(index: int, called: CallResult) -> Failure | None:
        if called.outcome is not RunOutcome.OK:
            why = called.error or called.outcome.value
            return Failure(index, programs.OUTCOMES[called.outcome], shorten(why, 400))
        why_not = value_difference(called.value, expected[index])
        return None if why_not is None else Failure(index, Outcome.WRONG, why_not)

    def run(start: int, stop: int) -> list[Failure | None]:
        result = sandbox.call(
            source,
            [Call(function, args) for args in arguments[start:stop]],
            limits=LIMITS,
            stop=lambda offset, called: judge(start + offset, called) is not None,
        )
        judged = [judge(start + offset, called) for offset, called in enumerate(result.calls)]
        if len(judged) < stop - start and not any(judged):
            outcome = programs.OUTCOMES[result.outcome]
            if outcome is Outcome.CORRECT:
                outcome = Outcome.GRADER_ERROR
            judged.append(Failure(start + len(judged), outcome, programs.last_words(result)))
        return judged

    return _first_failure(run, len(tests))


def _first_failure(run: Callable[[int, int], list[Failure | None]], count: int) -> Failure | None:
    """Return the first failure among ``count`` tests; time-outs and our own faults get a second, separate try.

    Args:
        run: Function that runs the tests from one number to another and stops after the first failure.
        count: Number of tests.
    """
    start = 0
    while start < count:
        failure = next((failure for failure in run(start, count) if failure), None)
        if failure is not None and failure.outcome in (Outcome.TIMEOUT, Outcome.GRADER_ERROR):
            failure = run(failure.test, failure.test + 1)[0] or Failure(failure.test, Outcome.CORRECT, "")
        if failure is None:
            return None
        if failure.outcome is not Outcome.CORRECT:
            return failure
        start = failure.test + 1
    return None


def _describe(failure: Failure, tests: Sequence[Test], hidden: bool) -> dict[str, Json]:
    test = tests[failure.test]
    return {
        "test": failure.test,
        "hidden": hidden,
        "why": shorten(failure.why, 400),
        "input": shorten(test.input),
        "expected": shorten(test.output),
    } | ({"got": shorten(failure.got)} if failure.got else {})
