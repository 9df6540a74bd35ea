r"""Read units of measurement as products of powers, and compare quantities that are written in them.

"km/h", "kilometers per hour", "km h^{-1}" and "kph" are one unit; "cm^2" and "square centimeters" another. Two known
units of one dimension are converted, exactly: 1620 mm^2 are 16.2 cm^2. Of two dimensions, quantities differ. A word
that is no known unit ("apples", "ways") says nothing.

    >>> read("km per hour").factor == read("km/h").factor
    True
    >>> read("cm^{2}").dimension == read("square centimeters").dimension
    True
    >>> read("cm^{3}").dimension == read("cm").dimension
    False
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit behind a number."""

    text: str
    """The unit as written, reduced to words, powers and strokes."""
    dimension: Dimension = ()
    """Powers of base units in the order of their names."""
    factor: Fraction = Fraction(1)
    """The unit in base units; for degrees, turns and radians see `Unit.is_angle`."""
    is_known: bool = False
    """Whether the table has all parts of the unit."""

    @property
    def is_angle(self) -> bool:
        """Whether the unit is degrees, minutes of arc or radians."""
        return self.is_known and self.dimension in ((("degree", 1),), (("radian", 1),))


NONE = Unit("")
PERCENT = Unit("%")
DEGREE = Unit("degree", (("degree", 1),), Fraction(1), True)

_LENGTH, _MASS, _TIME = "metre", "kilogram", "second"


def _table() -> dict[str, tuple[Fraction, dict[str, int]]]:
    """Return what each name stands for: a factor and powers of base units."""
    table: dict[str, tuple[Fraction, dict[str, int]]] = {}

    def add(names: str, factor: Fraction | int | str, **powers: int) -> None:
        for name in names.split():
            table[name] = (Fraction(factor), powers)

    def metric(short: str, long: str, factor: Fraction | int | str, prefixes: str, **powers: int) -> None:
        add(f"{short} {long}", factor, **powers)
        for prefix in prefixes.split():
            word, power = _PREFIXES[prefix]
            add(f"{prefix}{short} " + " ".join(word + name for name in long.split()),
                Fraction(factor) * Fraction(10) ** power, **powers)  # fmt: skip

    metric("m", "meter metre", 1, "n u m c d k", metre=1)
    add("in inch inche", "0.0254", metre=1)
    add("ft foot feet", "0.3048", metre=1)
    add("yd yard", "0.9144", metre=1)
    add("mi mile", "1609.344", metre=1)
    add("au", 149597870700, metre=1)
    add("furlong", "201.168", metre=1)
    add("fathom", "1.8288", metre=1)
    add("lightyear", 9460730472580800, metre=1)
    add("angstrom", Fraction(1, 10**10), metre=1)
    add("micron", Fraction(1, 10**6), metre=1)
    metric("g", "gram gramme", Fraction(1, 1000), "u m k", kilogram=1)
    add("tonne", 1000, kilogram=1)
    add("shortton", "907.18474", kilogram=1)
    add("stone", "6.35029318", kilogram=1)
    add("lb", "0.45359237", kilogram=1)
    add("oz ounce", "0.028349523125", kilogram=1)
    metric("s", "second", 1, "n u m", second=1)
    add("sec", 1, second=1)
    add("min minute", 60, second=1)
    add("h hr hour", 3600, second=1)
    add("d day", 86400, second=1)
    add("week", 604800, second=1)
    add("fortnight", 1209600, second=1)
    add("month", 1, month=1)
    add("yr year", 12, month=1)
    add("decade", 120, month=1)
    add("century centurie", 1200, month=1)
    metric("L", "liter litre", Fraction(1, 1000), "m c d", metre=3)
    add("l", Fraction(1, 1000), metre=3)
    add("ml", Fraction(1, 10**6), metre=3)
    add("ha hectare", 10_000, metre=2)
    add("acre", "4046.8564224", metre=2)
    add("gal gallon", "0.003785411784", metre=3)
    add("quart", "0.000946352946", metre=3)
    add("pint", "0.000473176473", metre=3)
    add("knot", Fraction(463, 900), metre=1, second=-1)
    add("mph", "0.44704", metre=1, second=-1)
    add("kph kmh kmph", Fraction(5, 18), metre=1, second=-1)
    add("rpm", Fraction(1, 60), turn=1, second=-1)
    add("turn revolution rev", 1, turn=1)
    metric("N", "newton", 1, "k M", kilogram=1, metre=1, second=-2)
    metric("J", "joule", 1, "m k M", kilogram=1, metre=2, second=-2)
    metric("W", "watt", 1, "m k M", kilogram=1, metre=2, second=-3)
    metric("Pa", "pascal", 1, "k M", kilogram=1, metre=-1, second=-2)
    metric("Hz", "hertz", 1, "k M G", second=-1)
    metric("V", "volt", 1, "m k", kilogram=1, metre=2, second=-3, ampere=-1)
    metric("A", "ampere amp", 1, "m", ampere=1)
    metric("Wh", "watthour", 3600, "k M", kilogram=1, metre=2, second=-2)
    add("ohm", 1, kilogram=1, metre=2, second=-3, ampere=-2)
    metric("tesla", "tesla", 1, "m", kilogram=1, second=-2, ampere=-1)
    add("bar", 100000, kilogram=1, metre=-1, second=-2)
    add("horsepower", "745.69987158227", kilogram=1, metre=2, second=-3)
    metric("eV", "electronvolt", 1, "k M G T", electronvolt=1)
    metric("mol", "mole", 1, "m k", mole=1)
    add("atm atmosphere", 101325, kilogram=1, metre=-1, second=-2)
    metric("cal", "calorie", "4.184", "k", kilogram=1, metre=2, second=-2)
    add("degree deg", 1, degree=1)
    add("arcmin", Fraction(1, 60), degree=1)
    add("rad radian", 1, radian=1)
    add("celsius", 1, celsius=1)
    add("fahrenheit", 1, fahrenheit=1)
    add("K kelvin", 1, kelvin=1)
    add("C coulomb", 1, ampere=1, second=1)
    add("dollar usd", 1, dollar=1)
    add("cent ¢", Fraction(1, 100), dollar=1)
    add("euro eur", 1, euro=1)
    add("gbp quid", 1, sterling=1)
    add("pence", Fraction(1, 100), sterling=1)
    add("penny pennie", Fraction(1, 100), dollar=1)
    add("peso", 1, peso=1)
    add("ruble rouble", 1, ruble=1)
    add("franc", 1, franc=1)
    add("yuan rmb cny", 1, yuan=1)
    add("yen jpy", 1, yen=1)
    add("rupee inr", 1, rupee=1)
    add("am", 1, morning=1)
    add("pm", 1, afternoon=1)
    metric("bit", "bit", 1, "k M G T", bit=1)
    metric("byte", "byte", 8, "k M G T", bit=1)
    for short, power in (("KB", 3), ("kB", 3), ("MB", 6), ("GB", 9), ("TB", 12)):
        add(short, 8 * 10**power, bit=1)
    return table


_PREFIXES = {"n": ("nano", -9), "u": ("micro", -6), "m": ("milli", -3), "c": ("centi", -2), "d": ("deci", -1),
             "k": ("kilo", 3), "M": ("mega", 6), "G": ("giga", 9), "T": ("tera", 12)}  # fmt: skip
_TABLE = _table()
_FOLDED = {name.casefold(): entry for name, entry in sorted(_TABLE.items(), reverse=True) if len(name) > 2}
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
_TEMPERATURES = frozenset({"celsius", "fahrenheit", "kelvin"})
_COUNTED = frozenset({"unit"})
"""Words for a length, or anything else, that is not named: only their power can clash."""
_BASE_UNITS = frozenset(name for _, powers in _TABLE.values() for name in powers)
_DOUBLE_MEANING = {"pound": ("lb", "gbp"), "ton": ("tonne", "shortton")}
"""Words with two meanings, and the names of these in the table."""
_DOUBTFUL = re.compile(r"(?i)(?<![a-z])(pound|ton)s?(?![a-z])")
"""Matches "pounds", "ton" / not "tonne"."""
# Matches "pounds", "lb" and "oz"; not "compound".
_AVOIRDUPOIS = re.compile(r"(?i)(?<![a-z])(?:pound|lb|oz|ounce)s?(?![a-z])")
_HOUR = re.compile(r"[ap] ?\.? ?m\.?", re.IGNORECASE)
"""Matches "PM", "a.m." / not "map"."""

_TOKEN = re.compile(r"\^\s*\{?\s*(?P<power>[+-]?\d+)\s*\}?|(?P<per>/|\bper\b)|(?P<times>\\cdot|\\times|[·.*-])"
                    r"|(?P<word>[^\W\d_]+|¢)|(?P<other>\S)")  # fmt: skip
r"""Matches the parts of "km/h^{2}", "square feet", "m \cdot s^{-1}"; whatever else stands there is `other`."""


@lru_cache(maxsize=4096)
def read(text: str) -> Unit:
    """Return the unit that ``text`` is, unknown if a word of it is not in the table."""
    flat = re.sub(r"\\text\s*", " ", text)
    flat = re.sub(r"\^\s*\{\s*([+-]?\d+)\s*\}", r"^\1 ", flat)
    flat = re.sub(r"[{}()~\s]+", " ", flat).strip()
    flat = flat.replace(".", "").replace(" ", "") if _HOUR.fullmatch(flat) else flat
    powers: dict[str, int] = {}
    factor = Fraction(1)
    known = True
    below, coming, last = False, 1, ""
    words: list[str] = []
    for token in _TOKEN.finditer(flat):
        word = token["word"]
        if token["per"]:
            below = True
        elif token["power"] or (word and word.casefold() in ("squared", "cubed")):
            power = int(token["power"]) if token["power"] else _POWERS[word.casefold()]
            factor, powers = _multiplied(factor, powers, last, (power - 1) * (-1 if below else 1))
            words.append(f"^{power}")
        elif word and word.casefold() in _POWERS:
            coming = _POWERS[word.casefold()]
        elif word:
            last, name = word, _singular(word)
            known = known and name is not None
            factor, powers = _multiplied(factor, powers, word, coming * (-1 if below else 1))
            words.append(
                ("/" if below else "")
                + (word if name is None else name)
                + (f"^{coming}" if coming > 1 else "")
            )
            coming = 1
        elif token["other"]:
            known = False
    if powers.keys() & _TEMPERATURES:
        powers.pop("degree", None)
    dimension = tuple(sorted((name, power) for name, power in powers.items() if power))
    return Unit(" ".join(words), dimension, factor, known and bool(dimension))


def _multiplied(
    factor: Fraction, powers: dict[str, int], word: str, power: int
) -> tuple[Fraction, dict[str, int]]:
    name = _singular(word)
    if name is None:
        name = word.casefold().removesuffix("s")
        return factor, {**powers, name: powers.get(name, 0) + power}
    scale, base = _entry(name)
    merged = dict(powers)
    for unit, exponent in base.items():
        merged[unit] = merged.get(unit, 0) + exponent * power
    return factor * scale**power, merged


def _entry(name: str) -> tuple[Fraction, dict[str, int]]:
    return _TABLE[name] if name in _TABLE else _FOLDED[name.casefold()]


def _singular(word: str) -> str | None:
    """Return the name of ``word`` in the table; None if it has none."""
    for name in (word, word.removesuffix("s"), word.removesuffix("es")):
        if name in _TABLE and (name == word or len(name) > 1):
            return name
        if name.casefold() in _FOLDED or (name.casefold() in _TABLE and len(name) > 1):
            return name.casefold()
    return None


def is_name(word: str) -> bool:
    """Return whether ``word`` is a unit that may follow a number without any markup: "12 cm", "12dollars"."""
    return (len(word) > 1 or word == "¢") and _singular(word) is not None


def settled(gold: Unit, answer: Unit) -> tuple[Unit, Unit]:
    """Return both units with "pounds" and "tons" in the meaning that fits the other unit."""
    ours, theirs = _meanings(gold), _meanings(answer)
    if len(ours) == len(theirs) == 1:
        return gold, answer
    pairs = [(a, b) for a in ours for b in theirs]
    fitting = [pair for pair in pairs if pair[0].dimension == pair[1].dimension] or pairs
    is_short = len(fitting) == 2 and _AVOIRDUPOIS.search(f"{gold.text} {answer.text}")  # 2 tons are 4000 lb
    return fitting[-1 if is_short else 0]


def _meanings(unit: Unit) -> list[Unit]:
    word = _DOUBTFUL.search(unit.text)
    if word is None:
        return [unit]
    return [read(_DOUBTFUL.sub(name, unit.text)) for name in _DOUBLE_MEANING[word[1].casefold()]]


def clash(gold: Unit, answer: Unit) -> bool:
    """Return whether no number of ``gold`` is a number of ``answer``: two known units of different dimensions."""
    rates = _rate(gold), _rate(answer)
    if all(rates) or (any(rates) and _counted(gold) == _counted(answer) and _counted(gold)):
        return rates[0] != rates[1]
    if gold.is_angle and answer.is_angle:
        return False
    if (
        DEGREE in (gold, answer)
        and {name for unit in (gold, answer) for name, _ in unit.dimension} & _TEMPERATURES
    ):
        return False
    if gold.is_known and answer.is_known:
        return gold.dimension != answer.dimension
    powers = [_power_of_count(unit) for unit in (gold, answer)]
    return None not in powers and powers[0] != powers[1]


def _rate(unit: Unit) -> Dimension:
    """Return what "beats per minute" is counted in, per second; empty if the table has all of ``unit``, or no time."""
    known = tuple((name, power) for name, power in unit.dimension if name in _BASE_UNITS)
    return () if unit.is_known or any(power > 0 for _, power in known) else known


def _counted(unit: Unit) -> frozenset[str]:
    """Return the words of ``unit`` that are no units of measurement, such as "beat"."""
    return frozenset(name for name, _ in unit.dimension if name not in _BASE_UNITS)


def _power_of_count(unit: Unit) -> int | None:
    """Return the power of an area or volume whose length may be without a name; None if it is something else."""
    if len(unit.dimension) != 1:
        return None
    [(name, power)] = unit.dimension
    return power if name in (_LENGTH, *_COUNTED) else None


def ratio(gold: Unit, answer: Unit) -> Fraction:
    """Return how many of ``gold`` one ``answer`` is; 1 if they cannot be converted."""
    is_rate = bool(_rate(gold)) and _rate(gold) == _rate(answer)
    if is_rate or (gold.is_known and answer.is_known and gold.dimension == answer.dimension):
        return answer.factor / gold.factor
    return Fraction(1)
