"""Graders by name. Their modules are imported at the first use, so that importing this one costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from k2eval.errors import ConfigError, did_you_mean
from k2eval.reasoning import NONE, split
from k2eval.records import Grade, Outcome, Question, ReasoningFormat

DEFAULT_LIMIT_S = 10.0
"""Seconds that one answer may cost before its worker is killed."""

_MODULES = {
    "math": "k2eval.grading.math.grader",
    "choice": "k2eval.grading.choice",
    "code": "k2eval.grading.code.livecodebench",
    "scicode": "k2eval.grading.code.scicode",
    "humaneval": "k2eval.grading.code.humaneval",
}


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

    def grade_response(self, question: Question, text: str, truncated: bool, form: ReasoningFormat) -> Grade:
        """Grade a raw response: its reasoning is split off here, before any grader sees it.

        Args:
            question: The question.
            text: The raw text, with the chat template's prefill in front.
            truncated: Whether the engine stopped at its token limit.
            form: The reasoning format of whoever wrote the text.
        """
        parts = split(text, NONE if question.metadata.get("as_code") else form)
        if not parts.complete:
            runs_programs = self.time_limit is not None
            return Grade.of(Outcome.TRUNCATED, **({"reason": _WITHIN_REASONING} if runs_programs else {}))
        return self.grade(question, parts.answer, truncated)


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
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not path.startswith(error.name):
            raise
        raise ConfigError(f"Expected a grader module {path}, but it cannot be imported: {error}") from error
    return Grader(
        name,
        module.VERSION,
        module.grade,
        getattr(module, "time_limit", None),
        getattr(module, "prepare", None),
    )


def grader_name(question: Question, override: str | None = None) -> str:
    """Return the name of the grader of ``question``: ``override``, the question's own, or that of its shape."""
    return override or question.grader or ("choice" if question.options else "math")
