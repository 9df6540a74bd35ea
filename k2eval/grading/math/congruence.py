r"""Compare residue classes: x \equiv 5 \pmod{12}, 5 (mod 12), 12k + 5.

>>> same(r"x \equiv 5 \pmod{12}", r"x \equiv 17 (\text{mod } 12)"), same(r"x \equiv 5 \pmod{12}", "12k+5")
(True, True)
>>> same(r"x \equiv 5 \pmod{12}", r"x \equiv 5 \pmod{6}"), same("5", r"x \equiv 5 \pmod{12}")
(False, False)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from k2eval.grading.math import symbolic
from k2eval.grading.math.latex import squeezed
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import parse

_MODULUS = re.compile(
    r"[\s,(]*(?:\\[pb]?mod(?![a-zA-Z])|\\text\s*\{\s*\(?\s*mod(?:ulo|\.)?\s*\}?|(?<![a-zA-Z\\])mod(?:ulo)?(?![a-zA-Z]))"
    r"\s*+\(?\s*+\{?\s*+(\d+|\\?[a-zA-Z]+)[\s})]*$"
)
r"""Matches what ends "5 \pmod{12}", "5 (\text{mod } 12)", "5 \bmod p" / not "\pmod{12} + 1"."""
# Matches "\equiv" and "="; not "\equivalent".
_SIGN = re.compile(r"\\equiv(?![a-zA-Z])|=")
# Matches what divides residues: ",", "\text{ or }", "\lor"; not "or".
_AND_SO_ON = re.compile(r"\\text\s*\{\s*,?\s*(?:and|or)\s*\}|\\(?:lor|vee)(?![a-zA-Z])|,")
# Matches "x", "a_{1}", "\alpha"; not "2x".
_NAME = re.compile(r"\s*(\\?[a-zA-Z]+(?:_\{?\w+\}?)?)\s*")
_MAX_FAMILIES = 12
_MAX_MODULUS = 100_000


@dataclass(frozen=True, slots=True)
class Classes:
    """Residue classes of one modulus."""

    name: str
    """The name of the congruent number; empty if it has none."""
    residues: frozenset[int]
    modulus: int
    runs_over: str = ""
    """The letter k in 12k + 5."""


def same(gold: str, answer: str) -> bool:
    """Return whether one of the two is a congruence and the other means the same residue classes."""
    ours, theirs = read(gold), read(answer)
    if ours is None and theirs is None:
        return _same_symbolic(gold, answer)
    ours = ours or families(gold)
    theirs = theirs or families(answer)
    if ours is None or theirs is None or (ours.name and theirs.name and ours.name != theirs.name):
        return False
    if (ours.runs_over and ours.runs_over == theirs.name) or (
        theirs.runs_over and theirs.runs_over == ours.name
    ):
        return False  # 3x + 1 is no way to write x = 1, 4, 7 ...
    common = math.lcm(ours.modulus, theirs.modulus)
    return common <= _MAX_MODULUS and _spread(ours, common) == _spread(theirs, common)


def read(text: str) -> Classes | None:
    r"""Return the classes that a congruence with numbers means, "x \equiv \pm 1 \pmod 6"; None for anything else."""
    modulus = _MODULUS.search(text)
    if modulus is None or not modulus[1].isdigit() or not 0 < int(modulus[1]) <= _MAX_MODULUS:
        return None
    name = ""
    residues: set[int] = set()
    for piece in _AND_SO_ON.split(text[: modulus.start()]):
        piece = _MODULUS.sub("", piece)
        *named, value = _SIGN.split(piece, maxsplit=1)
        if named:
            label = _NAME.fullmatch(named[0])
            if label is None or (name and label[1] != name):
                return None
            name = label[1]
        numbers = _integers(value)
        if not numbers:
            return None
        residues |= {number % int(modulus[1]) for number in numbers}
    return Classes(name, frozenset(residues), int(modulus[1]))


def _integers(text: str) -> list[int]:
    node = parse(text)
    values = [exact(item.text) for item in (node.items if node.kind == "list" else (node,))]
    return (
        [int(value) for value in values if value is not None and value.denominator == 1]
        if None not in values
        else []
    )


def families(text: str) -> Classes | None:
    """Return the classes that "x = 4k or x = 4k + 1" means."""
    parts = [_family(piece.strip()) for piece in _AND_SO_ON.split(text)[:_MAX_FAMILIES]]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or len({(part.name, part.modulus) for part in known}) > 1:
        return None
    return Classes(
        known[0].name,
        frozenset().union(*(part.residues for part in known)),
        known[0].modulus,
        known[0].runs_over,
    )


@symbolic.otherwise(None)
def _family(text: str) -> Classes | None:
    """Return the class that "x = 12k + 5" means."""
    *named, value = _SIGN.split(text, maxsplit=1)
    name = _NAME.fullmatch(named[0]) if named else None
    expr = symbolic.parse(value)
    if expr is None or len(expr.free_symbols) != 1 or (named and name is None):
        return None
    [variable] = expr.free_symbols
    slope, start = expr.diff(variable), expr.subs(variable, 0)
    if not (slope.is_Integer and start.is_Integer) or not 0 < abs(int(slope)) <= _MAX_MODULUS:
        return None
    modulus = abs(int(slope))
    return Classes(name[1] if name else "", frozenset({int(start) % modulus}), modulus, str(variable.name))


def _spread(classes: Classes, modulus: int) -> frozenset[int]:
    return frozenset(
        residue + step for residue in classes.residues for step in range(0, modulus, classes.modulus)
    )


def _same_symbolic(gold: str, answer: str) -> bool:
    """Return whether two congruences with a letter for modulus are written with equal sides."""
    ours, theirs = _MODULUS.search(gold), _MODULUS.search(answer)
    if ours is None or theirs is None or ours[1] != theirs[1] or ours[1].isdigit():
        return False
    sides = [_SIGN.split(text[: sign.start()]) for text, sign in ((gold, ours), (answer, theirs))]
    names = {squeezed(side[0]) for side in sides if len(side) > 1}
    return len(names) < 2 and symbolic.equal(sides[0][-1], sides[1][-1])
