"""Read one leaf of an answer: its unit, percent or degree sign, number base, or that it is a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_CIRC = r"^{\circ}"
_TRIG = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)")
_TEXT_UNIT = re.compile(
    r"\s*(?P<per>/|\\cdot)?\s*\\text\s*\{(?P<unit>[^{}\d\\$]*)\}\s*(?:\^\s*(?:\{\s*(?P<braced>-?\d)\s*\}|(?P<power>\d)))?$"
)
_PLAIN_UNIT = re.compile(
    r"(?<=[\d})])\s+(?P<unit>(?:[a-zA-Z]{2,}|[a-zA-Z](?=/))(?:[ /-][a-zA-Z]+)*)(?:\^\s*\{?(?P<power>[23])\}?)?$"
)
_GLUED_UNIT = re.compile(
    r"(?<=\d)\s*(?P<unit>mm|cm|km|kg|ft|mph|cm|sq|min|sec)(?:\^\s*\{?(?P<power>[23])\}?)?$"
)
_PERCENT = re.compile(r"\s*(?:%|\\text\s*\{\s*(?:percent|per cent|pct)\s*\}|(?<=[\d}) ])(?:percent|pct))$")
_NOT_A_UNIT = re.compile(
    r"\b(?:if|for|when|where|mod|not|otherwise|base|and|or|is|times|minus|plus|over|no|nor|with|some|all|pi|least|most"
    r"|more|less|half|halves|thirds?|fourths?|quarters?|fifths?|factorial|choose|divided|multiplied|to)\b"
    r"|^(?:squared|cubed)\b"
)
_SCALES = {"dozen": "12", "hundred": "10^{2}", "thousand": "10^{3}", "million": "10^{6}", "billion": "10^{9}",
           "trillion": "10^{12}"}  # fmt: skip
_BASE = re.compile(
    r"(?:\\text\s*|(?=[\d({A-Z]))[({]?\s*(?P<digits>[0-9a-zA-Z]+(?:\.[0-9a-zA-Z]+)?)\s*[)}]?"
    r"(?:\s*_\s*(?:\{\s*(?:\\text\s*\{)?\s*\(?\s*(?P<base>-?\w+)\s*\)?\s*\}?\s*\}|(?P<digit>\d))"
    r"|\s*(?:\\text\s*\{)?\s*\(?\s*(?:in\s+)?base[\s~-]*\}?\s*(?P<said>\w+)\s*\)?\s*\}?)"
)
_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
          "ten": "10", "twelve": "12", "sixteen": "16"}  # fmt: skip
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_PHRASE = re.compile(r"[^\W\d_][^\W\d_ .,'’()/-]*(?:[ .,'’()/-]+[^\W\d_]*)*")
_ALIASES = {
    "mm": "mm", "millimeter": "mm", "millimetre": "mm", "cm": "cm", "centimeter": "cm", "centimetre": "cm",
    "m": "m", "meter": "m", "metre": "m", "km": "km", "kilometer": "km", "kilometre": "km", "in": "in",
    "inch": "in", "inche": "in", "ft": "ft", "feet": "ft", "foot": "ft", "yd": "yd", "yard": "yd",
    "mile": "mile",
    "mi": "mile", "g": "g", "gram": "g", "kg": "kg", "kilogram": "kg", "s": "s", "sec": "s", "second": "s",
    "min": "min", "minute": "min", "h": "h", "hr": "h", "hour": "h", "day": "day", "week": "week",
    "year": "year", "cent": "cent", "dollar": "dollar", "ev": "ev", "kev": "kev", "mev": "mev", "gev": "gev",
    "tev": "tev", "hz": "hz", "khz": "khz", "mhz": "mhz", "ghz": "ghz", "nm": "nm", "pm": "pm", "pa": "pa",
    "kpa": "kpa", "atm": "atm", "ml": "ml", "kj": "kj", "mol": "mol", "kcal": "kcal",
}  # fmt: skip
_SHORT_UNITS = frozenset(_ALIASES) | {
    "lb",
    "oz",
    "mph",
    "sq",
    "men",
    "ways",
    "way",
    "deg",
    "rad",
    "cats",
    "MB",
    "GB",
    "units",
    "eV",
    "keV",
    "MeV",
    "GeV",
    "TeV",
    "Hz",
    "kHz",
    "MHz",
    "GHz",
    "Pa",
    "kPa",
    "mL",
    "kJ",
}
_NOTHING = re.compile(
    r"(?:there\s+(?:is|are|exists?)\s+)?no\s+(?:such\s+|real\s+|integer\s+|positive\s+|valid\s+)*"
    r"(?:solutions?|numbers?|integers?|values?|functions?|\w)(?:\s+exists?)?"
    r"|none|(?:the\s+)?empty\s+set|does\s+not\s+exist|dne",
    re.IGNORECASE,
)
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
    unit: str = ""
    """"%", "deg", or a unit as written, plural and powers reduced; empty where there is none."""
    base: str = ""
    """The number base of "4210_5"."""
    is_words: bool = False


@lru_cache(maxsize=8192)
def read(text: str) -> Leaf:
    """``text`` as a leaf."""
    core = text.strip()
    core = re.sub(r"^\\text\s*\{\s*\}\s*|\s*\\text\s*\{\s*\}$", "", core)
    based = _based(core)
    if based is not None:
        return based
    words = _words(core)
    if words in _NUMBERS:
        return Leaf(str(_NUMBERS.index(words)))
    if words is not None:
        return Leaf(words, is_words=True)
    percent = _PERCENT.search(core)
    if percent and percent.start() > 0:
        return Leaf(core[: percent.start()].strip(), "%")
    core, unit = _strip_units(core)
    if _CIRC in core:
        if _TRIG.search(core):
            core = re.sub(r"(\d+(?:\.\d+)?)\s*\^\{\\circ\}", r"(\1\\cdot\\frac{\\pi}{180})", core)
        else:
            core, unit = core.replace(_CIRC, " ").strip(), "deg"
    return Leaf(core, unit)


def _based(text: str) -> Leaf | None:
    """``text`` as a number in a base."""
    found = _BASE.fullmatch(text)
    if found is None:
        return None
    base = found["base"] or found["digit"] or found["said"]
    base = _BASES.get(base, base)
    digits = found["digits"]
    if not re.fullmatch(r"-?\d+", base) or not (digits[0].isdigit() or (len(digits) > 1 and int(base) > 10)):
        return None
    return Leaf(digits, base=base)


def _words(text: str) -> str | None:
    """``text`` in lower case if it is a word or a phrase rather than mathematics."""
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


def _strip_units(core: str) -> tuple[str, str]:
    units: list[str] = []
    for _ in range(4):
        found = _TEXT_UNIT.search(core) or _PLAIN_UNIT.search(core) or _GLUED_UNIT.search(core)
        if found is None or found.start() == 0:
            break
        name = found["unit"].strip().rstrip(".")
        scale = name.partition(" ")[0].casefold()
        if scale in _SCALES:
            return rf"{core[: found.start()].strip()}\cdot {_SCALES[scale]}", ""
        plain = found.re is not _TEXT_UNIT
        if _NOT_A_UNIT.search(name) or (plain and not _is_plain_unit(name)):
            break
        groups = found.groupdict()
        power = groups.get("braced") or groups.get("power") or ""
        if name:
            units.append(("/" if groups.get("per") == "/" else "") + _reduced(name) + power)
        core = core[: found.start()].strip().removesuffix(r"\cdot").removesuffix("-").strip()
    return core, " ".join(reversed(units))


def _is_plain_unit(name: str) -> bool:
    words = re.split(r"[ /-]", name)
    return all(word in _SHORT_UNITS or len(word) >= 4 for word in words if word != "per")


def _reduced(name: str) -> str:
    singular = name if len(name) <= 2 else name.removesuffix("s")
    return _ALIASES.get(singular.casefold(), singular.casefold())


def units_clash(gold: str, given: str) -> bool:
    """Whether two units begin with well known ones that differ: "5 m" is not "5 cm". Unknown ones never clash."""
    first, second = (re.split(r"[^a-z]", unit, maxsplit=1)[0] for unit in (gold, given))
    known = {*_ALIASES.values(), "deg"}
    return first in known and second in known and first != second
