"""The grader of numeric answers: read one number, and measure how far it is from the right one.

A verdict's score is 1 if the error is within the question's tolerance, else 0. Its detail keeps the ``reading`` and the
``residual`` (reading minus gold), from which tables compute MAE, RMSE and rank correlation. An answer without one
plain number has no reading: its outcome is ``no_answer``, and it is in the parse rate and not in the errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from k2eval.errors import DataError
from k2eval.grading.answer import find_answer
from k2eval.grading.value import stated_value
from k2eval.records import Grade, Json, Outcome, Question

VERSION = 3
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
_NAMED = re.compile(r"[=≈:](?!\s*$)")
"""Matches what ends a name in front of a value: "=" in "log S = 2"; not ":" in "2:"."""
_BOUND = re.compile(r"[<>!]\s*=|[≤≥≠]|\\(?:leq?|geq?|neq?)\b|\d\s*:\s*\d")
"""Matches a bound, a denial or a ratio: ">= 3", "≠ 3", "3:2"; not "= 3"."""
_REMARK = re.compile(r"(?<!^)\([^()]{0,100}\)")
"""Matches a remark: "(log mol/L)"; not "(-3.2" without its end, nor a value in parentheses."""
_OTHER = re.compile(r"\(\s*(?:or|not|and)\b", re.IGNORECASE)
"""Matches a remark that gives another value: "(or -4)"; not "(log units)"."""
_IN_UNITS = re.compile(r"[^\W\d]+(?:/|[·.^⁻{-]).{1,20}")
"""Matches a remark that is a unit: "kJ/mol"; not "estimated" or "-12.6kJ/mol"."""
_ASIDE = re.compile(r"[,;]|\b(?:at|for|in|if|with|when|where|while|and|as|per\s+cent|pH|T)\b")
"""Matches what follows a value that was given before a condition: "at pH"; not "kJ/mol"."""
_FACTOR = re.compile(
    r"\s*(?:!|\\?pi\b|π|√|\\sqrt|\\ln\b|\\log\b|(?:hundred|thousand|million|billion|trillion|dozen|percent|per\s+cent)s?\b)"
    r"|[exyzn](?![A-Za-z])",
    re.IGNORECASE,
)
"""Matches what makes another number of the one before it: "!", "π", " million", "x"; not " mol"."""
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
            answer), ``min`` and ``max`` (a number outside is no reading of this quantity), ``units`` (a factor for each
            other unit that an answer may name) and ``unit`` (names of the unit that is asked for).
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
    reading = read(
        answer.joined or answer.text,
        question.metadata.get("units") or {},
        question.metadata.get("unit") or (),
    )
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


def read(answer: str, units: Mapping[str, float] | None = None, asked: Sequence[str] = ()) -> float | None:
    r"""Return the one number that an answer gives; None if it gives none, several, a bound, or a range.

    A name in front, an uncertainty behind (``±``), a remark in parentheses and a unit are taken away. If the unit is
    one of ``units``, the number is multiplied by its factor. If ``asked`` names the unit that is asked for, a number
    with a unit that is in neither is none.

    >>> read(r"\log S \approx -3.2 \pm 0.4"), read("1,234.5"), read(r"3.1 \times 10^{-2}")
    (-3.2, 1234.5, 0.031)
    >>> read("-3 to -4"), read("-3.2 or so"), read("unknown")
    (None, None, None)
    >>> read(r"-12.6\ \text{kJ/mol}", {"kJ/mol": 0.25}), read("2.1 (at pH = 7.4)"), read("2.1 at pH = 7.4")
    (-3.15, 2.1, None)
    >>> read("-3 log mol/L", asked=["log"]), read("-3", asked=["log"]), read("0.001 mol/L", asked=["log"])
    (-3.0, -3.0, None)
    """
    text = answer.strip()
    if len(text) > _LONGEST:
        return None
    text = _TEXT.sub(" ", _SPACE.sub(" ", text))
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    if _BOUND.search(text) or _OTHER.search(text):
        return None
    remarks = ["".join(remark[0].split()).strip("()") for remark in _REMARK.finditer(text)]
    value, _, uncertainty = _REMARK.sub(" ", text).partition("±")
    *names, value = _NAMED.split(value)
    if any(_is_apart(name.strip()) for name in names):
        return None
    value = value.strip().removeprefix("{")
    found = _NUMBER.match(value)
    if found is None:
        return None
    rest = value[found.end() :]
    behind = (
        "".join((rest if rest.strip(" {}.") else uncertainty).split()).lstrip(".0123456789").strip("{}.()*\\")
    )
    unit = behind or next(filter(_IN_UNITS.fullmatch, remarks), "")
    goes_on = rest.lstrip().startswith(("-", "+", "*", "/", "^", ",")) or _FACTOR.match(rest)
    if goes_on or _DOUBT.search(rest) or any(mark.isdigit() for mark in _POWER.sub("", rest)):
        return None
    factor = _factor(unit.casefold(), units or {}, asked)
    number = _value(found)
    return number * factor if number is not None and math.isfinite(number * factor) else None


def _is_apart(name: str) -> bool:
    """Return whether text in front of a mark is no name or equal value, but a value with a condition: "2.5 at pH"."""
    found = _NUMBER.match(name)
    return found is not None and _ASIDE.search(name, found.end()) is not None


def _factor(unit: str, units: Mapping[str, float], asked: Sequence[str]) -> float:
    """Return what a number in this unit is multiplied by; NaN if another unit is asked for."""
    for name, by in units.items():
        if unit.startswith(name.casefold()):
            return by
    known = not asked or not unit or any(unit.startswith(name.casefold()) for name in asked)
    return 1.0 if known else math.nan


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
