"""Finds the program in a model's answer: the last complete fenced block of Python."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_PYTHON = re.compile(r"^\{?\.?(python|py|sage)[0-9.]*\b", re.IGNORECASE)
_AFTER_CLOSING = re.compile(r"^\s*((</\w+>|<\|[^|<>]{1,40}\|>)\s*)*$")
"""Closing tags, and tokens such as ``<|im_end|>`` that an engine left in the text."""
_DEEPER = 4
"""A fence this much further in than the one that opened the block belongs to the code: to a docstring, say."""
_UNKNOWN = 1 << 30


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
    marks = info = margin = ""
    deepest = 0
    body: list[str] = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        fence = _fence(line)
        if marks and fence is not None and fence.indent > deepest:
            fence = None
        if fence is None or (marks and not fence.closes(marks) and not fence.begins_afresh(marks)):
            body.append(_without(margin, line))
        elif not marks or fence.begins_afresh(marks):
            if fence.opens():
                marks, info, body = fence.marks, fence.info, []
                margin = line[: len(line) - len(line.lstrip())]
                # Behind words, such as the mark of a list, the fence does not tell where its block stands.
                deepest = _UNKNOWN if fence.before else fence.indent + _DEEPER - 1
        else:
            code = "\n".join(body)
            yield CodeBlock(info, textwrap.dedent(code) if deepest == _UNKNOWN else code)
            marks = ""


def _without(margin: str, line: str) -> str:
    """``line`` without the white space that stands before the opening fence, as far as it has it."""
    if line.startswith(margin):
        return line[len(margin) :]
    return line[min(len(margin), len(line) - len(line.lstrip(" "))) :]


def _width(margin: str) -> int:
    return len(margin.expandtabs(4))


@dataclass(frozen=True)
class _Fence:
    """A line with three or more backticks or tildes: what stands before them, and after."""

    before: str
    marks: str
    info: str
    indent: int

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
    indent = _width(line[: len(line) - len(line.lstrip())])
    if words.startswith("~~~"):
        info = words.lstrip("~")
        return _Fence("", words[: len(words) - len(info)], info.strip(), indent)
    if "```" not in words:
        return None
    head, _, info = words.rpartition("`")
    before = head.rstrip("`")
    marks = words[len(before) : len(words) - len(info)]
    if len(marks) < 3 or "```" in before:
        return None
    return _Fence(before.strip(), marks, info.strip(), indent)


def _is_program(code: str) -> bool:
    """Whether ``code`` is Python that does something, rather than sample data that happens to parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in body)
