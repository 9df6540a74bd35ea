r"""Compare kinds of whole numbers, in words and in signs: "all odd n", n \equiv 1 \pmod 2, "powers of 2", 2^k.

>>> same(r"\text{odd } n", r"n \text{ is odd}"), same(r"\text{All powers of 2}", "n=2^{k}, k \\ge 0")
(True, True)
>>> same(r"\text{odd } n", r"\text{odd prime } n"), same(r"\text{All positive integers}", r"\mathbb{Z}")
(False, False)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from k2eval.grading.math import congruence
from k2eval.grading.math.number import exact

# Matches "\text{odd}"; not "\text{a_{1}}".
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_BETWEEN = re.compile(r"\s*,\s*(?:and|or)?\s*|\s+(?:and|or)\s+")
"""Matches ", ", " or ", ", and " between kinds / not within a word."""
_FILLER = re.compile(
    r"(?i)\b(?:all|any|every|each|exactly|precisely|those|the|set(?:\s+of)?|of\s+all|values?|that\s+(?:is|are)|which\s+(?:is|are)"
    r"|must\s+be|can\s+be|is|are|an?|(?:numbers?\s+|integers?\s+)?of\s+the\s+form)\b"
)
"""Matches the words that say nothing of a kind: "all", "is a", "numbers of the form"."""
# Matches "\text" and "odd"; not "n" or "\le".
_WORD = re.compile(r"\\text|(?<![A-Za-z\\])[A-Za-z]{2,}")
# Matches "n" in "2n"; not "\pi" or "odd".
_LETTER = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])")
# Matches "positive", "non-negative"; not "negatively".
_SIGN = re.compile(r"(?i)\b(positive|natural|non-?negative|negative)\b")
# Matches "integers", "whole"; not "wholes".
_CLASS = re.compile(r"(?i)\b(?:integers?|numbers?|naturals?|whole)\b")
# Matches "odd primes", "perfect squares", "powers of 2", "multiples of 3"; not "roots".
_KINDS = re.compile(
    r"(?i)(?:(?P<prime>(?:odd\s+)?primes?)|(?P<parity>odd|even)|(?P<composite>composites?)"
    r"|(?P<square>(?:perfect\s+)?squares?)|(?P<cube>(?:perfect\s+)?cubes?)"
    r"|powers?\s+of\s+(?P<power>\d+|two|three)|(?:multiples?\s+of|divisible\s+by)\s+(?P<multiple>\d+))"
)
_SIGNS_OF = {
    "N": "natural", "Z": "", "Z^+": "positive", "Z_+": "positive", "N^+": "positive", "N_+": "positive",
    "N^*": "positive", "Z_>0": "positive", "N_>0": "positive", "Z_\\ge1": "positive", "Z_\\ge0": "nonnegative",
    "N_0": "nonnegative",
}  # fmt: skip
# Matches "n \in \mathbb{N}" and "\mathbb{Z}^+"; not "\mathbb{R}".
_SET = re.compile(r"\s*(?:[a-z]\s*\\in\s*)?(\\mathbb\s*\{[ZN]\}[^,]*)")
_ANY_INTEGER = re.compile(r"(?<=[^\s,])[\s,;(]*[a-z]\s*\\in\s*\\mathbb\s*\{Z\}\s*\)?$")
"""Matches ", k \\in \\mathbb{Z}" behind 2k / not n \\in \\mathbb{Z} alone."""
# Matches "2^k" and "n = 2^{k}, k \ge 0"; not "k^2".
_POWER = re.compile(r"\s*(?:([a-z])\s*=\s*)?(\d+)\s*\^\s*\{?\s*([a-z])\s*\}?\s*(?P<range>.*)", re.DOTALL)
_FROM_NOTHING = re.compile(
    r"[\s,;(]*+(?:\\text\s*+\{[^{}]*+\})?+\s*+(?:([a-z])\s*+(?:\\ge\s*+0|\\in\s*+\\mathbb\{Z\}_\{\s*+\\ge\s*+0\s*+\}))?\s*+\)?"
    r"|[\s,;(]*+(?:\\text\s*+\{)?\s*+(?:for|where|with)?\s*+\}?\s*+[a-z]?\s*+(?:\\text\s*+\{)?\s*+"
    r"(?:any|some|an?|is|\s)*+non-?negative\s++integers?\s*+[a-z]?\}?\s*+[a-z]?"
)
"""Matches what says that an exponent starts at 0, or nothing: ", k \\ge 0" / not ", k \\ge 1"."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of whole numbers, or one number."""

    kind: str
    """As "prime", "2 of 4" for a residue class, "integer" for all, or the digits of one number."""
    sign: str = ""
    """As "positive"; empty if not told."""
    is_bare: bool = False
    """Whether the class of numbers is left to the question: "odd n", not "odd integers"."""


def same(gold: str, answer: str) -> bool:
    """Return whether the two are the same kinds of numbers, of which one at least is told in words."""
    if not (is_told(gold) or is_told(answer)):
        return False
    ours, theirs = read(gold), read(answer)
    if not ours or not theirs or len(ours) != len(theirs):
        return False
    return all(any(_alike(a, b) for b in theirs) for a in ours)


def _alike(a: Family, b: Family) -> bool:
    if a.kind != b.kind:
        return False
    if a.sign == b.sign or {a.sign, b.sign} == {"positive", "natural"}:
        return True
    return (
        a.kind != "integer"
        and {a.sign, b.sign} <= {"", "positive", "natural"}
        and ((a.is_bare and not a.sign) or (b.is_bare and not b.sign))
    )


def is_told(text: str) -> bool:
    """Return whether ``text`` names a kind of numbers in words."""
    words = _TEXT.sub(r" \1 ", text)
    return bool(_KINDS.search(words) or _CLASS.search(words))


def read(text: str) -> frozenset[Family]:
    """Return the kinds of numbers that ``text`` names; empty if it is anything else."""
    if len(text) > 200:
        return frozenset()
    text = text.replace("$", " ")
    in_signs = _in_signs(text)
    if in_signs is not None:
        return frozenset({in_signs})
    pieces = _BETWEEN.split(_TEXT.sub(r" \1 ", text).strip().rstrip("."))
    families = [_in_words(piece) for piece in pieces if piece.strip()]
    known = {family for family in families if family is not None}
    if len(known) < len(families) or all(family.kind.isdigit() for family in known):
        return frozenset()
    return frozenset(known)


def _in_words(piece: str) -> Family | None:
    """Return the kind that "n is an odd prime", "even positive integers" or "numbers of the form 4k+3" means."""
    form = re.fullmatch(
        r"(?i)\s*(?:all\s+|any\s+)?(?:positive\s+)?(?:numbers|integers)?\s*(?:[a-z]\s+)?of\s+(?:the\s+)?form\s+(.*)",
        piece,
    )
    if form:
        return _in_signs(form[1])
    words = _FILLER.sub(" ", piece)
    number = exact(re.sub(r"^\s*[a-z]\s*=", "", words).strip())
    if number is not None and number.denominator == 1 and number >= 0:
        return Family(str(number))
    sign = _SIGN.search(words)
    kind = _KINDS.search(words)
    has_class = _CLASS.search(words) is not None
    rest = _CLASS.sub(" ", _SIGN.sub(" ", _KINDS.sub(" ", words, count=1), count=1))
    rest = _LETTER.sub(" ", rest, count=1)
    if rest.strip(" ()") or not (kind or has_class):
        return None
    told = sign[1].casefold().replace("-", "") if sign else ""
    return Family(_kind(kind) if kind else "integer", told, not has_class)


def _kind(kind: re.Match[str]) -> str:
    name, word = next((name, word) for name, word in kind.groupdict().items() if word)
    if name == "parity":
        return "1 of 2" if word.casefold() == "odd" else "0 of 2"
    if name == "multiple":
        return f"0 of {int(word)}"
    if name == "power":
        return f"power of {({'two': '2', 'three': '3'}).get(word.casefold(), word)}"
    return "odd prime" if word.casefold().startswith("odd") else name


def _in_signs(text: str) -> Family | None:
    r"""Return the kind that n \equiv 1 \pmod 2, 4k+3, 2^k or \mathbb{Z}^+ means."""
    bare = _ANY_INTEGER.sub("", text.strip().strip("$. "))
    members = _SET.fullmatch(bare)
    if members:
        sign = _SIGNS_OF.get(re.sub(r"\\mathbb|[\s{}]", "", members[1]))
        return None if sign is None else Family("integer", sign)
    power = _POWER.fullmatch(bare)
    if power and power[1] != power[3] and _FROM_NOTHING.fullmatch(power["range"]):
        return Family(f"power of {int(power[2])}", is_bare=True)
    classes = congruence.read(bare) or (None if _WORD.search(bare) else congruence.families(bare))
    if classes is None or len(classes.residues) != 1 or classes.modulus == 1:
        return None
    return Family(f"{next(iter(classes.residues))} of {classes.modulus}", is_bare=True)
