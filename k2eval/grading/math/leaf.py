"""Read one leaf of an answer: its unit, percent or degree sign, number base, or that it is a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from k2eval.grading.math import units
from k2eval.grading.math.units import Unit

_CIRC = r"^{\circ}"
# Matches "\sin", "\arctan"; not "\ln".
_TRIG = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)")
_TEXT_UNIT = re.compile(
    r"\s*(?P<per>/|\\cdot)?\s*\\text\s*\{(?P<unit>(?:[^{}\d\\$]|\\cdot|\^\s*+(?:\{\s*+-?\d\s*+\}|-?\d))*)\}"
    r"\s*(?P<power>\^\s*(?:\{\s*-?\d\s*\}|\d))?$"
)
r"""Matches what ends "5 \text{ cm}^2", "3 \text{ft} / \text{s}", "9 \text{m^{2}}" / not "\text{room 5}"."""
_PLAIN_UNIT = re.compile(
    r"(?:(?<=[\d})])|(?<=\\pi))\s+(?P<unit>(?:[a-zA-Z]{2,}|[a-zA-Z](?=/)|¢)\.?(?:[ /-][a-zA-Z]+\.?)*)"
    r"(?P<power>\^\s*\{?\s*[23]\s*\}?)?$"
)
r"""Matches what ends "12 cm", "12 km/h", "2\pi cm^2" / not "12k", "x cm"."""
_GLUED_UNIT = re.compile(r"(?<=\d)\s*(?P<unit>[a-zA-Z]{2,}|¢)(?P<power>\^\s*\{?\s*[23]\s*\}?)?$")
r"""Matches what ends "12cm^2", "12dollars", "5¢" / not "12k"; only words of the table of units count."""
_TEMPERATURE = re.compile(
    r"\s*(?:\^\{\\circ\})?\s*(?:\\text\s*\{\s*(?P<text>[CF]|Celsius|Fahrenheit)\s*\}|(?P<plain>[CF]|Celsius|Fahrenheit))$"
)
r"""Matches what ends "25^{\circ}\text{C}", "25^{\circ}F"; without a degree sign, a letter needs its \text."""
_HOUR = re.compile(r"(?<=\d)\s*([apAP])\.\s?[mM]\.?$")
"""Matches what ends "5:00 p.m.", "8 A.M" / not "8 am"."""
_MINUTES = re.compile(
    r"(-?\d+)\s*\^\{\\circ\}\s*(\d+)\s*(?:'|\^\s*\{?\s*\\prime\s*\}?|′)\s*(?:(\d+(?:\.\d+)?)\s*(?:''|\"|″|\^\s*\{\s*\\prime\s*\\prime\s*\}))?"
)
r"""Matches degrees, minutes and seconds of arc: "22^{\circ} 30'" / not "30'"."""
_PART = re.compile(r"(?<![\w.])(\d{1,9}(?:\.\d{1,9})?)\s*([a-zA-Z]{1,12})\.?(?![\w^])\s*,?")
"""Matches "5 hours" in "5 hours 30 minutes" / not "cm^2"."""
# Matches what ends "5%", "5 \text{ percent}", "5 pct"; not "percentage".
_PERCENT = re.compile(r"\s*(?:%|\\text\s*\{\s*(?:percent|per cent|pct)\s*\}|(?<=[\d}) ])(?:percent|pct))$")
# Matches a word that changes the number before it: "thirds", "or more"; not "metres".
_NOT_A_UNIT = re.compile(
    r"\b(?:approx\w*|maybe|perhaps|probably|possibly|bound|extraneous|rejected|discarded|incorrect|wrong|invalid|impossible|about|nearly|roughly|almost|remainder|if|for|when|where|mod|not|otherwise|base|and|or|is|times|minus|plus|over|no|nor|with|some|all|pi|least|most"
    r"|more|less|half|halves|thirds?|fourths?|quarters?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|twelfths?|hundredths?|thousandths?|millionths?|factorial|choose|divided|multiplied|to)\b"
    r"|^(?:squared|cubed)\b"
)
_SCALES = {"dozen": "12", "hundred": "10^{2}", "thousand": "10^{3}", "million": "10^{6}", "billion": "10^{9}",
           "trillion": "10^{12}"}  # fmt: skip
# Matches "101_2", "\text{1A}_{16}", "12 base seven"; not "x_1".
_BASE = re.compile(
    r"(?:\\text\s*|(?=[\d({A-Z]))[({]?\s*(?P<digits>[0-9a-zA-Z]+(?:\.[0-9a-zA-Z]+)?)\s*+[)}]?"
    r"(?:\s*+_\s*+(?:\{\s*(?:\\text\s*\{)?\s*\(?\s*(?P<base>-?\w+)\s*\)?\s*\}?\s*\}|(?P<digit>\d))"
    r"|\s*+(?:\\text\s*+\{)?\s*+\(?\s*+(?:in\s++)?base[\s~-]*+\}?\s*+(?P<said>\w+)\s*\)?\s*\}?)"
)
_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
          "ten": "10", "twelve": "12", "sixteen": "16"}  # fmt: skip
# Matches "\text{cm}"; not "\text{a_{1}}".
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
# Matches words alone: "an ellipse", "A. B."; not "2 cm".
_PHRASE = re.compile(r"[^\W\d_]++(?:[ .,'’()/-]++[^\W\d_]*+)*+")
_SHORT_WORDS = frozenset({"sq", "men", "ways", "way", "cats", "MB", "GB", "units", "unit"})
# Matches "no real solutions", "DNE", "empty set"; not "no more than 2".
_NOTHING = re.compile(
    r"(?:there\s+(?:is|are|exists?)\s+)?no\s+(?:such\s+|real\s+|integer\s+|positive\s+|valid\s+)*"
    r"(?:solutions?|numbers?|integers?|values?|functions?|\w)(?:\s+exists?)?"
    r"|none|(?:the\s+)?empty\s+set|does\s+not\s+exist|dne",
    re.IGNORECASE,
)
# Matches "all reals" and "the set of all real numbers"; not "real".
_REALS = re.compile(
    r"(?:the\s+set\s+of\s+)?all\s+real(?:s|\s+numbers)|(?:the\s+)?real\s+numbers", re.IGNORECASE
)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
            "twelve")  # fmt: skip
NOTHING = r"\emptyset"
REALS = r"\mathbb{R}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf, its mathematics told from what surrounds it."""

    core: str
    """The mathematics, or the words."""
    unit: Unit = units.NONE
    """The unit of the number; `units.PERCENT` for the percent sign, `units.DEGREE` for degrees."""
    base: str = ""
    """The number base of "4210_5"."""
    is_words: bool = False


@lru_cache(maxsize=8192)
def read(text: str) -> Leaf:
    """Read ``text`` as a leaf."""
    core = text.strip()
    core = re.sub(r"^\\text\s*\{\s*\}\s*|\s*\\text\s*\{\s*\}$", "", core)
    core = _HOUR.sub(r"\\text{ \1m}", core)
    based = _based(core)
    if based is not None:
        return based
    parts = _in_parts(core)
    if parts is not None:
        return parts
    words = _words(core)
    if words in _NUMBERS:
        return Leaf(str(_NUMBERS.index(words)))
    if words is not None:
        return Leaf(words, is_words=True)
    percent = _PERCENT.search(core)
    if percent and percent.start() > 0:
        return Leaf(core[: percent.start()].strip(), units.PERCENT)
    core, unit = _angle_or_temperature(core) or _strip_units(core)
    if _CIRC in core:
        if _TRIG.search(core):
            core = re.sub(r"(\d+(?:\.\d+)?)\s*\^\{\\circ\}", r"(\1\\cdot\\frac{\\pi}{180})", core)
        else:
            core, unit = core.replace(_CIRC, " ").strip(), units.DEGREE
    return Leaf(core, unit)


def _in_parts(text: str) -> Leaf | None:
    """Return "5 hours 30 minutes" as minutes; None if ``text`` is no sum of falling units of one dimension."""
    parts = _PART.findall(_TEXT.sub(r" \1 ", text))
    if not 2 <= len(parts) <= 4 or _PART.sub("", _TEXT.sub(r" \1 ", text)).strip():
        return None
    known = [units.read(name) for _, name in parts]
    factors = [unit.factor for unit in known]
    if not all(unit.is_known for unit in known) or len({unit.dimension for unit in known}) > 1:
        return None
    if factors != sorted(factors, reverse=True) or len(set(factors)) < len(factors):
        return None
    total = sum(
        (Fraction(number) * factor for (number, _), factor in zip(parts, factors, strict=True)), Fraction(0)
    )
    total /= factors[-1]
    return Leaf(rf"\frac{{{total.numerator}}}{{{total.denominator}}}", known[-1])


def _angle_or_temperature(core: str) -> tuple[str, Unit] | None:
    """Return degrees with minutes as one number, or a temperature with its scale."""
    minutes = _MINUTES.fullmatch(core)
    if minutes:
        size = Fraction(minutes[2]) / 60 + Fraction(minutes[3] or 0) / 3600
        degrees = int(minutes[1]) + (-size if minutes[1].startswith("-") else size)
        return rf"\frac{{{degrees.numerator}}}{{{degrees.denominator}}}", units.DEGREE
    scale = _TEMPERATURE.search(core)
    if scale is None or scale.start() == 0 or (scale["plain"] and _CIRC not in scale[0]):
        return None
    name = "celsius" if (scale["text"] or scale["plain"]).startswith("C") else "fahrenheit"
    return core[: scale.start()].strip(), units.read(name)


def _based(text: str) -> Leaf | None:
    """Read ``text`` as a number in a base; return None if it is none."""
    match = _BASE.fullmatch(text)
    if match is None:
        return None
    base = match["base"] or match["digit"] or match["said"]
    base = _BASES.get(base, base)
    digits = match["digits"]
    if not re.fullmatch(r"-?\d+", base) or not (digits[0].isdigit() or (len(digits) > 1 and int(base) > 10)):
        return None
    return Leaf(digits, base=base)


def _words(text: str) -> str | None:
    """Return ``text`` in lower case if it is a word or a phrase rather than mathematics; else None."""
    plain = _TEXT.sub(r" \1 ", text)
    plain = re.sub(r"[\s~]+", " ", plain).strip()
    if plain == NOTHING or _NOTHING.fullmatch(plain.rstrip(".")):
        return NOTHING
    if plain == REALS or _REALS.fullmatch(plain.rstrip(".")):
        return REALS
    bare = plain.strip("().' ")
    if not bare or not _PHRASE.fullmatch(bare) or "\\" in bare:
        return None
    if len(bare) == 1:
        return bare if r"\text" in text else None
    longest = max(len(word) for word in re.split(r"\W+", bare))
    if r"\text" in text or longest >= 4 or bare.casefold() in ("yes", "no"):
        return re.sub(r"\W+", " ", bare).strip().casefold()
    return None


def _strip_units(core: str) -> tuple[str, Unit]:
    """Return ``core`` without the units at its end, and these as one."""
    pieces: list[str] = []
    scales: list[str] = []
    for _ in range(6):
        match = _TEXT_UNIT.search(core) or _PLAIN_UNIT.search(core) or _GLUED_UNIT.search(core)
        if match is None or match.start() == 0:
            break
        name = match["unit"].strip().rstrip(".")
        scale = name.partition(" ")[0].casefold()
        if scale in _SCALES:
            scales.append(_SCALES[scale])
            core, name = core[: match.start()].strip(), name.partition(" ")[2]
            pieces.append(name)
            continue
        if _NOT_A_UNIT.search(name) or not _may_be_plain(match, name):
            break
        per = "/" if match.groupdict().get("per") == "/" else " "
        if name:
            pieces.append(per + name + (match["power"] or ""))
        core = core[: match.start()].strip().removesuffix(r"\cdot").removesuffix("-").strip()
    number = r"\cdot ".join([core, *scales])
    return number, units.read(" ".join(reversed(pieces)).strip()) if any(pieces) else units.NONE


def _may_be_plain(match: re.Match[str], name: str) -> bool:
    """Return whether words without markup may be a unit: known ones, or long ones that stand apart."""
    if match.re is _TEXT_UNIT:
        return len(name) != 1 or units.read(name).is_known
    words = [word for word in re.split(r"[ ./-]+", name) if word and word != "per"]
    if match.re is _GLUED_UNIT:
        return all(units.is_name(word) for word in words)
    return (
        all(units.is_name(word) or word in _SHORT_WORDS or len(word) >= 4 for word in words)
        or name == "¢"
        or "/" in name
    )
