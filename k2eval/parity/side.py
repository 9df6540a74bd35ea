"""One side of a comparison: a score of one benchmark, and what is known of how it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# Matches what texts of one question may differ in from file to file: white space, case aside.
_BLANK = re.compile(r"\s+")

MOST_TEXT = 300_000_000
"""Characters of responses that are kept in memory; above, none are."""
Facts = dict[str, str | float | None]
"""Name of a setting -> its value; a setting that is not known has no entry."""

CAUSES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "system", "shots"),
    "template": ("template",),
    "effort": ("thinking", "reasoning_effort", "thinking_budget"),
    "sampling": ("temperature", "top_p", "top_k", "min_p", "recipe"),
    "limits": ("max_tokens", "context", "stop"),
    "grader": ("grader",),
    "data revision": ("questions", "revision"),
    "failures": ("failed", "truncated"),
}
"""The eight causes, and the settings of each; the first ones decide whether a cause is known to be the same."""


@dataclass(slots=True)
class Side:
    """A score with its denominators, as far as its maker states them."""

    name: str
    """Where it is from, for people."""
    task: str
    """The benchmark in the words of its maker."""
    score: float
    """As a fraction."""
    se: float | None = None
    """Standard error as stated."""
    questions: int | None = None
    repeats: int | None = None
    facts: Facts = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    """Key of a question's text, or ``id:`` and its id -> the scores of its repeats; empty if not known."""
    prompts: dict[str, str] = field(default_factory=dict)
    """Key of a question -> the prompt; empty if not known."""
    responses: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    """Key of a question -> the responses that its scores are of, and whether each was cut; empty if not known."""
    samples: int | None = None
    failed: int | None = None
    """Samples that its maker could not finish."""
    truncated: int | None = None
    """Samples that the token limit cut."""
    harness: str | None = None
    """The harness in the words of `k2eval.audit.HARNESSES`; None if it is none of these."""
    notes: list[str] = field(default_factory=list)
    _kept: int = 0
    _owners: dict[str, str] = field(default_factory=dict)
    _shared: set[str] = field(default_factory=set)
    """Keys that rows of several questions have."""
    _values: dict[str, list[float]] = field(default_factory=dict)
    """Question of a row -> the scores of its repeats, however it is found."""

    def score_row(self, owner: str, keys: Iterable[str], values: list[float], prompt: str = "") -> None:
        """Keep the scores of a row under the keys of its question.

        A key that rows of several questions have, such as the text of their source, is the key of none.

        Args:
            owner: The question of the row; rows of one question are its repeats.
            keys: Keys of its texts and its id.
            values: Its scores; none if it has none.
            prompt: The prompt; empty if not known.
        """
        if values:
            self._values.setdefault(owner, []).extend(values)
        for key in keys:
            if self._owners.setdefault(key, owner) != owner:
                self._shared.add(key)
            if key in self._shared:
                for kept in (self.scores, self.prompts, self.responses):
                    kept.pop(key, None)
                continue
            if values:
                self.scores.setdefault(key, []).extend(values)
            if prompt:
                self.prompts[key] = prompt

    def keep(self, keys: Iterable[str], text: str, cut: bool) -> None:
        """Keep a response under the keys of its question, as long as all together are not too long."""
        self._kept += len(text)
        if self._kept > MOST_TEXT:
            self.responses.clear()
            return
        for key in keys:
            if key in self._shared:
                continue
            self.responses.setdefault(key, []).append((text, cut))

    @property
    def mean(self) -> float | None:
        """The mean over all questions of the mean over repeats; None if the score of a question is not known."""
        if not self._values or self.questions not in (None, len(self._values)):
            return None
        return sum(sum(values) / len(values) for values in self._values.values()) / len(self._values)

    @property
    def asked(self) -> int | None:
        """Number of samples: as stated, or questions times repeats; None if one of these is not known."""
        return self.samples or (self.questions or 0) * (self.repeats or 0) or None


def key_of(text: str) -> str:
    """Return what is equal for a question that files lay out in different ways.

    >>> key_of("What  is\\n2 + 2?") == key_of("what is 2 + 2?")
    True
    """
    return _BLANK.sub("", text).casefold()


def task_key(name: str) -> str:
    """Return what is equal for the names of one benchmark: "AIME 2024", "aime_24" and "aime24".

    >>> task_key("AIME 2024"), task_key("gpqa_diamond_cot_zeroshot"), task_key("HumanEval+")
    ('aime24', 'gpqadiamond', 'humanevalplus')
    """
    plain = re.sub(r"[^a-z0-9]", "", name.casefold().replace("+", "plus"))
    plain = re.sub(r"(?:cot)?(?:zeroshot|nshot|generative)|instruct$|^hendrycks|^minerva", "", plain)
    plain = re.sub(r"(?<!\d)20(2\d)(?!\d)", r"\1", plain).replace("hmmtfeb", "hmmt")
    return {"math500reasoning": "math500", "gpqa": "gpqadiamond", "gpqadiamondaa": "gpqadiamond"}.get(
        plain, plain
    )
