"""Eval360 on LiveCodeBench v6 (its Daytona grader, revision 30e14ec, parser ``code-think``), in k2eval's sandbox.

The program is the last block marked as Python behind the first ``</think>``. Every test has 30 s. Lines of output are
equal as texts, or as numbers if the whole line is one. Functions are equal as JSON, so that 1 equals true. No imports
are put before a program, so that a ``List`` which was not imported is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from k2eval.audit.reasons import How
from k2eval.errors import DataError
from k2eval.grading.code import extract_code, livecodebench, programs
from k2eval.records import Grade, Json, Outcome, Question
from k2eval.sandbox import Call, CallResult, Limits, RunOutcome, RunResult
from k2eval.tasks.livecodebench import Test, decode_tests

VERSION = 1
LIMITS = Limits(cpu_s=30.0, wall_s=30.0, patient=False, memory_mb=4096)
_BLOCK = re.compile(r"```python3?[ \t]*\n(.*?)```", re.DOTALL)
time_limit = livecodebench.time_limit
prepare = livecodebench.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote."""
    _, mark, behind = text.partition("</think>")
    blocks = _BLOCK.findall(behind if mark else text)
    if not blocks:
        return Grade.of(Outcome.NO_ANSWER, how=How.OTHER_BLOCK)
    code: str = blocks[-1]
    own = extract_code(text.rpartition("</think>")[2])
    how = How.OFFICIAL_RUN if own is not None and own.strip() == code.strip() else How.OTHER_BLOCK
    try:
        with programs.bounded_memory():
            tests = decode_tests(question.gold["public"], question.gold["private"])
        outcome, why = _run(code, tests, question.gold["function"])
    except (DataError, ValueError) as error:
        return Grade.of(Outcome.GRADER_ERROR, programs.shown(code), reason=str(error)[:200])
    return Grade.of(outcome, programs.shown(code), how=how, why=why[:200])


def _run(code: str, tests: Sequence[Test], function: str | None) -> tuple[Outcome, str]:
    box = programs.box(programs.profile_for(code))
    if function is None:
        inputs = [test.input.encode(errors="surrogatepass") for test in tests]
        ran = box.run_batch(
            code, inputs, limits=LIMITS, stop=lambda index, result: not _right(result, tests[index])
        )
        bad = next(
            (result for result, test in zip(ran, tests, strict=False) if not _right(result, test)), None
        )
        if bad is None:
            return Outcome.CORRECT, ""
        return _ending(bad.outcome), programs.last_words(bad)
    expected = [json.loads(test.output) for test in tests]
    target = livecodebench.target(code, function)
    calls = [Call(target, [json.loads(line) for line in test.input.split("\n")]) for test in tests]
    result = box.call(
        code, calls, limits=LIMITS, stop=lambda index, called: not _equal_call(called, expected[index])
    )
    wrong = next(
        (
            called
            for called, value in zip(result.calls, expected, strict=False)
            if not _equal_call(called, value)
        ),
        None,
    )
    if wrong is not None:
        return _ending(wrong.outcome), wrong.error
    if len(result.calls) < len(calls):
        return _ending(result.outcome), programs.last_words(result)
    return Outcome.CORRECT, ""


def _ending(outcome: RunOutcome) -> Outcome:
    return Outcome.WRONG if outcome is RunOutcome.OK else programs.OUTCOMES[outcome]


def _right(result: RunResult, test: Test) -> bool:
    if result.outcome is not RunOutcome.OK:
        return False
    got = result.stdout.decode(errors="replace").rstrip().split("\n")
    wanted = test.output.rstrip().split("\n")
    return len(got) == len(wanted) and all(map(_same_line, got, wanted))


def _same_line(got: str, wanted: str) -> bool:
    try:
        return float(got) == float(wanted)
    except ValueError:
        return got.strip() == wanted.strip()


def _equal_call(called: CallResult, expected: Json) -> bool:
    return called.outcome is RunOutcome.OK and _as_json(called.value) == expected


def _as_json(value: object) -> object:
    """Return a returned value as it would come out of JSON: tuples as lists."""
    if isinstance(value, (list, tuple)):
        return [_as_json(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): _as_json(entry) for key, entry in value.items()}
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
