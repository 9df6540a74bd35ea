"""Find the program in a model's answer: one of the fenced blocks of its Markdown."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from k2eval.grading.code.source import defines, definitions, names_missing, parsed, split_after_future

# Matches "python3", "pypy3-64", "lang-py" and "main.py"; not "text" or "pyramid".
_PYTHON = re.compile(
    r"(?:lang(?:uage)?-)?\.?(?:python|pypy|ipython|cython|sage|jupyter|py)[0-9.]*(?:-\w+)?|\S+\.(?:py|ipynb)",
    re.IGNORECASE,
)
# Matches what divides the words of a label: " ", "{.", "="; not "-".
_BETWEEN_WORDS = re.compile(r"[\s,;:={}()<>\[\]\"'|]+")
_KEYS = frozenset(("lang", "language", "file", "filename", "title", "name", "code", "source", "src"))
"""First words of a label that say nothing by themselves: ``lang=python``, ``title="main.py"``."""
_NO_LANGUAGE = frozenset(
    " code text txt plain plaintext none raw source src program solution answer submission final script".split(
        " "
    )
)
# Matches "</think>" and "<|im_end|> " behind a closing fence; not "end of text".
_AFTER_CLOSING = re.compile(r"^\s*((</\w+>|<\|[^|<>]{1,40}\|>)\s*)*$")
"""Closing tags, and tokens such as ``<|im_end|>`` that an engine left in the text."""
# Matches "```</think>```python"; not "```python".
_GLUED = re.compile(
    r"^(?P<closing>\s*(?:`{3,}|~{3,})(?:</?\w+>|<\|[^|<>]{1,40}\|>|\[/?[A-Z]+\]|assistant|final)+)(?P<rest>`{3}.*)$"
)
"""A closing fence and, behind the tags that end the reasoning, an opening one on the same line."""
_DEEPER = 4
"""A fence this much further in than the one that opened the block belongs to the code: to a docstring, say."""
_UNKNOWN = 1 << 30

_ROUNDS = 5
"""Times that helpers are looked for: those of the program, those of its helpers, and so on."""
# Matches "> ```python", a fence in a quotation; not ">>> ```".
_QUOTED_FENCE = re.compile(r"^ {0,3}> ?(?:`{3}|~{3})", re.MULTILINE)
# Matches the mark of a quoted line; not that of a session at Python's prompt.
_QUOTE = re.compile(r" {0,3}>(?!>) ?")
# Matches ">>> x" and "In [3]: x"; not "> x".
_SESSION = re.compile(r"\s*(?:>>>|In \[\d+\]:)")
# Matches a name that reads: "input", "sys.stdin"; not "inputs".
_READS = re.compile(r"\b(?:input|stdin|open|fileinput|read|readlines?|loadtxt|fromfile|genfromtxt|mmap)\b")
# Matches a name that writes: "print", "sys.stdout"; not "printed".
_WRITES = re.compile(r"\b(?:print|stdout|write|writelines|writev|savetxt)\b")


@dataclass(frozen=True)
class CodeBlock:
    """One complete fenced block of a Markdown text."""

    info: str
    """The text after the opening fence, such as ``python``; empty for an unnamed block."""
    code: str

    @property
    def is_python(self) -> bool:
        """Whether the block is marked as Python."""
        return _is_python(self.info)

    @property
    def names_no_language(self) -> bool:
        """Whether the block has no label, or a label such as ``text`` or ``code``."""
        return _first_word(self.info) in _NO_LANGUAGE

    @property
    def is_session(self) -> bool:
        """Whether the block shows a session at Python's prompt: it cannot run as a program."""
        return _SESSION.match(self.code) is not None


def extract_code(answer: str, *names: str) -> str | None:
    """Return the program of an ``answer`` whose reasoning has been split off, or None if there is none.

    The program is the last complete block that is marked as Python and does more than ``n = 3``. Only if no block is
    marked may an unmarked one, or one with another label, be the program: the last of those that do most of what
    programs do. Whatever follows the block does not matter.

    Args:
        answer: Markdown.
        names: Names that the program should define. Blocks that define any of it come before all others, and get the
            imports and helpers that they need from other blocks.

    >>> extract_code("```python\\nprint(1)\\n```\\nIt prints\\n```\\nn = 1\\n```")
    'print(1)'
    """
    blocks = list(code_blocks(answer))
    marked = [block for block in blocks if block.is_python and not block.is_session]
    others = [block for block in blocks if not block.is_python and not block.is_session]
    for group in (marked, others) if names else ():
        fits = [any(defines(block.code, name) for name in names) for block in group]
        if any(fits):
            last = max(place for place, is_fit in enumerate(fits) if is_fit)
            helpers = [block.code for block, is_fit in zip(group, fits, strict=True) if not is_fit]
            return _with_helpers(group[last].code, helpers, names)
    if marked:
        return next((block.code for block in reversed(marked) if not _is_note(block.code)), marked[-1].code)
    return _most_like_a_program(others) or _last_of(blocks)


def _with_helpers(code: str, others: Sequence[str], names: Sequence[str]) -> str:
    """Return ``code`` behind the imports and helpers that it needs and that stand in blocks of their own."""
    for _ in range(_ROUNDS):
        missing = names_missing(code).difference(names)
        if not missing:
            break
        helpers = next((text for other in reversed(others) if (text := definitions(other, missing))), "")
        if not helpers:
            break
        future, rest = split_after_future(code)
        code = "\n".join(filter(None, (future, helpers, rest)))
    return code


def _most_like_a_program(blocks: Sequence[CodeBlock]) -> str | None:
    """Return the last of the blocks that do most; a block in another language must really be a program."""
    ranked = [(_activity(block.code), block.names_no_language, block.code) for block in blocks]
    ranked = [entry for entry in ranked if entry[0] >= (1 if entry[1] else 2)]
    most = max((entry[:2] for entry in ranked), default=None)
    return next((code for *rank, code in reversed(ranked) if tuple(rank) == most), None)


def _last_of(blocks: Sequence[CodeBlock]) -> str | None:
    usable = [block.code for block in blocks if block.is_python or not block.info]
    return usable[-1] if usable else None


def _activity(code: str) -> int:
    """Return how much ``code`` does of what programs do.

    0 is no Python, or data that happen to parse; 1 an assignment or a call, as notes have them (``n = 3``, ``O(n)``);
    2 has a statement with others below it, an import or some output; 3 reads something, too.
    """
    body = parsed(code)
    if not body or all(isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call) for node in body):
        return 0
    acts = _WRITES.search(code) or any(_is_of_a_program(node) for node in body)
    return (3 if _READS.search(code) else 2) if acts else 1


def _is_note(code: str) -> bool:
    """Return whether ``code`` is Python that does nothing: an example of the input, such as ``n = 3``."""
    return parsed(code) is not None and _activity(code) < 2


def _is_of_a_program(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or hasattr(node, "body")


def _first_word(info: str) -> str:
    return next((word for word in _BETWEEN_WORDS.split(info.lower()) if word), "")


def _is_python(info: str) -> bool:
    words = [word for word in _BETWEEN_WORDS.split(info) if word]
    if words and words[0].lower() in _KEYS:
        words = words[1:]
    return bool(words) and _PYTHON.fullmatch(words[0]) is not None


def code_blocks(text: str) -> Iterator[CodeBlock]:
    """Yield the complete fenced blocks of ``text``, in order.

    The rules are more lenient than CommonMark's. An opening fence may follow other words on its line. A closing fence
    may be followed by closing tags. A fence with a language inside an open block means that the model began again.
    """
    marks = info = margin = ""
    deepest = 0
    body: list[str] = []
    for line in _lines(text):
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
            yield _block(info, "\n".join(body), deepest == _UNKNOWN)
            marks = ""


def _block(info: str, code: str, is_behind_words: bool) -> CodeBlock:
    """Return a block without a byte order mark, and with the language that it may name in its first line."""
    code = (textwrap.dedent(code) if is_behind_words else code).removeprefix("\ufeff")
    first, _, rest = code.partition("\n")
    names_itself = not info and first.strip().casefold() in ("python", "python3", "py") and rest.strip()
    return CodeBlock(first.strip(), rest) if names_itself else CodeBlock(info, code)


def _lines(text: str) -> Iterator[str]:
    is_quoted = _QUOTED_FENCE.search(text) is not None
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if is_quoted and (mark := _QUOTE.match(line)):
            line = line[mark.end() :]
        glued = _GLUED.match(line) if "```" in line else None
        yield from glued.group("closing", "rest") if glued else (line,)


def _without(margin: str, line: str) -> str:
    """Return ``line`` without the margin of the opening fence, as far as the line has it."""
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
        """Tell whether the fence opens a block: words may precede it only if it announces Python or nothing."""
        return not self.before or not self.info or _is_python(self.info)

    def closes(self, marks: str) -> bool:
        return (
            self.marks.startswith(marks) and not self.before and _AFTER_CLOSING.match(self.info) is not None
        )

    def begins_afresh(self, marks: str) -> bool:
        return self.marks.startswith(marks) and not self.before and _is_python(self.info)


def _fence(line: str) -> _Fence | None:
    """Return the fence on ``line``, or None; a pair of fences on one line is inline code, not a fence."""
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
