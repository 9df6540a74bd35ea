"""The grader of numeric answers: read one number, and measure how far it is from the right one.

A verdict's score is 1 if the error is within the question's tolerance, else 0. Its detail keeps the ``reading`` and the
``residual`` (reading minus gold), from which tables compute MAE, RMSE and rank correlation. An answer without one
plain number has no reading: its outcome is ``no_answer``, and it is in the parse rate and not in the errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from k2eval.errors import DataError
from k2eval.grading.answer import find_answer
from k2eval.grading.value import stated_value
from k2eval.records import Grade, Json, Outcome, Question

VERSION = 1
"""Changes whenever a grade could change."""

_LONGEST = 300
"""Characters of an answer that may hold one number with its unit."""

_LARGEST = 1e100
"""A larger number is no reading, since its square has no place in a float."""

_LINE = 2_000
"""Characters at the end of a response in which its last line is looked for."""

_SIGNS = {
    "−": "-", "–": "-", "×": "*", r"\times": "*", r"\cdot": "*", "·": "*", "⋅": "*", r"\approx": "≈", r"\simeq": "≈",
    r"\sim": "≈", "~": " ", r"\pm": "±", "+/-": "±", "{,}": ",", "$": " ", "\\(": " ", "\\)": " ", "\\[": " ",
    "\\]": " ", r"\left": "", r"\right": "", "**": "", "`": "", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
_SPACE = re.compile(r"\\[,;!: ]|\\quad|\\qquad")
"""Matches a space of LaTeX: "\\,"; not "\\n"."""
_TEXT = re.compile(r"\\(?:text|mathrm|mathbf|textbf|operatorname|rm)\b\s*")
"""Matches "\\text" in front of a unit; not "\\textstyle"."""
_NUMBER = re.compile(
    # Matches "-3.2", "1,234.5", ".5", "2e-3", "3 * 10^{-5}", "7/2" and "\frac{7}{2}"; not "1,5".
    r"([+-]?)\s*(?:\\d?frac\s*\{\s*(\d{1,30})\s*\}\s*\{\s*(\d{1,30})\s*\}"
    r"|(\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d{1,30})?|\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE]([+-]?\d{1,3})(?!\d))?"
    r"(?:\s*\*\s*10\s*\^\s*\{?\s*([+-]?\s*\d{1,3})\s*\}?)?(?:\s*/\s*(\d{1,30}(?:\.\d{1,30})?)(?!\d))?)"
)
_POWER = re.compile(r"\^\s*\{?\s*[+-]?\d\s*\}?|⁻[¹²³]|\blog\s*_?\s*\{?10\}?")
"""Matches the powers of a unit and the base of a logarithm: "^{-1}", "log_{10}"; not "^{12}"."""
_NAMED = re.compile(r".*[=≈:](?!\s*$)", re.DOTALL)
"""Matches the name in front of a value: "log S =", "x ≈"; not "-3.2"."""
_REMARK = re.compile(r"\([^()]{0,100}\)")
"""Matches a remark: "(log mol/L)"; not "(-3.2" without its end."""
_DOUBT = re.compile(
    r"\b(?:to|or|and|between|not|from|than|least|most|if|unless)\b|[%<>≤≥]|\.\.|…", re.IGNORECASE
)
"""Matches what makes more than one number of an answer, or another one: "or", "to", "<"; not "tonne"."""
_STATED = re.compile(
    # Matches "is about -3.2 kcal/mol." at the end of a line; not "uses 3 steps and".
    r"(?:\bis|\bof|=|≈|:|\bapproximately|\babout|\broughly)\s*"
    r"(?:(?:about|approximately|roughly|around|estimated\s+at|≈|~)\s*)?([+-]?\s?[\d.][^=≈:]{0,60})$"
)


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade one response.

    Args:
        question: ``gold`` is the right number. ``metadata`` may hold ``tolerance`` (the largest error of a right
            answer), ``min`` and ``max`` (a number outside is no reading of this quantity) and ``units`` (a factor for
            each other unit that an answer may name).
        text: The response after its reasoning.
        truncated: Whether the engine stopped at its token limit.

    Raises:
        DataError: If the gold is no finite number.
    """
    gold = number_of(question.gold)
    if gold is None:
        raise DataError(
            f"expected a finite number as gold of {question.id!r:.100}, got {question.gold!r:.100}"
        )
    answer = find_answer(text, truncated, _stated)
    if answer.text is None:
        return Grade.of(Outcome.TRUNCATED if answer.cut or truncated else Outcome.NO_ANSWER)
    reading = read(answer.text, question.metadata.get("units") or {})
    low, high = question.metadata.get("min", -_LARGEST), question.metadata.get("max", _LARGEST)
    if reading is None or not low <= reading <= high:
        reason = "no plain number in the answer" if reading is None else f"outside of {low} to {high}"
        return Grade.of(Outcome.NO_ANSWER, reason=reason)
    residual = reading - gold
    outcome = Outcome.CORRECT if within_tolerance(question, reading) else Outcome.WRONG
    return Grade.of(outcome, f"{reading:.10g}", reading=reading, residual=residual)


def within_tolerance(question: Question, reading: float) -> bool:
    """Return whether a number is as near to the gold as the question asks for.

    >>> near = Question(task="t", id="1", messages=(), gold="-0.77", metadata={"tolerance": 0.5})
    >>> within_tolerance(near, -0.3), within_tolerance(near, 0.3)
    (True, False)
    """
    return abs(reading - float(question.gold)) <= float(question.metadata.get("tolerance", 0.0)) + 1e-9


def number_of(value: Json) -> float | None:
    """Return a gold as a finite number, or None if it is none.

    >>> number_of("-0.77"), number_of("about 3")
    (-0.77, None)
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def read(answer: str, units: Mapping[str, float] | None = None) -> float | None:
    r"""Return the one number that an answer gives; None if it gives none, several, or a range.

    A name in front, an uncertainty behind (``±``), a remark in parentheses and a unit are taken away. If the unit is
    one of ``units``, the number is multiplied by its factor.

    >>> read(r"\log S \approx -3.2 \pm 0.4"), read("1,234.5"), read(r"3.1 \times 10^{-2}")
    (-3.2, 1234.5, 0.031)
    >>> read("-3 to -4"), read("-3.2 or so"), read("unknown")
    (None, None, None)
    >>> read(r"-12.6\ \text{kJ/mol}", {"kJ/mol": 0.25})
    -3.15
    """
    text = answer.strip()
    if len(text) > _LONGEST:
        return None
    text = _TEXT.sub(" ", _SPACE.sub(" ", text))
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    value, _, uncertainty = text.partition("±")
    value = _NAMED.sub("", value).strip()
    found = _NUMBER.match(value.removeprefix("{"))
    if found is None:
        return None
    rest = _REMARK.sub(" ", value.removeprefix("{")[found.end() :])
    unit = "".join((rest or uncertainty).split()).strip("{}.()")
    goes_on = rest.lstrip().startswith(("-", "+", "*", "/", "^", ","))
    if goes_on or _DOUBT.search(rest) or any(mark.isdigit() for mark in _POWER.sub("", rest)):
        return None
    number = _value(found)
    factor = next(
        (by for name, by in (units or {}).items() if unit.casefold().startswith(name.casefold())), 1.0
    )
    return number * factor if number is not None and math.isfinite(number * factor) else None


def _value(found: re.Match[str]) -> float | None:
    sign, top, bottom, plain, exponent, power, below = found.groups()
    if top is not None:
        size = int(top) / int(bottom) if int(bottom) else math.nan
    else:
        tens = int(exponent or 0) + int((power or "0").replace(" ", ""))
        size = float(f"{plain.replace(',', '')}e{tens}")
        if below is not None:
            size = size / float(below) if float(below) else math.nan
    return None if not math.isfinite(size) else -size if sign == "-" else size


def _stated(text: str) -> str | None:
    """Return a number that the response states without a box; an estimate may be called one ("about -3.2")."""
    value = stated_value(text)
    if value:
        return value
    lines = [line.strip() for line in text[-_LINE:].splitlines() if line.strip()]
    found = _STATED.search(lines[-1].rstrip(" .*$")) if lines else None
    return found[1] if found else None
