"""Grade SciCode: every step's tests in order, and the main problem by all of them.

A step's program is the dependencies, the earlier steps' code and its own. Its tests are recorded in the sandbox and
judged outside (`k2eval.grading.code.scicode_replay`), so that targets never enter the sandbox. A main problem is solved
if all its graded steps pass; a step without code fails. A step that cannot be judged in this way is ``grader_error``,
not wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from k2eval.errors import DataError
from k2eval.grading.code import programs
from k2eval.grading.code.compare_output import shorten
from k2eval.grading.code.scicode_program import codes_held, codes_in, codes_of_program, program, step_code
from k2eval.grading.code.scicode_replay import (
    ReplayFailed,
    ReplayLost,
    Unjudgeable,
    recorder_driver,
    reduce_tests,
    replay_apart,
)
from k2eval.grading.code.scicode_replay.tape import NAMES, RECORDER, TESTS
from k2eval.records import Grade, Json, Outcome, Question
from k2eval.sandbox import Limits, RunOutcome
from k2eval.tasks.scicode import Problem, Step, problem_of, read_targets

VERSION = 3

STEP_SECONDS = 1800.0
"""CPU seconds for the tests of one step; the official harness allows as much real time."""

WAITING_SECONDS = 600.0
"""Real seconds on top of twice the CPU seconds: a busy machine must not turn a step of a minute into a time-out."""

_ATTEMPTS = 2
"""How often a step is judged if its box or its comparison is ended from outside: a problem that another step fails is
decided, and no later start would try this step again."""
_MEMORY_MB = 4096
_RESULT_BYTES = 1 << 29
_JUDGED = {"failed": Outcome.WRONG, "raised": Outcome.RUNTIME_ERROR, "overran": Outcome.TIMEOUT}


@dataclass(frozen=True)
class StepGrade:
    """The result of one step."""

    outcome: Outcome
    why: str = ""


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response to a main problem: the code of its steps, as JSON or as Python blocks.

    If the question's metadata has ``step_id``, the response is to that step alone.
    """
    if "step_id" in question.metadata:
        return _grade_row(question, text, truncated)
    held = codes_held(text, problem_of(question))
    if held is not None:
        return grade_codes(question, held, truncated=truncated)
    if question.metadata.get("as_code"):
        return grade_codes(question, codes_of_program(text, problem_of(question)), truncated=truncated)
    codes = codes_in(text, problem_of(question))
    if codes is None:
        reason = "no complete code block after the reasoning"
        return Grade.of(Outcome.TRUNCATED if truncated else Outcome.NO_ANSWER, reason=reason)
    return grade_codes(question, codes, truncated=truncated)


def grade_codes(question: Question, codes: Mapping[str, str | None], *, truncated: bool = False) -> Grade:
    """Grade a main problem by the code of each step; ``score`` is 1 if all graded steps pass."""
    problem = problem_of(question)
    lacking = Outcome.TRUNCATED if truncated else Outcome.NO_ANSWER
    steps = {
        step.step_number: _judge(question, problem, step, codes, lacking)
        for step in problem.sub_steps
        if step.graded
    }
    failed = [graded.outcome for graded in steps.values() if graded.outcome is not Outcome.CORRECT]
    theirs = [outcome for outcome in failed if not outcome.is_infrastructure]
    return Grade.of(
        next(iter(theirs or failed), Outcome.CORRECT),
        steps={number: str(graded.outcome) for number, graded in steps.items()},
        sub_passed=len(steps) - len(failed),
        sub_total=len(steps),
        sub_errors=len(failed) - len(theirs),
        why={number: shorten(graded.why, 300) for number, graded in steps.items() if graded.why},
    )


def grade_step(
    question: Question, step_id: str, code: str, earlier: Mapping[str, str | None] | None = None
) -> Grade:
    """Grade the code of one step.

    Args:
        question: The main problem.
        step_id: Number of the step, such as ``10.2``.
        code: The step's code; it may repeat the earlier steps.
        earlier: Code of earlier steps; if one is missing, the known solution replaces it, if there is one.

    Raises:
        DataError: If the problem has no such graded step.
    """
    problem = problem_of(question)
    step = next(
        (
            candidate
            for candidate in problem.sub_steps
            if candidate.step_number == step_id and candidate.graded
        ),
        None,
    )
    if step is None:
        known = ", ".join(candidate.step_number for candidate in problem.sub_steps if candidate.graded)
        raise DataError(f"SciCode problem {question.id} has no graded step {step_id!r}. It has {known}.")
    codes = {candidate.step_number: candidate.ground_truth_code for candidate in problem.earlier(step)}
    judged = _judge(question, problem, step, {**codes, **(earlier or {}), step_id: code}, Outcome.NO_ANSWER)
    return Grade.of(
        judged.outcome, programs.shown(code), step=step_id, **({"why": judged.why} if judged.why else {})
    )


def grade_step_response(
    question: Question,
    step_id: str,
    text: str,
    truncated: bool = False,
    earlier: Mapping[str, str | None] | None = None,
) -> Grade:
    """Grade a response to one step as `grade_step` does, after finding the code in ``text``."""
    step = next(
        (candidate for candidate in problem_of(question).sub_steps if candidate.step_number == step_id), None
    )
    code = step_code(text, step) if step else None
    if code is None and step is not None:
        outcome = Outcome.TRUNCATED if truncated else Outcome.NO_ANSWER
        return Grade.of(outcome, step=step_id, reason="no complete code block after the reasoning")
    return grade_step(question, step_id, code or "", earlier)


def _grade_row(question: Question, text: str, truncated: bool) -> Grade:
    number, earlier = str(question.metadata["step_id"]), question.metadata.get("earlier")
    try:
        if question.metadata.get("as_code"):
            return grade_step(question, number, text, earlier)
        return grade_step_response(question, number, text, truncated, earlier)
    except DataError as error:
        return Grade.of(Outcome.GRADER_ERROR, reason=str(error))


def time_limit(question: Question) -> float:
    """Return the seconds after which the grading of one response must hang; each step has its own limit."""
    return 600.0 + _limits(question).wall_limit_s * max(1, len(question.gold))


def prepare() -> None:
    """Start the sandbox with the scientific packages."""
    programs.box("scientific")


def _judge(
    question: Question, problem: Problem, step: Step, codes: Mapping[str, str | None], lacking: Outcome
) -> StepGrade:
    if not codes.get(step.step_number):
        return StepGrade(lacking, "no code for this step")
    return judge_program(question, problem, step, program(problem, step, codes))


def judge_program(question: Question, problem: Problem, step: Step, source: str) -> StepGrade:
    """Judge the program of a step by its tests.

    Args:
        question: The main problem as a question, with the paths of its targets.
        problem: The main problem.
        step: One of its graded steps.
        source: Dependencies, the code of the earlier steps, and that of the step.
    """
    called = [earlier.name for earlier in (*problem.earlier(step), step)]
    try:
        reduced = reduce_tests(step.test_cases, called)
        targets = read_targets(_files(question), step.step_number, len(step.test_cases))
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(ReplayLost):
                graded = _run(question, problem, step, source, reduced, called, targets)
                if graded.outcome is not Outcome.GRADER_ERROR:
                    return graded
        return _run(question, problem, step, source, reduced, called, targets)
    except (Unjudgeable, ReplayFailed, DataError) as error:
        return StepGrade(Outcome.GRADER_ERROR, str(error))


def _run(
    question: Question,
    problem: Problem,
    step: Step,
    source: str,
    reduced: list[str],
    called: list[str],
    targets: tuple[object, ...],
) -> StepGrade:
    driver, recorder = recorder_driver()
    profile = programs.profile_for("\n".join([source, *reduced]))
    result = programs.box("numpy" if profile == "plain" else profile).record(
        source, driver, inputs={RECORDER: recorder, TESTS: reduced, NAMES: called}, limits=_limits(question)
    )
    if result.outcome not in (RunOutcome.OK, RunOutcome.RUNTIME_ERROR):
        return StepGrade(programs.OUTCOMES[result.outcome], programs.last_words(result))
    if not result.records:
        return StepGrade(Outcome.RUNTIME_ERROR, f"before the tests: {programs.last_words(result)}")
    judged = replay_apart(
        step.test_cases, targets, result.records, called, problem.required_dependencies, result.cpu_s
    )
    if judged.kind == "passed":
        return StepGrade(Outcome.CORRECT)
    return StepGrade(_JUDGED[judged.kind], f"test {judged.test + 1}: {judged.why}")


def _files(question: Question) -> tuple[str, ...]:
    return tuple(str(path) for path in question.metadata.get("targets", ()))


def _limits(question: Question) -> Limits:
    seconds: Json = question.metadata.get("step_seconds") or STEP_SECONDS
    return Limits(
        cpu_s=float(seconds),
        wall_s=2 * float(seconds) + WAITING_SECONDS,
        memory_mb=_MEMORY_MB,
        result_bytes=_RESULT_BYTES,
    )
