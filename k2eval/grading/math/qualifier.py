r"""Take away what only qualifies an answer: its range, its parameters, a reason, its value in another form.

>>> without(r"a_n=2^{n}+1 \text{ for } n \ge 1"), without(r"P(x)=cx^{2}, c\in \mathbb{R}")
('a_n=2^{n}+1', 'P(x)=cx^{2}')
>>> without(r"73 (\text{since } 7 \cdot 10 + 3)"), without(r"5 \text{ or more}"), without(r"n \text{ for odd } n")
('73', '5 \\text{ or more}', 'n \\text{ for odd } n')
"""

from __future__ import annotations

import re

from k2eval.grading.math import family
from k2eval.grading.math.brackets import matching
from k2eval.grading.math.interval import is_symbol
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import parse, split
from k2eval.grading.math.words import plain_words

# Matches "if", "or" and "odd"; not "for" or "order".
_LIMITING = re.compile(
    r"\b(?:not?|or|if|when|unless|except|otherwise|odd|even|only|mod|modulo|base|about|approximately|nearly|around"
    r"|else|respectively|more|less|least|most|than|rational|irrational|bound|(?<!\\)approx|maybe|perhaps|possibly|probably"
    r"|extraneous|reject(?:ed)?|discard(?:ed)?|incorrect|wrong|false|invalid|impossible|estimated?)\b",
    re.IGNORECASE,
)
"""Words that change what an answer says."""
_TAIL = re.compile(
    r"[\s,;(]*(?:\\text\s*\{\s*[,;(]?\s*(?:for|where|with|here|since|because|as)\b|(?<![a-zA-Z\\])(?:for|where|with|since|because)\b)"
)
r"""Matches where a tail begins: "\text{ for some constant } c", ", where k is an integer"."""
# Matches ", since x" and "\text{ because }"; not "sincere".
_REASON = re.compile(r"[\s,;{(]*(?:\\text\s*\{\s*[,;(]?\s*)?(?:since|because|as)\b")
# Matches "\in", "\le" and "<"; not "\int" or "=".
_RELATION = re.compile(r"\\(?:in|le|ge|ne)(?![a-zA-Z])|[<>]")
_BOUND = re.compile(r"\\ne(?![a-zA-Z])|<|\\le(?![a-zA-Z])|(?:>|\\ge(?![a-zA-Z]))\s*(?![01](?!\d)|\s)")
r"""Matches a bound that leaves positive integers out: "n > 2", "n \ne 4" / not "n \ge 1", "n > 0"."""
_ONLY_ONE = re.compile(
    r"[\s,;(]*\\text\s*\{\s*[,;(]?\s*(?:(?:is|are)\s+(?:indeed\s+)?(?:the\s+)?(?:only|unique|all)(?:\s+(?:the\s+)?[a-z]+){0,2}"
    r"|only|(?:the\s+)?(?:only|unique)\s+(?:solutions?|functions?|values?|answers?|pairs?|triples?|roots?|integers?|numbers?))\s*[).]*\s*\}\s*\)?$"
)
r"""Matches what only says that the answer is complete: "\text{ is the only solution}", "\text{ only}"."""
_APPOSITION = re.compile(
    r"[\s,(]*\\text\s*\{\s*[,(]\s*(?:which\s+is\s+)?the\s+[^{}]*\}(?:[^{}=<>]|\{[^{}]*\})*$"
)
r"""Matches ", the n-th Fibonacci number" behind a formula / not "\text{ the other way}"."""
_PLACE = re.compile(
    r"[\s,;(]*\\text\s*\{\s*[,;(]?\s*(?:(?:which\s+)?(?:is\s+)?(?:attained|achieved|reached)\b(?:\s+(?:at|when|if|by|for))*"
    r"|at(?=\s*\}))"
)
r"""Matches what begins a place: "\text{ at } x=1", "(\text{attained when } x=y)" / not "\text{ at most }"."""
# Matches "is", "first" and "if"; not "constant".
_SAYS_MORE = re.compile(
    rf"{_LIMITING.pattern}|\b(?:is|are|being|other|rest|first|second|former|latter|same)\b", re.IGNORECASE
)
# Matches "\text{, i.e. }", "i.e.,"; not "that is".
_THAT_IS = re.compile(
    r"\\text\s*\{\s*,?\s*(?:i\.\s*e\.|that\s+is|or\s+equivalently|equivalently)\s*,?\s*\}|(?<![a-zA-Z])i\.e\.,?"
)
# Matches "\text{odd}"; not "\text{a_{1}}".
_WORDS = re.compile(r"\\text\s*\{([^{}]*)\}")
# Matches "\mathbb{Z}", "\mathbb{R}^{+}", "N"; not "[0,1]".
_STANDARD_SET = re.compile(r"\s*\\mathbb\s*\{[A-Z]\}\s*(?:[_^]\s*(?:\{[^{}]*\}|[\w+*])\s*)*|\s*[A-Z]\s*")
# Matches "," and ";"; not ".".
_COMMA = re.compile(r"[,;]")
_PARAMETER = re.compile(
    r"(?<![a-zA-Z\\])([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*\\in\s*\\mathbb|(?:constant|parameter|integer|number|real)s?\s*\}?\s*\$?\s*([a-zA-Z])(?![a-zA-Z])"
)
r"""Matches the name of a parameter: "c \in \mathbb{R}", "for some constant } c"."""
_MAX_QUALIFIERS = 4


def without(text: str) -> str:
    """Return the normalised answer ``text`` without its qualifiers."""
    for _ in range(_MAX_QUALIFIERS):
        shorter = _last_part(text) or _without_tail(text) or _without_brackets(text) or _without_range(text)
        if not shorter or shorter == text:
            break
        text = shorter
    return text


def without_place(text: str) -> str:
    """Return the normalised answer ``text`` without an "at x = 1" or "attained when x = y" behind its number."""
    place = _PLACE.search(text)
    if place is None or _LIMITING.search(text, place.end()) or re.search("[a-zA-Z]{2}", text[place.end() :]):
        return text
    before = text[: place.start()].strip()
    return before if re.search(r"\d", before) and parse(before).kind in ("leaf", "equation") else text


def parameter(text: str) -> str | None:
    """Return the one letter that ``text`` declares to be any number; None if there is none, or several."""
    names = {
        name.strip() for first, second in _PARAMETER.findall(text) for name in (first or second).split(",")
    }
    return names.pop() if len(names) == 1 else None


def _last_part(text: str) -> str:
    """Return what follows "i.e."."""
    sign = _THAT_IS.search(text)
    return text[sign.end() :].strip() if sign and sign.start() > 0 else ""


def _without_tail(text: str) -> str:
    """Return ``text`` up to a "for n > 1", "where c is a constant" or "since ..."."""
    remark = _ONLY_ONE.search(text)
    if remark is None and (remark := _APPOSITION.search(text)) and _SAYS_MORE.search(remark[0]):
        remark = None
    if remark and remark.start() > 0:
        return text[: remark.start()].strip()
    sign = _TAIL.search(text)
    if sign is None or sign.start() == 0:
        return ""
    tail = text[sign.start() :]
    if _REASON.match(tail):
        return text[: sign.start()].strip()
    if family.is_told(text[: sign.start()]) and _BOUND.search(tail):
        return ""  # "odd n with n > 3" are not all odd n
    return text[: sign.start()].strip() if not _LIMITING.search(tail) and _is_range(tail) else ""


def _is_range(tail: str) -> bool:
    """Return whether the formulas in ``tail`` are names and bounds, none of which settles a value."""
    formulas = _WORDS.sub(" , ", tail)
    if "=" in formulas or "\\equiv" in formulas or r"\mathbb{Q}" in formulas:
        return False
    words = re.sub(
        r"(?<![a-zA-Z\\])(?:for|where|with|is|an?|some|any|every|all|integers?|constants?|real|positive|numbers?|arbitrary)\b",
        " ",
        formulas,
    )
    pieces = [piece.strip(" ().$") for _, piece in split(words, _COMMA)]
    return all(not piece or _RELATION.search(piece) or is_symbol(parse(piece)) for piece in pieces)


def _without_brackets(text: str) -> str:
    r"""Return ``text`` without words, a bound or a rounded value in brackets behind it."""
    inside_text = re.search(r"\\text\s*\{\s*\([^{}()]*\)\s*\}$", text)
    if inside_text and inside_text.start() > 0:
        return text[: inside_text.start()].strip() if not _LIMITING.search(inside_text[0]) else ""
    start = text.rfind("(")
    while start > 0 and matching(text, start) != len(text) - 1:
        start = text.rfind("(", 0, start)
    if start <= 0:
        return ""
    before, inside = text[:start].strip(), text[start + 1 : -1].strip()
    if _LIMITING.search(inside) or not before:
        return ""
    if inside.isalpha() and plain_words(inside) == before:  # 7 (seven)
        return before
    reason = _REASON.match(inside)
    words = _WORDS.sub("", inside).strip()
    is_words = re.search(r"\\text\s*\{[^{}]*[a-zA-Z]{3}", inside) and not words
    is_bound = _RELATION.search(inside) and _is_range(inside) and not re.match(r"\s*[\d-]", inside)
    is_rounded = inside.startswith(r"\approx") or _is_percent_of(before, inside.lstrip("= "))
    return before if reason or is_words or is_bound or is_rounded else ""


def _is_percent_of(number: str, percent: str) -> bool:
    whole, part = exact(number), exact(percent.removesuffix("%")) if percent.endswith("%") else None
    return whole is not None and part is not None and whole == part / 100


def _without_range(text: str) -> str:
    r"""Return ``text`` without a last ", c \in \mathbb{R}" or ", n \ge 1" about a letter in it."""
    pieces = split(text, _COMMA)
    if len(pieces) < 2:
        return ""
    last = pieces[-1][1].strip()
    before = text[: len(text) - len(pieces[-1][1])].rstrip(" ,;")
    sides = split(last, _RELATION)
    names = [sides[0][1].strip()]
    for _, piece in reversed(pieces[1:-1]):  # "a, b \\in \\mathbb{R}"
        if not is_symbol(parse(piece)):
            break
        names.append(piece.strip())
        before = before[: -len(piece)].rstrip(" ,;")
    if len(sides) < 2 or not all(is_symbol(parse(name)) for name in names) or "=" in last:
        return ""
    if family.is_told(before) and _BOUND.search(last):
        return ""
    is_membership = sides[1][0] == r"\in" and len(sides) == 2
    if is_membership and not _STANDARD_SET.fullmatch(sides[1][1]):
        return ""
    if not all(_mentions(before, name) for name in names) or parse(before).kind == "inequality":
        return ""
    values = [piece.partition("=") for _, piece in split(before, _COMMA)]
    if any(left.strip() in names and sign and not _meets(value, last) for left, sign, value in values):
        return ""  # "n = 1, n \\ge 3" lists values of n
    return before


def _meets(value: str, bound: str) -> bool:
    r"""Return whether the number ``value`` lies within ``bound``, as 5 within "x > 0"."""
    number, sides = exact(value.strip()), split(bound, _RELATION)
    limit = exact(sides[1][1].strip()) if len(sides) == 2 else None
    if number is None or limit is None:
        return False
    tests = {">": number > limit, "<": number < limit, r"\ge": number >= limit, r"\le": number <= limit}
    return tests.get(sides[1][0], False)


def _mentions(text: str, name: str) -> bool:
    return name in re.sub(
        r"\\text\s*\{[^{}]*\}|\\(?!" + re.escape(name.lstrip("\\")) + r"(?![a-zA-Z]))[a-zA-Z]+", " ", text
    )
