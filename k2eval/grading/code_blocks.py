"""Finds the program in a model's answer: the last complete fenced block of Python."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_PYTHON = re.compile(r"^\{?\.?(python|py|sage)[0-9.]*\b", re.IGNORECASE)
_AFTER_CLOSING = re.compile(r"^\s*(</\w+>\s*)*$")


@dataclass(frozen=True)
class CodeBlock:
    """One complete fenced block of a Markdown text."""

    info: str
    """What stands after the opening fence, such as ``python``; empty for an unnamed block."""
    code: str

    @property
    def is_python(self) -> bool:
        """Whether the block says that it is Python."""
        return _PYTHON.match(self.info) is not None


def extract_code(answer: str) -> str | None:
    """The program of an ``answer`` whose reasoning has been split off, or None if there is none.

    The program is the last complete block that is marked as Python, or unmarked and a program. Unmarked
    blocks with sample output and the like are passed over, and taken only where nothing else is there.
    Whatever follows the block does not matter.
    """
    blocks = list(code_blocks(answer))
    unnamed = [block for block in blocks if not block.info]
    programs = [block for block in blocks if block.is_python or (not block.info and _is_program(block.code))]
    chosen = programs or unnamed
    return chosen[-1].code if chosen else None


def code_blocks(text: str) -> Iterator[CodeBlock]:
    """The complete fenced blocks of ``text``, in order.

    More forgiving than CommonMark in what models do: an opening fence may follow other words on its line, a
    closing fence may be followed by closing tags, and a fence with a language inside an open block means that
    the model began afresh.
    """
    marks = ""
    info = ""
    indent = 0
    body: list[str] = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        fence = _fence(line)
        if fence is None or (marks and not fence.closes(marks) and not fence.begins_afresh(marks)):
            body.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
        elif not marks or fence.begins_afresh(marks):
            if fence.opens():
                marks, info, body = fence.marks, fence.info, []
                indent = len(line) - len(line.lstrip(" "))
        else:
            yield CodeBlock(info, "\n".join(body))
            marks = ""


@dataclass(frozen=True)
class _Fence:
    """A line with three or more backticks or tildes: what stands before them, and after."""

    before: str
    marks: str
    info: str

    def opens(self) -> bool:
        """Words before the fence are allowed only where Python, or nothing, is announced."""
        return not self.before or not self.info or _PYTHON.match(self.info) is not None

    def closes(self, marks: str) -> bool:
        return (
            self.marks.startswith(marks) and not self.before and _AFTER_CLOSING.match(self.info) is not None
        )

    def begins_afresh(self, marks: str) -> bool:
        return self.marks.startswith(marks) and not self.before and _PYTHON.match(self.info) is not None


def _fence(line: str) -> _Fence | None:
    """The fence on ``line``, if there is one; a pair of fences on one line is inline code, not a fence."""
    words = line.strip()
    if words.startswith("~~~"):
        info = words.lstrip("~")
        return _Fence("", words[: len(words) - len(info)], info.strip())
    if "```" not in words:
        return None
    head, _, info = words.rpartition("`")
    before = head.rstrip("`")
    marks = words[len(before) : len(words) - len(info)]
    if len(marks) < 3 or "```" in before:
        return None
    return _Fence(before.strip(), marks, info.strip())


def _is_program(code: str) -> bool:
    """Whether ``code`` is Python that does something, rather than sample data that happens to parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in body)
