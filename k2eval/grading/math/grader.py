"""The grader of mathematics: extraction, normalisation and comparison in one pure function.

Everything that could run for long is bounded first; what still does not end is stopped from outside, by
`k2eval.grading.pool.GradingPool`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from k2eval.grading.answer import find_answer, tidy
from k2eval.grading.math import leaf, symbolic, units
from k2eval.grading.math.characters import repaired
from k2eval.grading.math.equation import value_of
from k2eval.grading.math.latex import normalise, squeezed
from k2eval.grading.math.number import exact
from k2eval.grading.math.quantity import same_leaf
from k2eval.grading.math.reading import same_answer
from k2eval.grading.math.structure import parse
from k2eval.grading.math.words import denies_another
from k2eval.records import Grade, Outcome, Question

VERSION = 6
"""Changes whenever a grade could change."""

_MAX_ANSWER = 2_000
"""Characters; a longer answer is only compared as it is written."""

# Matches "$x$" and "\(x\)"; not a lone "$".
_MATH_SPAN = re.compile(r"\\\((.+?)\\\)|\$([^$]+)\$", re.DOTALL)
# Matches "\text{(C)}" and "(C)" in front of a value; not "(x)" or "f(A)".
_LABEL = re.compile(
    r"(?:\\text\s*\{\s*\(\s*[A-E]\s*\)\s*:?\s*\}|\(\s*(?:\\text\s*\{\s*)?[A-E]\s*\}?\s*\))\s*:?\s*"
)
# Matches three words in a row: "we have that"; not "sin x".
_SENTENCE = re.compile(r"[A-Za-z]{2,}\s+[a-z]{2,}\s+[a-z]{2,}")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade one response.

    Args:
        question: ``gold`` is the answer as a string or a number. If ``metadata["answer_type"]`` is
            "integer", the answer must be exactly that integer (AIME).
        text: The response after its reasoning.
        truncated: Whether the engine stopped at its token limit.
    """
    answer = find_answer(text, truncated)
    if answer.text is None:
        return Grade.of(Outcome.TRUNCATED if answer.cut or truncated else Outcome.NO_ANSWER)
    gold = str(question.gold)
    as_integer = question.metadata.get("answer_type") == "integer"
    right = matches(gold, answer.joined or answer.text, as_integer)
    if not right and not as_integer and len(answer.siblings) > 1 and _is_list(gold):
        right = matches(gold, ", ".join(answer.siblings))
    if not right and answer.named:
        right = matches(gold, answer.named)
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, tidy(answer.joined or answer.text))


def matches(gold: str, answer: str, as_integer: bool = False) -> bool:
    r"""Return whether ``answer``, as written in a box, is ``gold``.

    >>> matches(r"\frac{1}{2}", "0.5"), matches("1,2", "2 and 1"), matches("7", "7 or 8")
    (True, True, False)

    Args:
        gold: The right answer, as the data set writes it.
        answer: The answer, as the model wrote it.
        as_integer: Whether the answer must be exactly the integer that the gold is.

    Raises:
        MemoryError: If the comparison needs more than its process may have.
    """
    if len(answer) > _MAX_ANSWER:  # also keeps a megabyte away from regular expressions
        return squeezed(answer) == squeezed(gold) or _long_integer(answer) == _long_integer(gold) != ""
    try:
        plain = normalise(answer)
        if not plain:
            return False
        if as_integer:
            return _is_integer(gold, plain)
        if denies_another(gold, answer):
            return False
        return any(
            same_answer(reading, answer)
            for reading in golds(gold)
            for answer in _without_label(reading, plain)
        )
    except RecursionError:
        return False


def _without_label(gold: str, answer: str) -> list[str]:
    r"""Return the readings of an answer such as "(\text{C}) 12": as it is, and as the label or the value asked for."""
    label = _LABEL.match(answer)
    if label is None:
        return [answer]
    if _LABEL.fullmatch(gold):
        return [answer, answer[: label.end()].rstrip(" :")]
    rest = answer[label.end() :].strip()
    return [answer, rest] if rest and exact(gold) is not None else [answer]


@lru_cache(maxsize=4096)
def golds(gold: str) -> tuple[str, ...]:
    """Return the normalised readings of a gold, which data sets also write as a box, a sentence, or "A OR B"."""
    readings = [repaired(gold)]
    for alternative in re.split(r"(?<=[$)])\s+OR\s+(?=[\\$])", readings[0]):
        spans = [first or second for first, second in _MATH_SPAN.findall(alternative)]
        boxed = find_answer(alternative, False).text if "\\boxed" in alternative else None
        if boxed is not None:
            readings.append(boxed)
        elif spans and _SENTENCE.search(_MATH_SPAN.sub(" ", alternative)):
            readings.append(spans[-1])
        elif alternative != readings[0]:
            readings.append(alternative)
    return tuple(dict.fromkeys(normalise(reading) for reading in readings))


def _is_list(gold: str) -> bool:
    return any(parse(reading).kind in ("list", "set") for reading in golds(gold))


def _is_integer(gold: str, answer: str) -> bool:
    """Return whether ``answer`` is one value, and that value the integer ``gold``."""
    integer = exact(normalise(gold))
    if integer is None or integer.denominator != 1:
        return any(same_answer(reading, answer) for reading in golds(gold))
    node = parse(answer)
    if node.kind == "equation":
        node = value_of(node)
    if node.kind != "leaf":
        return False
    number = leaf.read(node.text)
    if number.base not in ("", "10"):
        return False
    value = exact(number.core)
    if value is not None and number.unit is not units.PERCENT:
        return value == integer
    return same_leaf(str(integer), node.text)


def _long_integer(text: str) -> str:
    """Return the digits of a very long integer, however grouped; empty if ``text`` is none."""
    digits = re.sub(r"[\s,]|\\[,!]|\{,\}", "", text)
    return digits.lstrip("0") if digits.isascii() and digits.isdigit() else ""


def prepare() -> None:
    """Import sympy and the parser, so that no answer is charged for it."""
    symbolic.prepare()
