"""Run SciCode's unmodified tests on recorded results, with the targets bound."""

from __future__ import annotations

import ast
import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from k2eval.grading.code.scicode_replay.compare import COMPARISONS, guarded_numpy, is_empty, is_truth
from k2eval.grading.code.scicode_replay.reduce import COMPARE_MODULE, Unjudgeable
from k2eval.grading.code.scicode_replay.tape import Stand, SubmissionFailed, Tape


@dataclass(frozen=True)
class Judgement:
    """The judgement of the tests of one step."""

    kind: Literal["passed", "failed", "raised", "overran"]
    test: int = 0
    """Number of the failed test, from 0."""
    why: str = ""


def replay(
    tests: Sequence[str],
    targets: Sequence[Any],
    records: Sequence[Any],
    called: Sequence[str],
    dependencies: str,
) -> Judgement:
    """Judge one step by the recorded results. This runs only the data set's own test texts.

    Args:
        tests: The step's tests, unmodified.
        targets: One target a test.
        records: The records that the recording run emitted.
        called: Names of the submission's functions and classes.
        dependencies: The problem's import lines; those whose names the tests use are executed.

    Raises:
        Unjudgeable: If a test needs a module that is not there.
    """
    tape = Tape(records)
    space: dict[str, Any] = {"__name__": "__main__", **COMPARISONS}
    missing = _import(dependencies, _names("\n".join(tests)), space)
    space.update({name: Stand(tape, name) for name in called})
    with warnings.catch_warnings(), np.errstate(all="ignore"), guarded_numpy():
        warnings.simplefilter("ignore")
        for number, (test, target) in enumerate(zip(tests, targets, strict=True)):
            space["target"] = target
            try:
                tape.start(number)
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(_compiled(test, number), space)
            except SubmissionFailed as error:
                return Judgement("raised", number, str(error))
            except NameError as error:
                if error.name in missing:
                    raise Unjudgeable(f"the test needs {error.name}: {missing[error.name]}") from error
                return Judgement("failed", number, f"NameError: {error}")
            except Exception as error:
                return Judgement("failed", number, _message(error, test))
            if is_truth(target) and any(is_empty(result) for result in tape.results):
                return Judgement("failed", number, "the result is empty")
    return Judgement("passed")


def _compiled(test: str, number: int) -> Any:
    tree = ast.parse(test)
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.ImportFrom) and node.module == COMPARE_MODULE)
    ]
    return compile(tree, f"<test {number + 1}>", "exec")


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _import(dependencies: str, used: set[str], space: dict[str, Any]) -> dict[str, str]:
    """Execute the import lines that bind a ``used`` name; return the missing names, each with its reason."""
    missing: dict[str, str] = {}
    for node in ast.parse(dependencies).body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        if "*" not in names and not names & used:
            continue
        try:
            exec(compile(ast.Module([node], []), "<dependencies>", "exec"), space)
        except ImportError as error:
            missing.update(dict.fromkeys(names, str(error)))
    return missing


def _message(error: Exception, test: str) -> str:
    if isinstance(error, AssertionError):
        asserts = [node for node in ast.parse(test).body if isinstance(node, ast.Assert)]
        return f"not so: {ast.unparse(asserts[-1].test)[:200]}" if asserts else "an assertion does not hold"
    return f"{type(error).__name__}: {error}"[:400]
