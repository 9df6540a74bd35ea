"""Run programs as LiveCodeBench does, for numbers that must be comparable with published ones.

The imitation runs in the sandbox (`k2eval.grading.code.parity_driver`); comparison happens here. One process
runs all tests of a submission, with the driver's wall alarm of whole seconds per test. So verdicts depend on the load
of the machine, as with LiveCodeBench.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources

from k2eval.grading.code import programs
from k2eval.grading.code.compare_output import output_difference, value_difference
from k2eval.grading.code.programs import Failure
from k2eval.records import Json, Outcome
from k2eval.sandbox import Limits, RunOutcome
from k2eval.tasks.livecodebench import Test

_ENDINGS = {"timeout": Outcome.TIMEOUT, "error": Outcome.RUNTIME_ERROR}


def first_failure(
    code: str, tests: Sequence[Test], function: str | None, prelude: str, limits: Limits
) -> Failure | None:
    """Return the first test that ``code`` fails if it is run as LiveCodeBench does; None if it passes all."""
    seconds = math.ceil(limits.cpu_s)
    whole = float((seconds + 1) * len(tests) + 5)
    result = programs.box(programs.profile_for(code)).record(
        "",
        _driver(),
        inputs={
            "code": code,
            "prelude": prelude,
            "tests": [test.input for test in tests],
            "function": function,
            "seconds": seconds,
        },
        limits=replace(limits, cpu_s=whole, wall_s=whole, patient=False),
    )
    for index, test in enumerate(tests):
        if index >= len(result.records):
            outcome = programs.OUTCOMES[result.outcome]
            ended = Outcome.RUNTIME_ERROR if result.outcome is RunOutcome.OK else outcome
            return Failure(index, ended, programs.last_words(result))
        failure = _judge(index, result.records[index], test, function is not None)
        if failure:
            return failure
    return None


def _judge(index: int, record: object, test: Test, functional: bool) -> Failure | None:
    match record:
        case ("value", value) if functional:
            why = value_difference(value, _loaded(test.output))
        case ("value", str(value)):
            why = output_difference(value, test.output)
        case (("timeout" | "error") as ending, str(why)):
            return Failure(index, _ENDINGS[ending], why)
        case _:
            return Failure(index, Outcome.VIOLATION, "the program tampered with its results")
    return None if why is None else Failure(index, Outcome.WRONG, why)


def _loaded(output: str) -> Json:
    return json.loads(output)


@cache
def _driver() -> str:
    """Return the text of the driver, and the call that starts it with the values that ``record`` binds."""
    text = resources.files(__package__).joinpath("parity_driver.py").read_text("utf-8")
    return f"{text}\n\nmain(code, prelude, tests, function, seconds, emit)\n"
