"""Find the final answer in what a response says after its reasoning: look for the last box.

The rules, in order:

1. An ``<answer>`` block counts where it is stated last; its closing tag may be missing, since engines may cut
   the stop string. A box inside it wins; without one, a block of prose loses to an earlier box.
2. Otherwise the last complete, non-empty ``\\boxed{…}`` or ``\\fbox{…}`` of the answer part counts.
   A box that was opened later and never closed makes the answer incomplete.
3. Otherwise the last explicit statement counts ("the final answer is …", "Answer: …"), or a last line that is
   nothing but a formula, a number or an equation (`k2eval.grading.value`). Numbers in passing never count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from k2eval.grading.statement import is_withdrawn, statements
from k2eval.grading.value import stated_value

EXTRACTED_LIMIT = 500
"""Characters of an answer that a grade keeps."""

WINDOW = 1_000_000
"""Characters at the end of the answer part that are searched."""

_MAX_SIBLINGS = 20
# Matches "\boxed" in front of a brace, an escaped character, "{" and "}"; not "\boxed 7".
_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)|\\.|[{}]", re.DOTALL)
# Matches "\boxed 7" and "\boxed A"; not "\boxed{7}" or "\boxed Alpha".
_UNBRACED = re.compile(r"\\(?:boxed|fbox)\s*([-+]?[0-9][0-9.,/]*|[A-Za-z])(?![A-Za-z{])")
# Matches "x = $\boxed{"; not "2x = \boxed{" or "= \boxed{".
_NAMED = re.compile(
    r"(?<![\w\\}])([a-zA-Z](?:_\w|_\{\w{1,3}\})?)\s*=\s*(?:\$|\\\()?\s*\\(?:boxed|fbox)\s*\{$"
)
_JOINT = re.compile(
    # Matches "}and", "},x=\boxed{" and "}or" between two boxes, blanks aside; not "}.Then\boxed{" or "},i.e.\boxed{".
    r"\}?(?:\\[)\]])?[,;、]*(?:\\(?:text|mbox|qquad|quad)\{?)*(?P<word>(?:and/or|and|or|\\?&|或者?|和|与)?)[,}]*"
    r"(?:also|maybe|perhaps|possibly)?(?:\\(?:qquad|quad))*(?:\\[(\[])?(?:[a-zA-Z](?:_\w)?=(?:\\\()?)?\\(?:boxed|fbox)\{"
)
# Matches blanks and dollars.
_BLANK = re.compile(r"[\s$]+")
_MAX_JOINT = 60
_DENIED = re.compile(
    # Matches "}$ is not the answer" and "}, but this is wrong" behind a box; not "} is not prime".
    r"\}?[\s$]*(?:\\[)\]])?[\s.,;*_]*(?:(?:but\s+)?(?:this|that|it|which)\s+)?(?:is|was|would\s+be)\s+"
    r"(?:not\s+(?:the\s+(?:(?:final|correct|right)\s+)?(?:answer|solution)|correct|right)|wrong|incorrect|false)\b",
    re.IGNORECASE,
)
# Matches a digit and a command; not words.
_FORMULA = re.compile(r"[\d\\]")
_BEHIND = 20_000
"""Characters behind the last box that are read for a correction."""
# Matches the name in "x = 1"; not "2x = 1".
_EQUATION = re.compile(r"[a-zA-Z](?:_\w|_\{\w{1,3}\})?\s*=")
# Matches any character but white space.
_VISIBLE = re.compile(r"\S")
# Matches a word of three letters: "the"; not "\frac" or "ab".
_PROSE = re.compile(r"(?<!\\)(?<![A-Za-z])[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer of a response, as written."""

    text: str | None
    """None if there is none."""
    siblings: tuple[str, ...] = ()
    """All boxes on the line of the last one, itself included: "\\boxed{1} and \\boxed{2}"."""
    end: int = 0
    """The end of the last box; 0 without one."""
    named: str = ""
    r"""The boxes of that line with the names in front of them, "x=\\boxed{1}, y=\\boxed{2}"; empty without names."""
    joined: str = ""
    r"""The last boxes as a list, if nothing but "and", "or" or a comma is between them: "\\boxed{1} or \\boxed{2}"."""
    cut: bool = False
    """Whether the response ended before it came to an answer."""


def find_answer(text: str, truncated: bool, unboxed: Callable[[str], str | None] = stated_value) -> Answer:
    r"""Return the final answer that ``text`` gives, by the rules above.

    Args:
        text: The answer part of a response (`k2eval.reasoning.split`); of a long one the end is read.
        truncated: Whether the engine stopped at its token limit; then only a closed box or block counts.
        unboxed: Function that reads an answer without a box or a block.

    >>> find_answer(r"First \boxed{1}. Then \boxed{2} is it.", truncated=False).text
    '2'
    >>> find_answer("The answer is 56 apples.", truncated=False).text
    '56 apples'
    >>> find_answer("It is \\boxed{1", truncated=True)
    Answer(text=None, siblings=(), end=0, named='', joined='', cut=True)
    """
    return _in_part(text[-WINDOW:], truncated, unboxed)


def _in_part(text: str, truncated: bool, unboxed: Callable[[str], str | None]) -> Answer:
    block = answer_block(text)
    if block is not None:
        inside, closed = block
        boxed = _boxed(inside)
        if boxed.text is not None or boxed.cut:
            return replace(boxed, end=len(text))
        if inside and (closed or not truncated) and not _PROSE.search(inside):
            return Answer(inside)
    boxed = _boxed(text)
    if boxed.text is not None:
        return boxed if truncated else _corrected(boxed, text, unboxed)
    if block is not None and block[0] and (block[1] or not truncated):
        return Answer(unboxed(block[0]) or block[0])
    if truncated or boxed.cut:
        return Answer(None, cut=truncated)
    return Answer(unboxed(text))


def _corrected(boxed: Answer, text: str, unboxed: Callable[[str], str | None]) -> Answer:
    """Return the answer that is stated behind a box after "Wait, that is wrong"; else the box, unless it is denied."""
    behind = text[boxed.end :]
    if not boxed.end or len(behind) > _BEHIND:
        return boxed
    if _DENIED.match(behind):
        return Answer(unboxed(behind))
    last = next(statements(behind), None)
    if last is None or not is_withdrawn(behind[: last.at]):
        return boxed
    value = unboxed(behind[last.at :])
    are_words = value is not None and _FORMULA.search(boxed.text or "") and not _FORMULA.search(value)
    return boxed if value is None or are_words else Answer(value)


def answer_block(text: str) -> tuple[str, bool] | None:
    """Return the content of the last ``<answer>`` block and whether it was closed; None without such a block."""
    start = text.rfind("<answer>")
    if start < 0:
        return None
    inside, closing, _ = text[start + len("<answer>") :].partition("</answer>")
    return inside.strip(), bool(closing)


def _boxed(text: str) -> Answer:
    spans, open_box = _box_spans(text)
    if not spans:
        unbraced = None if open_box is not None else _UNBRACED.search(text)
        return Answer(unbraced[1] if unbraced else None, cut=open_box is not None)
    if open_box is not None and open_box > spans[-1][1]:
        return Answer(None, cut=True)
    start, end = spans[-1]
    first = len(spans) - 1
    joint: list[str] = []
    are_joined = True
    while first > max(0, len(spans) - _MAX_SIBLINGS):
        between = text[spans[first - 1][1] : spans[first][0]]
        match = _JOINT.fullmatch(_BLANK.sub("", between)) if len(between) <= _MAX_JOINT else None
        if "\n" in between and not (match and match["word"]):
            break
        are_joined = are_joined and match is not None
        joint += [match["word"]] if are_joined and match else []
        first -= 1
    siblings = tuple(text[a:b].strip() for a, b in spans[first:])
    named = _with_names(text, spans[first:])
    return Answer(text[start:end].strip(), siblings, end, named, _joined(siblings, joint))


def _joined(boxes: tuple[str, ...], joint: list[str]) -> str:
    """Return the boxes between which the words ``joint`` stand as a list; empty if they all say the same."""
    joined = boxes[len(boxes) - len(joint) - 1 :]
    is_either = any(word.startswith(("or", "或")) or word.endswith("or") for word in joint)
    return (r" \text{ or } " if is_either else ", ").join(joined) if len(set(joined)) > 1 else ""


def _with_names(text: str, spans: list[tuple[int, int]]) -> str:
    r"""Return "x = 1, y = 2" for "x = \boxed{1}" and "y = \boxed{2}" on one line; empty if a name is missing."""
    equations = []
    for start, end in spans:
        name = _NAMED.search(text, max(0, start - 60), start)
        equations.append((name[1] + " = " if name else "") + text[start:end].strip())
    is_named = len(spans) > 1 and all(_EQUATION.match(equation) for equation in equations)
    return ", ".join(equations) if is_named else ""


def _box_spans(text: str) -> tuple[list[tuple[int, int]], int | None]:
    """Return the spans of the outermost closed, non-empty boxes, and the start of the last open box.

    It takes one pass with a stack, so that 100 KB of braces cost milliseconds.
    """
    first = min((at for at in (text.find("\\boxed"), text.find("\\fbox")) if at >= 0), default=-1)
    if first < 0:
        return [], None
    spans: list[tuple[int, int]] = []
    stack: list[tuple[int, bool]] = []
    is_box = False
    for token in _TOKEN.finditer(text, first):
        mark = token[0]
        if mark == "{":
            stack.append((token.end(), is_box))
        elif mark == "}" and stack:
            start, closes_box = stack.pop()
            if closes_box and _VISIBLE.search(text, start, token.start()):
                while spans and spans[-1][0] > start:
                    spans.pop()
                spans.append((start, token.start()))
        is_box = mark.startswith(("\\boxed", "\\fbox"))
    return spans, next((start for start, box in reversed(stack) if box), None)


def tidy(answer: str | None) -> str | None:
    """Return ``answer`` as a grade keeps it: valid Unicode of bounded length."""
    if answer is None:
        return None
    valid = answer[:EXTRACTED_LIMIT].replace("\0", "\ufffd").encode(errors="replace").decode()
    return valid if len(answer) <= EXTRACTED_LIMIT else valid + "…"
