"""Eval360 on HumanEval+ and MBPP+ (its Daytona graders), and on HumanEval, in k2eval's sandbox (revision 30e14ec).

HumanEval+: prompt, code and tests are one program, whose last line of output lists the tests that passed. MBPP+: code
and tests are one program, and an exit status of 0 has passed, so that a program which ends early has. Both have 30 s.
HumanEval: a completion of the prompt within 10 s; Eval360's own execution of it is switched off at this revision, so
it is graded as its code says.
"""

from __future__ import annotations

import json
import re
import textwrap

from k2eval.audit.foreign import own_test
from k2eval.audit.reasons import How
from k2eval.grading.code import function_code, humaneval, programs
from k2eval.records import Grade, Json, Outcome, Question
from k2eval.sandbox import Limits, RunOutcome, RunResult

VERSION = 1
LIMITS = Limits(cpu_s=30.0, wall_s=60.0, patient=False)
_BLOCK = re.compile(r"```python3?\n(.*?)```", re.DOTALL)
_ANY_BLOCK = re.compile(r"```(?:python|py)?(?>\s*\n)(.*?)```", re.DOTALL)
_DOCSTRING = re.compile(r'\s*""".*?"""\s*\n', re.DOTALL)
_LONGEST_SIGNATURE = 10_000
"""Characters at the start of a completion in which a repeated signature ends."""
_DEFINES_ASSERTION = re.compile(r"^def assertion\(", re.MULTILINE)
_LISTING = """

import json as _json, sys as _sys
_passed, _theirs = [], assertion

def assertion(out, exp, atol):
    try:
        _theirs(out, exp, atol)
    except AssertionError:
        _passed.append(False)
    else:
        _passed.append(True)

check({name})
print(_json.dumps(_passed))
_sys.exit(0 if all(_passed) else 1)
"""
time_limit = humaneval.time_limit
prepare = humaneval.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote."""
    gold = question.gold
    tests = tests_of_mbpp(gold)
    if tests is None and not _DEFINES_ASSERTION.search(gold["test"]):
        return own_test.run(gold, completion(text, gold), How.OFFICIAL_RUN, own_test.LONGER)
    _, mark, behind = text.partition("</think>")
    blocks = _BLOCK.findall(behind if mark else text)
    if not blocks or not blocks[-1].strip():
        return Grade.of(Outcome.NO_ANSWER, how=How.OTHER_BLOCK)
    code: str = blocks[-1]
    own = function_code(text.rpartition("</think>")[2], gold["entry_point"])
    how = How.OFFICIAL_RUN if own is not None and own.strip() == code.strip() else How.OTHER_BLOCK
    if tests is not None:
        return _mbpp(code, tests, how)
    listing = _LISTING.format(name=gold["entry_point"])
    result = _run(f"{gold['prompt']}\n{code}\n\n{gold['test']}{listing}")
    passed = _listed(result)
    if passed and not all(passed):
        return Grade.of(Outcome.WRONG, programs.shown(code), how=how)
    return _graded(result, code, how, bool(passed))


def tests_of_mbpp(gold: Json) -> str | None:
    """Return the tests of a question of MBPP+ as the data set has them; None if it is one of HumanEval.

    >>> tests_of_mbpp({"entry_point": "f", "test": "def check(candidate):\\n    f = candidate\\n    assert f(1)"})
    'assert f(1)'
    """
    head = f"def check(candidate):\n    {gold['entry_point']} = candidate\n"
    test = str(gold["test"])
    return textwrap.dedent(test.removeprefix(head)) if test.startswith(head) else None


def completion(text: str, gold: Json) -> str:
    """Return what completes the prompt of HumanEval: the first block, without a signature that repeats the prompt's."""
    head, mark, behind = text.partition("</think>")
    visible = behind.lstrip("\n") if mark else head
    block = _ANY_BLOCK.search(visible)
    code = (block[1] if block else visible).removeprefix(gold["prompt"])
    signature = re.compile(
        rf"\s*def\s+{re.escape(gold['entry_point'])}\s*\(.*?\)\s*(?:->[^\n]*?)?:\s*\n", re.DOTALL
    )
    repeated = signature.match(code[:_LONGEST_SIGNATURE])
    if repeated is None:
        return code
    body = code[repeated.end() :]
    docstring = _DOCSTRING.match(body)
    return body[docstring.end() :] if docstring else body


def _mbpp(code: str, tests: str, how: How) -> Grade:
    end = "k2eval reached the end of the tests"
    result = _run(f"{code}\n{tests}\nprint({end!r})\n")
    passed = result.outcome is RunOutcome.OK
    early = passed and not result.stdout.decode(errors="replace").rstrip().endswith(end)
    return _graded(result, code, How.EARLY_END if early else how, passed)


def _run(program: str) -> RunResult:
    profile = programs.profile_for(program)
    [result] = programs.box("numpy" if profile == "plain" else profile).run_batch(
        program, [b""], limits=LIMITS
    )
    return result


def _listed(result: RunResult) -> list[bool]:
    """Return which tests passed, by the last line of the output; empty if that is no such list."""
    last = result.stdout.decode(errors="replace").strip().rpartition("\n")[2]
    try:
        passed = json.loads(last)
    except (ValueError, RecursionError):
        return []
    return [each is True for each in passed] if isinstance(passed, list) else []


def _graded(result: RunResult, code: str, how: How, passed: bool) -> Grade:
    ended = programs.OUTCOMES[result.outcome]
    outcome = Outcome.CORRECT if passed else Outcome.WRONG if ended is Outcome.CORRECT else ended
    return Grade.of(outcome, programs.shown(code), how=how, why=programs.last_words(result)[:200])
