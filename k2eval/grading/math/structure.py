"""Read the outer shape of a normalised answer: lists, tuples, sets, intervals, unions, matrices, relations.

The inside is left as text (a *leaf*); `k2eval.grading.math.equal` compares leaves. Reading the outer
shape here keeps apart what a general parser merges: the pair (1, 2), the answers "1, 2" and the set {1, 2}.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache

from k2eval.grading.math.brackets import matching
from k2eval.grading.math.interval import Node, as_interval, inward, is_bounded, is_symbol
from k2eval.grading.math.latex import without_thousands

# Matches "=", "<", "\le", "\approx"; not "\left" or "\in".
_RELATION = re.compile(r"\\(?:le|ge|ne|equiv|approx|sim)(?![a-zA-Z])|[<>=]")
# Matches "\begin{pmatrix} … \end{pmatrix}", an array and cases; not a determinant, "vmatrix".
_MATRIX = re.compile(r"\\begin\{([pbB]?matrix|array|cases)\}(?:\{[clr|]*\})?(.*)\\end\{\1\}", re.DOTALL)
# Matches the line breaks "\\", "\\[4pt]", "\cr"; not "\,".
_ROW = re.compile(r"\\\\(?:\s*\[[^\[\]]*\])?|\\cr(?![a-zA-Z])")
# Matches "\text{, if }" and "if" in front of a condition; not "iff".
_CONDITION = re.compile(r"\s*(?:\\text\s*\{\s*,?\s*(?:if|for|when)\s*\}|(?:if|for|when)(?![a-zA-Z]))")
# Matches the end of "(1,2)^T" and "(1,2)^{\top}"; not "x^2".
_TRANSPOSED = re.compile(r"\s*\^\s*(?:\{\s*(?:T|\\top|\\text\s*\{\s*T\s*\})\s*\}|\\top)$")
# Matches the name of a point in "A(1,2)"; not "f(x)" or "A(1)".
_POINT = re.compile(r"[A-Z]'?\s*(?=\(.*,.*\)$)", re.DOTALL)
# Matches the bar of "\{x \mid x > 0\}" and the colon; not "\|".
_COLON = re.compile(r"\\mid(?![a-zA-Z])|:")
# Matches the bar of "x \mid x > 0" and of "x | x > 0", and ":"; not "\middle".
_SUCH_THAT = re.compile(r"\\mid(?![a-zA-Z])|\||:")
# Matches "and", "\text{ or }", "\lor"; not "band" or "\text{and so on}".
_WORD_SEPARATOR = re.compile(
    r"\\text\s*\{\s*,?\s*(?:and|or|OR)\s*,?\s*\}|(?<![a-zA-Z\\])(?:and|or|OR)(?![a-zA-Z])|\\(?:lor|vee|land|wedge)(?![a-zA-Z])|\\&"
)
_SYMBOL = r"(?:\\?[a-zA-Z]+'*|\\text\s*\{[^{}]*\})(?:_(?:\{[^{}]*\}|\w))?"
# Matches "x", "a_{1}", "f(x)", "\text{Area}"; not "2x" or "x+1".
_LABEL = re.compile(rf"{_SYMBOL}\s*(?:\([^()]*\))?")
# Matches "x \in", "f(x) \in" and "(x, y) \in"; not "\infty".
_MEMBER = re.compile(rf"({_SYMBOL}(?:\([a-z]\))?(?:\s*,\s*{_SYMBOL})*|\([^()]*\))\s*\\in(?![a-zA-Z])")
# Matches "\pm" and "\mp"; not "\pmod".
_SIGN = re.compile(r"\\(?:pm|mp)(?![a-zA-Z])")
_MAX_DEPTH = 12
_MAX_SIGNS = 3


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return the shape of the normalised answer ``text``."""
    return _parse(inward(text.strip()), 0)


def _parse(text: str, depth: int) -> Node:
    text = text.strip()
    if depth > _MAX_DEPTH or not text:
        return Node("leaf", text)
    matrix = _MATRIX.fullmatch(text)
    if matrix and r"\begin" not in matrix[2]:
        rows = tuple(_row(row, depth) for row in _ROW.split(matrix[2]) if row.strip())
        return Node("set" if matrix[1] == "cases" else "matrix", text, rows)
    number = without_thousands(text)
    for separators in (_split_words, _split_commas, _split_unions):
        parts = separators(number)
        if len(parts) > 1:
            return _sequence(separators is _split_unions, text, parts, depth)
    return _single(number, depth)


def _row(row: str, depth: int) -> Node:
    """Parse one row of a matrix, or of a function by cases: a value and its condition."""
    cells = (_CONDITION.sub("", cell).strip().rstrip(",") for cell in row.split("&"))
    return Node("tuple", row, tuple(_parse(cell, depth + 1) for cell in cells))


def _sequence(is_union: bool, text: str, parts: list[str], depth: int) -> Node:
    items = tuple(_parse(part, depth + 1) for part in parts)
    if is_union and all(item.kind == "set" for item in items):
        return Node("set", text, tuple(member for item in items for member in item.items))
    if not is_union:
        spread = tuple(leaf for item in items for leaf in (item.items if item.kind == "list" else (item,)))
        all_intervals = all(as_interval(item) for item in items) and not any(i.kind == "tuple" for i in items)
        return Node("union" if all_intervals else "list", text, spread)
    return Node("union", text, items)


def _single(text: str, depth: int) -> Node:
    member = _MEMBER.match(text)
    if member:
        inner = _parse(text[member.end() :], depth + 1)
        if inner.kind == "leaf":
            return Node("equation", text, (Node("leaf", member[1]), inner), r"\in")
        pair = inner.kind == "tuple" and len(inner.items) == 2 and is_bounded(Node("leaf", member[1]))
        return Node("interval", text, inner.items, "()") if pair else inner
    signs, sides = _split_relation(text)
    if signs and not (signs == [r"\sim"] and sides[0][-1].isdigit()):
        items = tuple(_parse(side, depth + 1) for side in sides)
        if all(sign in ("=", r"\equiv", r"\approx", r"\sim") for sign in signs):
            return Node("equation", text, items, " ".join(signs))
        return Node("inequality", text, items, " ".join(signs))
    if (text[-1] in ")}" or r"\top" in text) and r"\begin" not in text:
        text = _POINT.sub("", _TRANSPOSED.sub("", text), count=1) or text
    bracketed = _bracketed(text, depth)
    if bracketed is not None:
        return bracketed
    if _SIGN.search(text):
        signed = _independent(text)
        if signed:
            return Node("list", text, tuple(_signed(_sign(one), depth) for one in signed))
        both = [_with_signs(text, plus, minus) for plus, minus in ("+-", "-+")]
        return Node("list", text, tuple(_signed(_sign(one), depth) for one in both))
    return Node("leaf", text)


def _independent(text: str) -> list[str]:
    """Return the values of "\\pm 1 \\pm i", in which each sign is free; nothing for one sign, or with \\mp."""
    parts = re.split(r"\\pm(?![a-zA-Z])", text)
    if not 2 < len(parts) <= _MAX_SIGNS + 1 or r"\mp" in text:
        return []
    return [
        parts[0] + "".join(sign + part for sign, part in zip(signs, parts[1:], strict=True))
        for signs in itertools.product("+-", repeat=len(parts) - 1)
    ]


def _sign(text: str) -> str:
    return text.strip().removeprefix("+").strip()


def _signed(text: str, depth: int) -> Node:
    r"""Return one of the two values of "\\pm(1,2)", whose sign goes to each item of a tuple."""
    positive = _bracketed(text.removeprefix("-").strip(), depth) if text.endswith(")") else None
    if positive is None or positive.kind != "tuple":
        return Node("leaf", text)
    if not text.startswith("-"):
        return positive
    return Node("tuple", text, tuple(Node("leaf", f"-({item.text})") for item in positive.items))


def _bracketed(text: str, depth: int) -> Node | None:
    opening = r"\{" if text.startswith(r"\{") else text[0]
    if opening not in ("(", "[", "{", r"\{") or matching(text, len(opening) - 1) != len(text) - 1:
        return None
    closing = text[-1]
    end = len(text) - (2 if closing == "}" and text[-2] == "\\" else 1)
    inner = text[len(opening) : end]
    if opening == r"\{" and _SUCH_THAT.search(inner):
        return _such_that(text, inner, depth)
    parts = _split_commas(inner)
    if opening == r"\{":
        items = tuple(_parse(part, depth + 1) for part in parts if part.strip())
        return Node(
            "set", text, tuple(i for item in items for i in (item.items if item.kind == "list" else (item,)))
        )
    if len(parts) == 1:
        return _parse(inner, depth + 1) if opening + closing in ("()", "[]", "{}") else None
    if opening == "{":
        return _parse(inner, depth + 1)
    items = tuple(_parse(part, depth + 1) for part in parts)
    endless = len(items) == 2 and any(item.text.strip("+-").strip() == r"\infty" for item in items)
    if opening == "(" and closing == ")" and not endless:
        if _SIGN.search(inner) and depth < _MAX_DEPTH and _is_one_sign(parts):
            rows = [_with_signs(text, plus, minus) for plus, minus in ("+-", "-+")]
            return Node("list", text, tuple(_parse(row, depth + 1) for row in rows))
        return Node("tuple", text, items)
    if len(parts) == 2:
        return Node("interval", text, items, opening + closing)
    return Node("vector", text, items) if opening == "[" and closing == "]" else None


def _with_signs(text: str, plus_minus: str, minus_plus: str) -> str:
    return text.replace(r"\pm", plus_minus).replace(r"\mp", minus_plus)


def _is_one_sign(parts: list[str]) -> bool:
    """Return whether the signs of a tuple change together: there is one \\pm, or \\mp tells so."""
    signs = [sign for part in parts for sign in _SIGN.findall(part)]
    return len(signs) == 1 or r"\mp" in signs


def _such_that(text: str, inner: str, depth: int) -> Node:
    """Parse a set of real numbers, such as {x : 0 < x < 1}, as its condition."""
    sign = _COLON if _COLON.search(inner) else _SUCH_THAT  # a bar may also be that of |x|
    pieces = [piece.strip() for _, piece in split(inner, sign)]
    name = re.sub(r"\s*\\in\s*\\mathbb\{R\}$", "", pieces[0])
    plain = len(pieces) == 2 and is_symbol(Node("leaf", name))
    return _parse(pieces[1], depth + 1) if plain else Node("leaf", text)


def is_label(node: Node) -> bool:
    """Tell whether ``node`` only names a value, as the left side of "x = 5", "f(n) = 5" or "Area = 5" does."""
    return _LABEL.fullmatch(node.text.strip()) is not None and not re.fullmatch(
        r"\s*(?:e|\\pi|\\infty)\s*", node.text
    )


def split(text: str, is_separator: re.Pattern[str]) -> list[tuple[str, str]]:
    """Split ``text`` at depth 0; return its pieces, each with the separator that precedes it."""
    pieces: list[tuple[str, str]] = []
    depth, start, sign, at = 0, 0, "", 0
    while at < len(text):
        char = text[at]
        if depth == 0:
            separator = is_separator.match(text, at)
            if separator and separator.end() > at:
                pieces.append((sign, text[start:at]))
                sign, at = separator[0].strip(), separator.end()
                start = at
                continue
        if char == "\\" and text[at + 1 : at + 2] not in ("{", "}"):
            if text.startswith((r"\begin", r"\lfloor", r"\lceil"), at):
                depth += 1
            elif text.startswith((r"\end", r"\rfloor", r"\rceil"), at):
                depth -= 1
            at += 2
            continue
        depth += (char in "([{") - (char in ")]}")
        at += 1
    return [*pieces, (sign, text[start:])]


# Matches "," and ";"; not ".".
_COMMA = re.compile(r"[,;]")
# Matches "\cup"; not "\cupcake".
_UNION = re.compile(r"\\cup(?![a-zA-Z])")


def _split_commas(text: str) -> list[str]:
    return [piece for _, piece in split(text, _COMMA)]


def _split_unions(text: str) -> list[str]:
    return [piece for _, piece in split(text, _UNION)]


def _split_words(text: str) -> list[str]:
    if not _WORD_SEPARATOR.search(text):
        return [text]
    pieces = [piece.strip().strip(",").strip() for _, piece in split(text, _WORD_SEPARATOR)]
    return [piece for piece in pieces if piece] or [text]


def _split_relation(text: str) -> tuple[list[str], list[str]]:
    if not _RELATION.search(text):
        return [], [text]
    pieces = split(text, _RELATION)
    sides = [side.strip() for _, side in pieces]
    if len(pieces) < 2 or not all(sides):
        return [], [text.strip().strip("=").strip() if len(pieces) == 2 else text]
    return [sign for sign, _ in pieces[1:]], sides
