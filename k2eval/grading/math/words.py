"""Give answers in words one form: "an ellipse", "the 14th of March", "Bob and Alice", "twenty-three", "no real roots".

Only a whole answer in words is changed; words beside mathematics are units and conditions, which others read.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Matches "\text{an ellipse}"; not "\text{a_{1}}".
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
# Matches "an ellipse", "Bob and Al."; not "x = 2" or "5".
_PROSE = re.compile(r"[A-Za-z0-9 .,'’()&;-]*[A-Za-z]{2}[A-Za-z0-9 .,'’()&;-]*")
_LEAD = re.compile(
    # Matches "It is ", "The graph is an ", "on ", "the "; not "It is not " or "Theory".
    r"(?i:(?:it\s+(?:is|was|will\s+be)|it's|they\s+are|this\s+is|that\s+is|there\s+(?:is|are)|on|namely"
    r"|the\s+(?:function|graph|curve|sequence|triangle|figure|conic|shape|quadrilateral|polygon|locus|set|equation|system|answer|result|day|winner|number)"
    r"\s+(?:is|has|represents|of\s+the\s+equation\s+is))\s+(?!not\b|no\b|neither\b|never\b)|(?:a|an|the)\s+(?!and\b|or\b))+"
)
_KIND = re.compile(
    # Matches the noun that says nothing new in "odd function" and "isosceles triangle"; not in "function".
    r"(?i)(?<=^)([a-z-]{3,}|infinitely\s+many)\s+(?:solutions?|functions?|triangles?|numbers?|integers?|curves?|quadrilaterals?|sequences?)$"
)
# Matches "Red"; not "red", "DNA" or "Re".
_CAPITALISED = re.compile(r"[A-Z][a-z]{2,}")
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(rf"{month[:3]}(?:{month[3:]})?" for month in _MONTHS) + r"|sept)\.?"
_DAY = r"(?P<day>\d{1,2})\s*(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s*(?:of\s+)?(?P<year>\d{4}))?"
_DATES = (
    # Match "March 14th, 2025" and "the 14th of March 2025"; not "14" or "March".
    re.compile(rf"{_MONTH}\s+(?:the\s+)?{_DAY}{_YEAR}", re.IGNORECASE),
    re.compile(rf"{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}", re.IGNORECASE),
)
_NOTHING = re.compile(
    # Matches "no real roots", "There are no such integers", "The equation has no solution"; not "no" or "no one".
    r"(?i:(?:(?:the|this)\s+(?:equation|system|inequality|problem)\s+|there\s+|it\s+)?(?:is\s+|are\s+|has\s+|have\s+|exists?\s+)?"
    r"no\s+(?:(?:such|real|integer|integral|rational|complex|positive|natural|valid|possible)\s+)*"
    r"(?:solutions?|roots?|numbers?|integers?|values?|functions?|pairs?|triples?|polynomials?|sequences?|primes?|zeros?|x|n)"
    r"(?:\s+(?:exists?|is\s+possible|are\s+possible))?|(?:the\s+)?solution\s+set\s+is\s+empty|(?:the\s+)?empty\s+set)"
)
# Matches "integer", "positive"; not "odd".
_KIND_OF_NUMBER = re.compile(
    r"(?i)\b(integer|integral|whole|rational|real|complex|natural|positive|negative)"
)
_FORMAL_KIND = {"integral": "integer", "whole": "integer", "natural": "positive"}
_WINS = re.compile(
    # Matches what follows the name in "Alice wins", "Bob has a winning strategy"; not "Alice loses" or "wins 3 games".
    r"(?i)(?<=[a-z])(?:\s+(?:always|will|can|the|player))*(?:\s+(?:always|has\s+a|have\s+a))?\s+"
    r"(?:wins?(?:\s+the\s+game)?|(?:guarantee|force)s?\s+a\s+win|winning\s+strategy)$|(?<=first|econd)\s+player$"
)
_AFFIRMED = re.compile(
    # Matches "Yes" in "Yes, it is possible" and "No" in "No, it does not exist"; not in "Yes, but", "Yes and no".
    r"(?i)(yes|no)\s*[,.;:–—-]\s*(?!.*\b(?:yes|but|only|if|unless|except|or|maybe|perhaps|wrong)\b)[^\d=]*"
)
# Matches "no", "cannot" and "isn't"; not "note".
_NEGATION = re.compile(r"(?i)\b(?:no|not|never|none|nothing|nor|impossible|cannot|without)\b|n't\b")
_REALS = re.compile(
    # Matches "all real numbers", "any real x", "every real value"; not "real" or "all integers".
    r"(?i:(?:for\s+|(?:the\s+)?set\s+of\s+)?(?:all|any|every)\s+real(?:s|\s+(?:numbers?|values?|[a-z])(?:\s+of\s+[a-z])?)?)"
)
_ENDLESS = re.compile(
    # Matches "infinitely many", "There are infinitely many solutions"; not "finitely many".
    r"(?i:(?:there\s+are\s+|it\s+has\s+)?infinitely\s+many(?:\s+(?:solutions?|numbers?|integers?|values?|pairs?|primes?))?|infinite)"
)
_ALL_BUT = re.compile(
    # Matches "all real numbers except -3", "every real x other than 2"; not "all integers except 2".
    r"(?i:(?:all|any|every)\s+real(?:s|\s+(?:numbers?|values?|[a-z])(?:\s+of\s+[a-z])?)?,?\s+(?:except|excluding|other\s+than|but)"
    r"(?:\s+for)?\s+(?:[a-z]\s*=\s*)?(-?\s?[\d./]+(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)-?\s?[\d./]+)*))"
)
# Matches "minus 12", "negative 3.5"; not "minus x".
_SIGNED = re.compile(r"(?i)(?:minus|negative)\s+(\d+(?:\.\d+)?)")
_DAYS = {
    short: day
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    for short in (day[:3].casefold(), {"Tue": "tues", "Thu": "thurs"}.get(day[:3], ""))
    if short
}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBERS = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
          "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12}  # fmt: skip
# Matches a word behind a number word that is no unit: "dozen", "of"; not "apples".
_NO_UNIT = re.compile(
    r"(?i)and|or|of|more|less|fewer|dozen|times|to|point|percent|squared|cubed|factorial|plus|minus|over|not|if|hundredths?|thousandths?|each|per|by"
)
_NAME = r"[A-Z][A-Za-z'’.-]*(?: [A-Z][A-Za-z'’.-]*)?"
_BETWEEN_NAMES = re.compile(
    # Matches ", ", " and ", ", and ", " & "; not " or " or " then ".
    r"\s*[,;]\s*(?:and\s+|&\s*)?|\s+and\s+|\s*&\s*"
)
_NAMES = re.compile(
    # Matches "Alice, Bob and Carol", "A and C"; not "Alice or Bob" or "first Alice and then Bob".
    rf"{_NAME}(?:(?:{_BETWEEN_NAMES.pattern}){_NAME})+"
)


# Matches "and" and "&" between names; not in "Sandy".
_JOINED = re.compile(r"\band\b|&")


@lru_cache(maxsize=4096)
def plain_words(text: str) -> str:
    r"""Return an answer in words in one form; any other answer as it is.

    >>> plain_words(r"\text{an ellipse}"), plain_words("14th of March"), plain_words(r"\text{two thirds}")
    ('\\text{ellipse}', '\\text{March 14}', '\\frac{2}{3}')
    >>> plain_words(r"\text{Bob and Alice}"), plain_words("x + 1"), plain_words(r"\text{not odd}")
    ('\\text{Bob} \\text{ and } \\text{Alice}', 'x + 1', '\\text{not odd}')
    """
    if len(text) > 200:
        return text
    words = re.sub(r"\s+", " ", _TEXT.sub(r" \1 ", text.replace(r"\&", "&"))).strip().rstrip(".").strip()
    is_text = r"\text" in text
    if is_text and _NAMES.fullmatch(words):
        return _list_of(words)
    if not _PROSE.fullmatch(words):
        return text
    if _NOTHING.fullmatch(words):
        return r"\emptyset"
    if _REALS.fullmatch(words):
        return r"\mathbb{R}"
    if _ENDLESS.fullmatch(words):
        return r"\infty"
    excepted = _ALL_BUT.fullmatch(words)
    if excepted:
        return rf"\mathbb{{R}}\setminus\{{{excepted[1]}\}}"
    affirmed = _AFFIRMED.fullmatch(words)
    if affirmed and (affirmed[1].casefold() == "no") >= (
        _NEGATION.search(words, affirmed.end(1)) is not None
    ):
        return rf"\text{{{affirmed[1]}}}"
    written = words
    words = re.sub(r"(?i)^(?:(?:it\s+is|this\s+is)\s+)?not\s+possible$", "impossible", _WINS.sub("", words))
    lead = _LEAD.match(words)
    bare = words[lead.end() :] if lead else words
    number = _number(words) or _number(bare)
    if number is not None:
        return number
    if signed := _SIGNED.fullmatch(bare):
        return f"-{signed[1]}"
    if (day := _DAYS.get(bare.casefold().rstrip("."))) is not None:
        return rf"\text{{{day}}}"
    for pattern in _DATES:
        if date := pattern.fullmatch(bare):
            return rf"\text{{{_date(date)}}}"
    if _NAMES.fullmatch(bare) and (is_text or re.search(r"[a-z]{2}", bare.replace("and", ""))):
        return _list_of(bare)
    short = _KIND.sub(r"\1", bare) if not re.match(r"(?i:no|not|one|two|three|all|any)\b", bare) else bare
    if _CAPITALISED.fullmatch(short):
        return rf"\text{{{short}}}"
    if short == written or not (is_text or re.search(r"[A-Za-z]{3}", short)):
        return text
    return rf"\text{{{short}}}"


def denies_another(gold: str, answer: str) -> bool:
    r"""Return whether both say that there are no numbers of a kind, but of different kinds: real and integer roots.

    >>> denies_another(r"\text{no real roots}", "no integer roots"), denies_another("no real roots", "no roots")
    (True, False)
    """
    sides = [re.sub(r"\s+", " ", _TEXT.sub(r" \1 ", text)).strip(" .$") for text in (gold, answer)]
    if not all(_NOTHING.fullmatch(side) for side in sides):
        return False
    kinds = [
        {_FORMAL_KIND.get(kind, kind) for kind in map(str.casefold, _KIND_OF_NUMBER.findall(side))}
        for side in sides
    ]
    return not (kinds[0] <= kinds[1] or kinds[1] <= kinds[0])


def _list_of(names: str) -> str:
    """Return a list of names, whose last two "and" joins if it does so in ``names``: such a list has no order."""
    *first, last = (rf"\text{{{name}}}" for name in _BETWEEN_NAMES.split(names))
    return ", ".join(first) + (r" \text{ and } " if _JOINED.search(names) else ", ") + last


def _date(date: re.Match[str]) -> str:
    month = next(name for name in _MONTHS if name.startswith(date["month"].casefold()[:3]))
    return f"{month.capitalize()} {int(date['day'])}" + (f" {date['year']}" if date["year"] else "")


def _number(words: str) -> str | None:
    """Return the number that ``words`` spell, with a unit of one word kept: "twelve apples"."""
    pieces = re.split(r"[\s-]+", words.casefold())
    sign = "-" if pieces[0] in ("minus", "negative") else ""
    pieces = pieces[1:] if sign else pieces
    if pieces and pieces[-1].removesuffix("s") in _PARTS and len(pieces) <= 4:
        above = 1 if pieces[:-1] in ([], ["a"]) else _value(pieces[:-1])
        is_ordinal = above == 1 and len(pieces) == 1 and pieces[0] not in ("half", "quarter")
        return (
            None
            if above is None or is_ordinal
            else rf"{sign}\frac{{{above}}}{{{_PARTS[pieces[-1].removesuffix('s')]}}}"
        )
    value = _value(pieces)
    if value is not None:
        return f"{sign}{value}"
    unit = pieces[-1]
    value = (
        _value(pieces[:-1]) if len(pieces) > 1 and unit.isalpha() and not _NO_UNIT.fullmatch(unit) else None
    )
    return None if value is None else rf"{sign}{value}\text{{ {unit}}}"


def _value(pieces: list[str]) -> int | None:
    """Return the value of number words: ["one", "hundred", "and", "five"] is 105."""
    total, group, room = 0, 0, 100
    if not pieces or pieces[0] == "and":
        return None
    for piece in pieces:
        if piece == "and" and (group or total):
            continue
        if piece == "hundred" and 0 < group < 100:
            group, room = group * 100, 100
        elif piece in _SCALES and piece != "hundred" and group:
            total, group, room = total + group * _SCALES[piece], 0, 100
        elif piece in _NUMBERS and _NUMBERS[piece] < room:
            group, room = group + _NUMBERS[piece], 10 if _NUMBERS[piece] >= 20 else 0
        else:
            return None
    return total + group
