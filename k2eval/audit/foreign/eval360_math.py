r"""Eval360's grader ``math-verify`` behind its parser ``boxed`` (AIME), as of its revision 30e14ec.

The last box, or the whole text without a closed one, goes to math-verify; if that reads nothing, to patterns of
numbers, of which the last one takes the last number of the text. What math-verify refuses gets a second chance: any
plain number of the box, the last number in bold, or the first behind "answer".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import boxes, plain_numbers, shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
prepare = verifying.prepare
_BEHIND = 80
"""Characters behind a mark of the answer in which a number is looked for."""
# One way only to match each number, so that no giant one takes the square of its length.
_PLAIN = r"-?(?:[\d,]*\.\d+|[\d,]*\d)"
_VALUE = rf"\s*(?::\s*)?\$?({_PLAIN})"
_STATED = [
    # Match a boxed number, one behind "####", behind "the answer is" or "final answer", and one behind "=".
    re.compile(rf"\\boxed\s*\{{\s*\$?({_PLAIN})\s*\}}"),
    re.compile(r"(?i)the answer is" + _VALUE),
    re.compile(r"####" + _VALUE),
    re.compile(r"(?i)final answer(?: is)?" + _VALUE),
    re.compile(r"=" + _VALUE + r"\s*(?:[a-z]{2,9}\.?\s*|\.\s*)?(?:The answer|\Z)"),
]
# Matches the number at the end of a line that says what something is or has.
_AT_END = re.compile(rf"(?im)(?:is|are|equals?|makes?|has|have|gets?)\s+\$?({_PLAIN})\.?[ \t]*$")
_NUMBER = re.compile(r"[-+]?\d*\.?\d+")
_MARK = re.compile(r"(?i)final\s+answer|the\s+answer\s+is|\banswer\s*[:=]")
_COMMA = re.compile(r"\{\s*,\s*\}")
_DELIMITERS = re.compile(r"\\[()\[\]]")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the server returned as content, or the reasoning if that was empty."""
    every = boxes(text)
    is_boxed = bool(every) and every[-1].end is not None
    seen = str(every[-1].content).strip() if is_boxed else text
    found, how = _read(seen)
    gold = str(question.gold)
    if found is not None and _equal(gold, found):
        return Grade.of(Outcome.CORRECT, _shown(found), how=how or ("" if is_boxed else How.WHOLE_TEXT))
    for number in dict.fromkeys(_candidates(text if not is_boxed else "\\boxed{" + seen + "}")):
        again, _ = _read(number)
        if again is not None and _equal(gold, again):
            return Grade.of(Outcome.CORRECT, shown(seen if is_boxed else number), how=How.SECOND_CHANCE)
    if found is None:
        return Grade.of(Outcome.NO_ANSWER)
    how = how or ("" if is_boxed else How.WHOLE_TEXT)
    return Grade.of(Outcome.WRONG, shown(seen) if is_boxed else _shown(found), how=how)


def _shown(found: Any) -> str:
    return shown(verifying.text_of(found) if isinstance(found, list) else found)


def _cleaned(text: str) -> str:
    plain = _DELIMITERS.sub("", _COMMA.sub(",", text.replace("\\$", "$")).replace("**", "").replace("__", ""))
    return plain.replace("\\,", "").replace("\u00a0", " ").replace("\u202f", " ")


def _read(text: str) -> tuple[Any, str]:
    """Return what Eval360 takes for the answer in a text, None if nothing, and the rule if it is a lenient one."""
    text = _cleaned(text)
    for form in (f"${text}$", text):
        found = verifying.parsed(form)
        if found:
            return found, ""
    for pattern in _STATED:
        numbers = pattern.findall(text)
        if numbers:
            return verifying.parsed(numbers[-1].replace(",", "")) or None, ""
    match = _AT_END.search(text)
    if match:
        return verifying.parsed(match[1].replace(",", "")) or None, How.LAST_NUMBER
    for sentence in reversed(text.split(".")):
        numbers = [] if "Human:" in sentence or "Assistant:" in sentence else _NUMBER.findall(sentence)
        if numbers:
            return verifying.parsed(numbers[-1].lstrip("0") or "0") or None, How.LAST_NUMBER
    return None, ""


def _equal(gold: str, answer: Any) -> bool:
    """Return whether math-verify finds them equal: first answer against text, then gold against answer."""
    try:
        if verifying.same(answer, gold):
            return True
        found, _ = _read(gold)
        return found is not None and verifying.same(found, answer)
    except (TypeError, ValueError, AttributeError):
        return False


def _candidates(text: str) -> Iterator[str]:
    """Yield the numbers that get a second chance."""
    every = boxes(text)
    body = every[-1].content if every else None
    if body and len(body) <= verifying.MOST:
        dollars = re.findall(r"\$\s*(-?\d[\d,]*(?:\.\d+)?)", body)
        yield from [number.replace(",", "") for number in dollars] or plain_numbers(_COMMA.sub(",", body))
    spans = text.split("**")[1::2]
    for span in reversed(spans):
        numbers = plain_numbers(span)
        if numbers:
            yield numbers[-1]
            break
    marks = [mark.end() for mark in _MARK.finditer(text)]
    if marks:
        yield from plain_numbers(text[marks[-1] : marks[-1] + _BEHIND])[:1]
