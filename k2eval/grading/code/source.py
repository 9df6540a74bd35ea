"""Facts from the text of a program before it runs: the names that it binds, its ``__future__`` imports."""

from __future__ import annotations

import ast
import builtins
import io
import symtable
import tokenize
import warnings
from collections.abc import Iterator
from functools import lru_cache

PARSED_AT_MOST = 4_000_000
"""Characters of a program that are parsed here. A longer one runs all the same; only its names are not known."""

_LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def parsed(code: str) -> list[ast.stmt] | None:
    """Return the statements of ``code``, or None if it is not Python."""
    return _parsed(code) if len(code) <= PARSED_AT_MOST else None


@lru_cache(maxsize=16)
def _parsed(code: str) -> list[ast.stmt] | None:
    try:
        return _parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parse(code: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code).body


def line_of_error(code: str) -> int:
    """Return the line (from 1) at which ``code`` ceases to be Python; 0 if that cannot be told."""
    try:
        _parse(code)
    except SyntaxError as error:
        return error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        pass
    return 0


def names_bound(code: str) -> frozenset[str]:
    """Return the names that ``code`` binds in its module: functions, classes, assignments, imports.

    Statements below ``if``, ``try``, ``with`` and loops count. The result is empty if ``code`` is not Python.

    >>> sorted(names_bound("import os.path\\nif True:\\n    class A: pass\\nf = lambda x: x"))
    ['A', 'f', 'os']
    """
    return frozenset(name for node in _module_level(code) for name in _bound_by(node))


def defines(code: str, name: str) -> bool:
    """Tell whether ``code`` itself says what ``name`` is: not by an import, and not by a mere header.

    >>> defines("def f(x):\\n    '''Return x.'''", "f"), defines("f = lambda x: x", "f")
    (False, True)
    """
    if name not in code:
        return False
    return any(name in _bound_by(node) and not _is_empty(node) for node in _module_level(code))


def names_missing(code: str) -> frozenset[str]:
    """Return the names that ``code`` takes from outside: neither bound in it nor built in.

    >>> sorted(names_missing("def f(x):\\n    return helper(len(x), y)"))
    ['helper', 'y']
    """
    if parsed(code) is None:
        return frozenset()
    try:
        todo = [symtable.symtable(code, "program", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    missing: set[str] = set()
    while todo:
        table = todo.pop()
        todo.extend(table.get_children())
        missing |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_global() and symbol.is_referenced()
        }
    return frozenset(missing - names_bound(code) - set(dir(builtins)))


def definitions(code: str, names: frozenset[str]) -> str:
    """Return the imports, functions, classes and constants of ``code`` that bind any of ``names``, and nothing else.

    >>> definitions("import math\\nprint(math.pi)\\ndef f(): pass\\nn = input()", frozenset({"math", "n"}))
    'import math'
    """
    lines = with_plain_lines(code).split("\n")
    parts = []
    for node in parsed(code) or []:
        is_constant = isinstance(node, ast.Assign) and _is_literal(node.value)
        if not (is_constant or isinstance(node, (*_SCOPES, ast.Import, ast.ImportFrom))):
            continue
        if names.intersection(_bound_by(node)):
            above = [decorator.lineno for decorator in getattr(node, "decorator_list", [])]
            parts += lines[min([node.lineno, *above]) - 1 : node.end_lineno]
    return "\n".join(parts)


def _is_literal(node: ast.expr) -> bool:
    plain = (
        ast.Constant,
        ast.List,
        ast.Tuple,
        ast.Dict,
        ast.Set,
        ast.UnaryOp,
        ast.BinOp,
        ast.operator,
        ast.unaryop,
        ast.expr_context,
    )
    return all(isinstance(part, plain) for part in ast.walk(node))


def returns_something(code: str) -> bool:
    """Tell whether ``code`` is the body of a function: it has a ``return`` or ``yield`` outside of any function."""
    indented = code.lstrip("\n")[:1] in (" ", "\t")
    body = parsed(f"def _():\n{code}" if indented else code) or []
    if indented and body and isinstance(body[0], ast.FunctionDef):
        body = body[0].body
    return any(
        isinstance(node, ast.Return)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom))
        for node in _below(body)
    )


def split_after_future(code: str) -> tuple[str, str]:
    """Split ``code`` behind its ``__future__`` imports, which Python wants before all other statements.

    Returns:
        The text up to the end of the last such import (empty if there is none), and the rest.

    >>> split_after_future("from __future__ import annotations  # why\\nx = 1")
    ('from __future__ import annotations', '  # why\\nx = 1')
    """
    if "__future__" not in code:
        return "", code
    code = with_plain_lines(code)
    place = _end_of_future(code)
    if place is None:
        return "", code
    line, column = place
    at = sum(len(text) + 1 for text in code.split("\n", line - 1)[: line - 1]) + column
    return code[:at], code[at:]


def with_plain_lines(code: str) -> str:
    """Return ``code`` with the line ends that Python itself makes of others, within texts too."""
    return code.replace("\r\n", "\n").replace("\r", "\n")


def _end_of_future(code: str) -> tuple[int, int] | None:
    """Return line (from 1) and column of the end of the last ``__future__`` import, reading no further."""
    end = None
    statement: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code, newline="\n").readline):
            if token.type in _LAYOUT:
                continue
            if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER) or token.string == ";":
                if _words(statement) == ["from", "__future__"]:
                    end = statement[-1].end
                statement = []
                continue
            statement.append(token)
            is_docstring = token.type == tokenize.STRING
            if not is_docstring and _words(statement) not in (["from"], ["from", "__future__"]):
                break
    except (tokenize.TokenError, SyntaxError):
        pass
    return end


def _words(statement: list[tokenize.TokenInfo]) -> list[str]:
    return [token.string for token in statement[:2]]


def _module_level(code: str) -> Iterator[ast.AST]:
    return _below(parsed(code) or [])


def _below(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield statements and all those within them, except the bodies of functions and classes."""
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES):
            for name in _BLOCKS:
                todo.extend(reversed(getattr(node, name, [])))


def _bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, _SCOPES):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [each.asname or each.name.partition(".")[0] for each in node.names]
    if isinstance(node, ast.Assign):
        return [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return [node.target.id]
    return []


def _is_empty(node: ast.AST) -> bool:
    """Tell whether the statement is an import, or has only a docstring, ``...`` or ``pass`` below its header."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    return isinstance(node, _SCOPES) and all(
        isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for part in node.body
    )
