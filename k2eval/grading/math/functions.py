r"""Read the functions that the parser of LaTeX loses: gcd and lcm (which it computes for letters), max, min, mod,
fractional parts, double factorials and cis.

Each call is replaced by a variable that nothing else is called, the rest is parsed, and the variable replaced by the
function again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from k2eval.grading.math.brackets import matching
from k2eval.grading.math.structure import split

Expr = Any
"""A sympy expression."""

_MAX_CALLS = 40

_CALL = re.compile(
    r"(?:\\(gcd|lcm|max|min|sgn)(?![a-zA-Z])|\\text\s*\{\s*(sgn|sign|cis|floor|ceil|abs)\s*\}|(?<![a-zA-Z\\])(gcd|lcm|cis|sgn))"
    r"\s*(?=\(|\[|\\\{)"
)
r"""Matches the name in \gcd(m,n), \max\{a,b\}, \text{cis}(x) / not \max_{x} f, \gcd m."""

_BARE_CIS = re.compile(r"\\text\s*\{\s*cis\s*\}\s*(\\frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\\?[a-zA-Z]+|\d+)")
r"""Matches \text{cis}\frac{\pi}{3}, \text{cis}\theta / not \text{cis}(x)."""

_DOUBLE_FACTORIAL = re.compile(r"(?<![!\w])(\d+|[a-zA-Z]|\([^()]*\))\s*!!(?!\s*!)")
r"""Matches 7!!, (2n-1)!! / not 7!, 7!!!."""

_MOD = re.compile(r"\\b?mod(?![a-zA-Z])")
r"""Matches \bmod, \mod / not \pmod, \models."""

# Matches "+", "\pm", "<"; not "\pmod" or "\cdot".
_SUM_SIGN = re.compile(r"[+-]|\\pm(?![a-zA-Z])|[=<>]")
# Matches ","; not ";".
_COMMA = re.compile(",")
# Matches "\{"; not "{".
_BRACE = re.compile(r"\\\{")
_ALIASES = {"sign": "sgn", "ceil": "ceiling", "abs": "Abs"}


def parse(text: str, parse_plain: Callable[[str], Expr | None]) -> Expr | None:
    """Return the expression that ``text`` means, calls included; None if a part is unreadable.

    Args:
        text: LaTeX without decimals.
        parse_plain: The parser of LaTeX without such calls.
    """
    taken = _Calls(text)
    if not taken.calls:
        return parse_plain(taken.text)
    import sympy

    values: dict[Expr, Expr] = {}
    for variable, name, args in taken.calls:
        parsed = [expr for arg in args if (expr := parse_plain(arg)) is not None]
        if len(parsed) < len(args):
            return None
        inner = [expr.xreplace(values) for expr in parsed]
        if name == "mod" and not inner[0].free_symbols:
            return None
        values[sympy.Symbol(variable)] = sympy.Function(_ALIASES.get(name, name))(*inner)
    outer = parse_plain(taken.text)
    return None if outer is None else outer.xreplace(values)


class _Calls:
    """The calls of a text, the last of them first, and the text with a variable in the place of each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.calls: list[tuple[str, str, list[str]]] = []
        for take in (self._named, self._bare_cis, self._double_factorial, self._mod, self._fractional_part):
            while len(self.calls) < _MAX_CALLS and take():
                pass

    def _replace(self, start: int, end: int, name: str, args: list[str]) -> bool:
        variable = f"Q_{{{900 + len(self.calls)}}}"
        self.calls.append((variable, name, args))
        self.text = f"{self.text[:start]}{variable}{self.text[end:]}"
        return True

    def _named(self) -> bool:
        calls = list(_CALL.finditer(self.text))
        if not calls:
            return False
        call = calls[-1]
        name = next(filter(None, call.groups()))
        opening = call.end() + (self.text[call.end()] == "\\")
        end = matching(self.text, opening)
        inside = self.text[opening + 1 : end].removesuffix("\\")
        args = [arg.strip() for _, arg in split(inside, _COMMA)] if end > 0 else [""]
        return all(args) and self._replace(call.start(), end + 1, name, args)

    def _bare_cis(self) -> bool:
        call = _BARE_CIS.search(self.text)
        return call is not None and self._replace(call.start(), call.end(), "cis", [call[1]])

    def _double_factorial(self) -> bool:
        call = _DOUBLE_FACTORIAL.search(self.text)
        return call is not None and self._replace(call.start(), call.end(), "df", [call[1]])

    def _mod(self) -> bool:
        """Take "A mod B", where A is a product and all of what stands before in its brackets."""
        signs = list(_MOD.finditer(self.text))
        if not signs:
            return False
        sign = signs[-1]
        start = _opening(self.text, sign.start())
        left = self.text[start : sign.start()].strip()
        rest = self.text[sign.end() :]
        right = split(rest[: _closing(rest)], _SUM_SIGN)[0][1]
        if not left or not right.strip() or len(split(left, _SUM_SIGN)) > 1:
            return False
        return self._replace(start, sign.end() + len(right), "mod", [left, right.strip()])

    def _fractional_part(self) -> bool:
        if re.search(r"\\(?:cup|cap|setminus|in|mathbb|emptyset)(?![a-zA-Z])", self.text):
            return False
        opening = _BRACE.search(self.text)
        end = matching(self.text, opening.start() + 1) if opening else -1
        if opening is None or end < 0:
            return False
        inside = self.text[opening.end() : end].removesuffix("\\")
        return (
            "," not in inside
            and bool(inside.strip())
            and self._replace(opening.start(), end + 1, "frac", [inside])
        )


def _opening(text: str, at: int) -> int:
    """Return where the brackets around ``at`` begin, behind their sign."""
    depth = 0
    for index in range(at - 1, -1, -1):
        depth += (text[index] in ")]}") - (text[index] in "([{")
        if depth < 0:
            return index + 1
    return 0


def _closing(text: str) -> int:
    """Return where the brackets around the start of ``text`` end."""
    depth = 0
    for index, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return index
    return len(text)
