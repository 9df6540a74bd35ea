"""Graders of others on multiple choice."""

from __future__ import annotations

import importlib

import pytest

from k2eval.audit.foreign import lm_eval_choice
from k2eval.audit.reasons import How
from k2eval.records import Outcome, Question

OPTIONS = ("Alpha decay", "Beta decay", "Gamma decay", "Electron capture")
RIGHT, WRONG, NONE = Outcome.CORRECT, Outcome.WRONG, Outcome.NO_ANSWER
CASES = [
    ("lm_eval_choice", "The answer is (B).", RIGHT, How.ANY_LETTER),
    ("lm_eval_choice", "(B) it is, not (A)", WRONG, How.ANY_LETTER),
    ("lm_eval_choice", "It is beta decay!", RIGHT, ""),
    ("lm_eval_choice", r"\boxed{B}", NONE, How.FORM),
    ("lm_eval_strict", "The answer is (B).", RIGHT, How.STRINGS),
    ("lm_eval_strict", "The answer is (B) Beta.", WRONG, How.STRINGS),
    ("lm_eval_strict", "Answer: B", NONE, How.FORM),
    ("simple_evals_choice", "Answer: B", RIGHT, How.STRINGS),
    ("simple_evals_choice", "Answer: B. No! Answer: A", RIGHT, How.FIRST_MATCH),
    ("simple_evals_choice", "Answer: b", WRONG, How.STRINGS),
    ("simple_evals_choice", "**Answer:** B", NONE, How.FORM),
    ("eval360_choice", r"so \boxed{B}", RIGHT, ""),
    ("eval360_choice", "the answer is a little unclear, so Answer: B", RIGHT, ""),
    ("eval360_choice", "In the end B came out of the long sum here, or so", RIGHT, How.ANY_LETTER),
    ("eval360_choice", "nothing", NONE, ""),
    ("reasoning360_choice", r"\boxed{B}", RIGHT, ""),
    ("reasoning360_choice", r"\boxed{B. Alpha decay}", WRONG, How.ANY_LETTER),
    ("reasoning360_choice", "Answer: B", NONE, How.RANDOM),
]


@pytest.mark.parametrize(("name", "text", "outcome", "how"), CASES)
def test_a_response_gets_the_documented_verdict(name: str, text: str, outcome: Outcome, how: str) -> None:
    module = importlib.import_module(f"k2eval.audit.foreign.{name}")
    question = Question(task="t", id="1", messages=(), gold="B", options=OPTIONS)
    found = module.grade(question, text, False)
    assert (found.outcome, found.detail.get("how", "")) == (outcome, how)


@pytest.mark.parametrize(
    "text",
    ["(A) or (C)", "Beta decay, then gamma decay.", "Choice: D", "nothing at all", "beta-decay", ": B : C"],
)
def test_the_filter_finds_what_that_of_lm_eval_finds(text: str) -> None:
    from lm_eval.filters.extraction import MultiChoiceRegexFilter

    theirs = MultiChoiceRegexFilter(
        regex_pattern=r"(\([A-Z]\))", group_select=-1, ignore_case=True, ignore_punctuation=True
    )
    [[found]] = theirs.apply([[text]], [{"choices": list(OPTIONS)}])
    letter = lm_eval_choice.letter_of(text, OPTIONS)
    assert (f"({letter})" if letter else "[invalid]") == found
