"""Find the requested function in an answer: in a block, without a fence, or as the body below a given header."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from k2eval.grading.code.blocks import code_blocks, extract_code
from k2eval.grading.code.source import defines, line_of_error, parsed, returns_something

# Matches the start of "```python" and "~~~"; not "`x`".
_FENCE = re.compile(r"\s*(?:```|~~~)")
# Matches "def f" and "x = 1"; not "Here is" or "x == 1".
_STARTS = re.compile(
    r"from |import |async |def |class |@|if |try:|with |for |while |#|[A-Za-z_]\w*\s*(?:[,:][^=\n]*)?=[^=]"
)
"""The start of a line from which a text may be code."""
_PARSED_AT_MOST, _EACH_TIME = 4_000_000, 1000
"""Characters of an answer that are parsed in search of code, and what each attempt costs besides."""
_HEADER = "def _():"


def function_code(answer: str, name: str, truncated: bool = False) -> str | None:
    """Return the code in ``answer`` that gives the function ``name``, or None if there is none.

    The code is, in this order: the last block that defines the function; a definition that stands without a fence,
    or before a fence that the prompt opened; the last block that is a function's body; such a body without a
    fence; the block that would be the program of any answer.

    Args:
        answer: Markdown, or bare code, whose reasoning has been split off.
        name: The function.
        truncated: Whether the answer was cut at the token limit; then only complete blocks count.

    >>> function_code("Here you are:\\n\\ndef f(x):\\n    return x\\n\\nIt returns x.", "f")
    'def f(x):\\n    return x'
    """
    code = extract_code(answer, name)
    if code is not None and defines(code, name):
        return code
    if truncated:
        return _body_in_block(answer) or code
    return _unfenced(answer, name) or _body_in_block(answer) or _body_before_fence(answer) or code


def _body_in_block(answer: str) -> str | None:
    blocks = [block for block in code_blocks(answer) if not block.is_session]
    return next((block.code for block in reversed(blocks) if returns_something(block.code)), None)


def _body_before_fence(answer: str) -> str | None:
    """Return the body with which ``answer`` goes on where its prompt ended, without the words behind it."""
    lines = answer.split("\n")
    lines = lines[: next(_fences(lines), len(lines))]
    text = "\n".join(lines)
    if text.lstrip("\n")[:1] not in (" ", "\t"):
        return text if returns_something(text) else None
    code = _longest_code([_HEADER, *lines], 0, _Effort())
    return code and code.removeprefix(f"{_HEADER}\n")


def _unfenced(answer: str, name: str) -> str | None:
    """Return the last definition of ``name`` outside of any fence, with the code around it."""
    lines, effort = answer.split("\n"), _Effort()
    borders = [-1, *_fences(lines), len(lines)]
    binds = re.compile(rf"(?:async\s+)?def\s+{re.escape(name)}\b|{re.escape(name)}\s*(?::[^=]*)?=[^=]")
    for before, after in reversed(list(zip(borders, borders[1:], strict=False))):
        section = lines[before + 1 : after]
        places = [number for number, line in enumerate(section) if binds.match(line)]
        if places and (code := _code_around(section, places[-1], effort)) and defines(code, name):
            return code
    return None


def _fences(lines: Sequence[str]) -> Iterator[int]:
    return (number for number, line in enumerate(lines) if _FENCE.match(line))


class _Effort:
    """The rest of the effort for the search in one answer, so that no answer takes long."""

    def __init__(self) -> None:
        self.left = _PARSED_AT_MOST

    def allows(self, lines: Sequence[str]) -> bool:
        """Tell whether ``lines`` may be parsed, and count them."""
        self.left -= _EACH_TIME + len(lines) + sum(map(len, lines))
        return self.left >= 0


def _code_around(lines: Sequence[str], place: int, effort: _Effort) -> str | None:
    """Return the longest code that begins at or before the line ``place`` and goes on behind it."""
    starts = (number for number in range(place + 1) if _STARTS.match(lines[number]))
    while effort.left > 0 and (start := next(starts, None)) is not None:
        code = _longest_code(lines[start:], place - start, effort)
        if code is not None:
            return code
    return None


def _longest_code(lines: Sequence[str], place: int, effort: _Effort) -> str | None:
    """Return ``lines`` up to the last line with which they are code, which lies behind ``place``."""
    end = len(lines)
    while effort.allows(lines[:end]):
        code = "\n".join(lines[:end])
        body = parsed(code)
        if body is not None:
            return "\n".join(lines[: _end_without_words(body, place)])
        error = line_of_error(code)
        end = next((at for at in range(min(error, end) - 1, place, -1) if _begins_something(lines[at])), 0)
        if end == 0:
            return None
    return None


def _begins_something(line: str) -> bool:
    return line.strip() != "" and line[:1] not in (" ", "\t", ")", "]", "}")


def _end_without_words(body: Sequence[ast.stmt], place: int) -> int:
    """Return the line where the code ends, if words at its end are left out that parse by chance (``Explanation``)."""
    statements = list(body)
    while len(statements) > 1 and statements[-1].lineno > place + 1 and _is_words(statements[-1]):
        statements.pop()
    return statements[-1].end_lineno or 0


def _is_words(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Await)
