r"""Read matrices and vectors in the forms that the outer shape does not show: a factor in front, a transpose, nested
brackets, or unit vectors.

    >>> read(r"\frac{1}{3}\begin{pmatrix}1\\2\end{pmatrix}").items[0].items[0].text
    '(\\frac{1}{3})\\cdot (1)'
    >>> [item.text for item in unit_vectors(r"3\text{i}-\text{j}+2\text{k}").items]
    ['3', '-1', '2']
"""

from __future__ import annotations

import re

from k2eval.grading.math import symbolic
from k2eval.grading.math.interval import Node
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import parse, split

_MATRIX = re.compile(
    r"(?P<factor>.*?)\s*+(?:\\cdot|\\times)?\s*+(?P<matrix>\\begin\{(?P<kind>[pbB]?matrix|array)\}(?:(?!\\begin).)*\\end\{(?P=kind)\})"
    r"\s*(?P<top>\^\s*(?:\{\s*(?:T|\\top|\\text\s*\{\s*T\s*\}|\\intercal)\s*\}|\\top|\\intercal|T))?\s*(?:/\s*(?P<by>\d+))?",
    re.DOTALL,
)
r"""Matches "\frac12 \begin{pmatrix}..\end{pmatrix}^T" / not a sum or product of matrices."""
_SCALED = re.compile(
    r"(?P<factor>-?\s*+(?:\d++(?:\.\d++)?\s*+|\\frac\s*+\{[\d\s]++\}\s*+\{[\d\s]++\}\s*+|\\sqrt\s*+\{\d++\}\s*+|/\s*+(?=\d))++)"
    r"(?:\\cdot\s*+|\\times\s*+)?(?P<tuple>\(.*\))",
    re.DOTALL,
)
r"""Matches "2(1,2)" and "\frac{1}{5}(3,4)" / not "f(1,2)"."""
# Matches "[\begin{matrix}1\end{matrix}]"; not "\begin{matrix}1\end{matrix}".
_BRACKETED = re.compile(r"([\[(])\s*(\\begin.*\\end\{[a-z]*\})\s*[\])]", re.DOTALL)
_UNIT_VECTOR = re.compile(
    r"\\(?:hat|vec|overrightarrow|text|widehat|mathbf|bm|boldsymbol|mathrm)\s*\{?\s*(?:\\text\s*\{?\s*)?(?:\\([ij])math|([ijk])(?![a-zA-Z]))\s*\}?\s*\}?"
)
r"""Matches \hat{i}, \vec j, \text{k}, \hat{\text{i}}, \hat{\imath} / not i, \text{in}."""
_IDENTITY = re.compile(
    r"(?P<factor>[-+]?\s*(?:\d+|\\frac\s*\{\d+\}\s*\{\d+\})?)\s*(?:\\cdot\s*)?"
    r"(?:\\text\s*\{\s*[IE]\s*\}|[IE])\s*(?:_\s*\{?\s*(?P<size>[2-9n])\s*\}?)?"
)
r"""Matches the identity matrix, "-I", "2I_{3}", "\text{I}" / not "AI", "I^2"."""
# Matches "i" in "3i - 2j"; not "\pi" or "k(x)".
_BARE_VECTOR = re.compile(r"(?<![a-zA-Z\\_{])([ijk])(?![a-zA-Z({_])")


def read(text: str) -> Node | None:
    """Return the matrix that ``text`` is with a factor in front or a transpose behind; None if it is none."""
    bracketed = _BRACKETED.fullmatch(text.strip())
    if bracketed:
        text = bracketed[2]
    match = _MATRIX.fullmatch(text.strip())
    if match is None:
        return _nested(text)
    factor = match["factor"].strip().removesuffix(r"\cdot").strip()
    if factor and not _is_number(factor):
        return None
    node = parse(match["matrix"])
    if node.kind != "matrix":
        return None
    rows = [row.items for row in node.items]
    if len({len(row) for row in rows}) != 1:
        return None
    if match["top"]:
        rows = list(zip(*rows, strict=True))
    factor = "-1" if factor == "-" else factor
    factor = rf"\frac{{{factor or 1}}}{{{match['by']}}}" if match["by"] else factor
    return _of_rows(text, [[_times(factor, cell) for cell in row] for row in rows])


def scaled(text: str) -> Node | None:
    """Return the tuple that ``text`` is, with a number in front of its bracket; None if it is none."""
    match = _SCALED.fullmatch(text.strip())
    vector = parse(match["tuple"]) if match else None
    if match is None or vector is None or vector.kind != "tuple":
        return None
    factor = "-1" if match["factor"].strip() == "-" else match["factor"]
    return Node("tuple", text, tuple(_times(factor, item) for item in vector.items))


def _is_number(factor: str) -> bool:
    if factor == "-":
        return True
    expr = symbolic.parse(factor.removesuffix("(").strip()) if "=" not in factor else None
    return expr is not None and hasattr(expr, "is_number")


def _times(factor: str, cell: Node) -> Node:
    return Node("leaf", rf"({factor})\cdot ({cell.text})") if factor else cell


def _of_rows(text: str, rows: list[list[Node]]) -> Node:
    items = tuple(Node("tuple", " & ".join(cell.text for cell in row), tuple(row)) for row in rows)
    return Node("matrix", text, items)


def is_multiple_of_identity(matrix: Node, text: str) -> bool:
    """Return whether ``text`` is the square ``matrix`` written as "-I" or "2I_{3}"."""
    match = _IDENTITY.fullmatch(text.strip())
    size = len(matrix.items)
    if match is None or any(len(row.items) != size for row in matrix.items):
        return False
    if match["size"] not in (None, "n", str(size)):
        return False
    factor = match["factor"].replace(" ", "")
    number = exact(factor + "1" if factor in ("", "-", "+") else factor)
    cells = [[exact(cell.text) for cell in row.items] for row in matrix.items]
    return all(cell == (number if i == j else 0) for i, row in enumerate(cells) for j, cell in enumerate(row))


def _nested(text: str) -> Node | None:
    """Return the matrix that [[1,2],[3,4]] is."""
    bare = re.sub(r"\s", "", text)
    if not (bare.startswith("[[") and bare.endswith("]]")):
        return None
    rows = [parse(row) for _, row in split(text.strip()[1:-1], re.compile(","))]
    cells = [
        list(row.items) if row.kind in ("interval", "vector") and row.detail in ("", "[]") else []
        for row in rows
    ]
    cells = [row or [parse(node.text.strip("[] "))] for row, node in zip(cells, rows, strict=True)]
    return _of_rows(text, cells) if len({len(row) for row in cells}) == 1 else None


def unit_vectors(text: str, plain: bool = False) -> Node | None:
    """Return the components of "3i - j + 2k" as a tuple; None if ``text`` is no sum of unit vectors.

    Args:
        text: The sum; the vectors wear a hat or stand upright.
        plain: Whether they may be plain letters, since a vector is asked for.
    """
    marked, count = _UNIT_VECTOR.subn(lambda m: rf" V_{{{m[1] or m[2]}}} ", text)
    if not count and not plain:
        return None
    marked = _BARE_VECTOR.sub(r" V_{\1} ", marked)
    return _components(text, marked)


@symbolic.otherwise(None)
def _components(text: str, marked: str) -> Node | None:
    import sympy

    expr = symbolic.parse(marked) if "V_" in marked else None
    if expr is None or (not getattr(expr, "is_Add", False) and not expr.is_Mul and not expr.is_Symbol):
        return None
    axes = [symbol for symbol in expr.free_symbols if str(symbol.name).startswith("V_")]
    polynomial = sympy.Poly(expr, *sorted(axes, key=lambda symbol: str(symbol.name)))
    if polynomial.total_degree() != 1 or polynomial.eval(dict.fromkeys(axes, 0)) != 0:
        return None
    parts = {str(axis.name).strip("V_{}"): polynomial.coeff_monomial(axis) for axis in axes}
    items = tuple(Node("leaf", sympy.latex(parts.get(name, sympy.S.Zero))) for name in ("i", "j", "k"))
    return Node("tuple", text, items)
