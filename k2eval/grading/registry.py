"""Graders by name. Their modules are imported at the first use, so that importing this one costs nothing."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from k2eval.errors import ConfigError, DataError, did_you_mean
from k2eval.reasoning import NONE, split
from k2eval.records import Grade, Outcome, Question, ReasoningFormat
from k2eval.system import told
from k2eval.tasks import check_call, in_words, kind_of

DEFAULT_LIMIT_S = 10.0
"""Seconds that one answer may cost before its worker is killed."""

_MODULES = {
    "math": "k2eval.grading.math.grader",
    "choice": "k2eval.grading.choice",
    "number": "k2eval.grading.number",
    "rule_first": "k2eval.grading.rule_first",
    "refusal": "k2eval.grading.refusal",
    "leaks": "k2eval.grading.leaks",
    "code": "k2eval.grading.code.livecodebench",
    "scicode": "k2eval.grading.code.scicode",
    "humaneval": "k2eval.grading.code.humaneval",
}


LEFT_TO_JUDGE = ("rule_first", "refusal")
"""Graders that leave a question to the answer judge if its ``metadata["decided_by"]`` says so."""

_WITHIN_REASONING = "the response ends within its reasoning"


@dataclass(frozen=True, slots=True)
class Grader:
    """A pure function from question and response text to a grade, and its version."""

    name: str
    version: int
    grade: Callable[[Question, str, bool], Grade]
    """Takes the question, what the response says after its reasoning, and whether the token limit cut it."""
    time_limit: Callable[[Question], float] | None = None
    """Seconds that a grader which runs programs may take for a question. If it is set, running out of
    time is our failure; if it is not, the answer itself is what does not end."""
    prepare: Callable[[], None] | None = None
    """Imports what grading needs, so that start-up is not charged to an answer."""

    @property
    def label(self) -> str:
        """Name and version as a verdict records them, such as ``math/1``."""
        return f"{self.name}/{self.version}"

    def grade_response(
        self,
        question: Question,
        text: str,
        truncated: bool,
        form: ReasoningFormat,
        answer_start: int | None = None,
    ) -> Grade:
        """Grade a raw response: its reasoning is split off here, before any grader sees it.

        Args:
            question: The question.
            text: The raw text, with the chat template's prefill in front.
            truncated: Whether the engine stopped at its token limit.
            form: The reasoning format of whoever wrote the text.
            answer_start: Where in the text the answer starts, if a server split reasoning off.

        Raises:
            DataError: If a grader of the user's returns no grade.
        """
        parts = split(text, NONE if question.metadata.get("as_code") else form, answer_start, truncated)
        if not parts.complete:
            runs_programs = self.time_limit is not None
            return Grade.of(Outcome.TRUNCATED, **({"reason": _WITHIN_REASONING} if runs_programs else {}))
        grade = self.grade(question, parts.answer, truncated)
        if not isinstance(grade, Grade):
            raise DataError(f"grader {self.name}: expected a k2eval.records.Grade, got {kind_of(grade)}")
        return grade

    def limit(self, question: Question, default: float) -> float:
        """Return the seconds that an answer to a question may cost.

        Args:
            question: The question.
            default: The limit of graders that set none.

        Raises:
            DataError: If a grader of the user's sets no number, or raises an error.
        """
        if self.time_limit is None:
            return default
        try:
            with told(f"time_limit of grader {self.name}") if "." in self.name else contextlib.nullcontext():
                limit = self.time_limit(question)
            if not 0 < limit < math.inf:
                raise ValueError(f"expected a positive number of seconds, got {limit!r}")
        except Exception as error:
            raise DataError(f"grader {self.name}, time_limit: {in_words(error)}") from error
        return limit


@cache
def grader_for(name: str) -> Grader:
    """Return the grader with this name.

    A name with a dot is the module of a grader of your own: it has ``VERSION`` and ``grade``, and may have
    ``time_limit`` and ``prepare``.

    Raises:
        ConfigError: If there is no such grader.
    """
    path = _MODULES.get(name, name if "." in name else None)
    if path is None:
        raise ConfigError(
            f"Expected the name of a grader, got {name!r}. {did_you_mean(name, list(_MODULES))}"
        )
    try:
        with told(f"the import of grader {path}"):
            module = importlib.import_module(path)
    except (Exception, SystemExit) as error:  # a module of the user's may raise anything
        if name in _MODULES:
            raise
        raise ConfigError(
            f"Expected a grader module {path}, but it cannot be imported: {in_words(error)}. Correct its name or the "
            "module, and name its folder in PYTHONPATH."
        ) from error
    version = getattr(module, "VERSION", None)
    if isinstance(version, bool) or not isinstance(version, int):
        raise ConfigError(
            f"Grader {path}: expected a whole number VERSION, got {version!r:.100}. Set VERSION = 1."
        )
    grade: Any = getattr(module, "grade", None)
    check_call(grade, f"Grader {path}, grade", ["question", "text", "truncated"])
    if inspect.iscoroutinefunction(grade):
        raise ConfigError(f"Grader {path}: expected grade to be a plain function, got one that is async.")
    time_limit, prepare = getattr(module, "time_limit", None), getattr(module, "prepare", None)
    if time_limit is not None:
        check_call(time_limit, f"Grader {path}, time_limit", ["question"])
    if prepare is not None:
        check_call(prepare, f"Grader {path}, prepare", [])
    return Grader(name, version, grade, time_limit, prepare)


def grader_name(question: Question, override: str | None = None) -> str:
    """Return the name of the grader of ``question``: ``override``, the question's own, or that of its shape."""
    return override or question.grader or ("choice" if question.options else "math")
