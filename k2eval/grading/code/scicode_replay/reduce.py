"""Take everything that depends on ``target`` out of the tests of a SciCode step."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

COMPARE_MODULE = "scicode.compare.cmp"
"""The module from which tests import their comparisons; it exists neither inside nor outside."""


class Unjudgeable(Exception):
    """The test has a shape that cannot be judged by record and replay."""


def reduce_tests(tests: Sequence[str], called: Sequence[str]) -> list[str]:
    """Return the texts of ``tests`` without ``target`` and everything computed from it.

    Statements free of it stay as they are. Of the others, the parts that are free of it remain, in the order
    in which they are evaluated, so that their calls of the submission are made.

    Args:
        tests: The tests of one step, which share a namespace in this order.
        called: Names of the submission's functions and classes.

    Raises:
        Unjudgeable: If a value computed from ``target`` would reach the submission, or steers a loop or a branch.
    """
    tainted = {"target"}
    reduced = []
    for test in tests:
        tainted |= {"target"}
        body: list[ast.stmt] = []
        for statement in ast.parse(test).body:
            body += _reduce(statement, tainted, frozenset(called))
        reduced.append(ast.unparse(ast.Module(body, [])))
    return reduced


def _reduce(statement: ast.stmt, tainted: set[str], called: frozenset[str]) -> list[ast.stmt]:
    if isinstance(statement, ast.ImportFrom) and statement.module == COMPARE_MODULE:
        return []
    if not _mentions(statement, tainted):
        tainted -= _bound(statement)
        return [statement]
    if isinstance(statement, ast.Assert):
        expression: ast.expr = statement.test
    elif isinstance(statement, ast.Assign | ast.Expr):
        expression = statement.value
    else:
        raise Unjudgeable(
            f"target is used in a {type(statement).__name__} statement, line {statement.lineno}"
        )
    if isinstance(statement, ast.Assign):
        tainted |= _bound(statement)
    return [ast.Expr(part) for part in _free_parts(expression, tainted, called)]


def _free_parts(expression: ast.expr, tainted: set[str], called: frozenset[str]) -> Iterator[ast.expr]:
    """Yield the largest parts of ``expression`` that are free of ``target`` and have an effect when evaluated."""
    if not _mentions(expression, tainted):
        if any(isinstance(node, ast.Call | ast.Attribute | ast.Subscript) for node in ast.walk(expression)):
            yield expression
        return
    if isinstance(expression, ast.Call) and _root(expression.func) in called:
        raise Unjudgeable(f"target is an argument of {ast.unparse(expression.func)}")
    if isinstance(expression, ast.Lambda | ast.IfExp | ast.comprehension | ast.NamedExpr | ast.Await):
        raise Unjudgeable(f"target is used in a {type(expression).__name__} expression")
    if isinstance(expression, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        raise Unjudgeable("target is used in a comprehension")
    for child in ast.iter_child_nodes(expression):
        value = child.value if isinstance(child, ast.keyword) else child
        if isinstance(value, ast.expr):
            yield from _free_parts(value, tainted, called)


def _mentions(node: ast.AST, names: set[str]) -> bool:
    """Tell whether ``node`` uses one of the names; a new value for a name is no use of it, ``+=`` is."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in names and not isinstance(part.ctx, ast.Store):
            return True
        if isinstance(part, ast.AugAssign) and _root(part.target) in names:
            return True
    return False


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds, and the names of the values that it changes."""
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    } | {
        root
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript | ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and (root := _root(node)) is not None
    }


def _root(expression: ast.expr) -> str | None:
    """Return the name at the left end of ``a.b[c](d)``."""
    while not isinstance(expression, ast.Name):
        if isinstance(expression, ast.Attribute | ast.Subscript | ast.Starred):
            expression = expression.value
        elif isinstance(expression, ast.Call):
            expression = expression.func
        else:
            return None
    return expression.id
