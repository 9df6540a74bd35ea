"""The grader of multiple choice: which option a response settles on.

Letters are read in their own right only: a box that says "Alpha" is not option A, "A nucleus decays" states
nothing, and nothing is ever guessed. Two different options in one box are no answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from k2eval.grading.answer import answer_block, answer_part, find_answer, tidy
from k2eval.grading.math.latex import normalise, squeezed
from k2eval.grading.math.number import exact
from k2eval.records import Grade, Outcome, Question

VERSION = 2
"""Changes whenever a grade could change."""

_MAX_ANSWER = 8_000
"""Characters; a longer answer names an option only by repeating its text as it is written."""

_MAX_LINE = 4_000
"""Characters of a last line that may be an answer as a whole."""

_WRAPPER = re.compile(
    r"\\(?:(?:text|math)(?:bf|rm|it|sf|tt|sc|normal|cal)?|[mhf]box|boxed|bold(?:symbol)?|bm|underline|emph|bf|rm|sf|tt"
    r"|displaystyle|(?:L|l)arge|LARGE|(?:H|h)uge)(?![a-zA-Z])\s*"
)
_SPACE = re.compile(r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))|(?<!\\)~")
_DELIMITER = re.compile(r"\$|(?<!\\)\\[()\[\]]")
_LETTER = re.compile(r"[(\[{\s]*([A-Za-z])[)\]}\s]*")
_OPTION = re.compile(
    r"(?i:(?:the\s+)?(?:correct\s+|final\s+|right\s+|best\s+)?(?:option|answer|choice)(?:\s+is)?\s*:?\s*)[(\[]?([A-Za-z])[)\]]?"
    r"|[(\[]?([A-Z])[)\]]?\s+is\s+(?:the\s+)?(?:correct|right|best)(?:\s+(?:answer|option|choice))?"
)
_LETTER_AND_TEXT = re.compile(
    r"(?:(?i:option|choice)\s+)?[(\[]?([A-Z])(?:[)\]]\s*[.:]?|\s*[.:,]|\s+([-–—])|\s*(=)|\s*(?=\())\s*(\S.*)",
    re.DOTALL,
)
_LETTER_BESIDE_TEXT = re.compile(r"([A-Z])\s+(\S.*)", re.DOTALL)
_NO_HIT = ""
_SEVERAL = re.compile(r"\s*(?:,|;|/|&|\\&|\bor\b|\band\b)\s*")
_STATED = re.compile(
    r"""(?<![A-Za-z])(?<!(?i:wrong)\ )(?<!(?i:incorrect)\ )(?<!(?i:false)\ )(?i:answer|choice|option)\b\s*+\**+\s*+
        (?: (?i:is|would\s+be|must\s+be|should\s+be)\b\s*+(?i:therefore|thus|clearly|then|option|choice)?\s*+:?
          | [:=] )
        [*_$`"'\s]*+(?i:option\b|choice\b)?\s*+
        (?: \\?\(\s*\**([A-Za-z])\**\s*\\?\) | \[([A-Za-z])\]
          | \$?\\(?:text|mathrm|mathbf|textbf)\{\(?([A-Za-z])\)?\}
          | ([B-HJ-Z])(?![A-Za-z0-9'’]|-\w|\s*=)
          | ([AI])(?![A-Za-z0-9'’]|-\w|\s*=|\s+(?!because|since|as\b|and\b|or\b)[a-z])
          | ([a-z])(?=[\s*_.)]*(?:$|\n)) )
    """,
    re.VERBOSE,
)
_DECLARED = re.compile(
    r"(?<![A-Za-z])(?i:answer|choice|option)\s+[(*]*([A-Z])[)*]*\s+is\s+(?:the\s+|clearly\s+)?(?:correct|right|best|answer)"
    r"|(?:^|\n|[.:]\s|(?i:so|thus|hence|therefore),?\s)[(*]*([A-Z])[)*]*\s+is\s+the\s++(?:correct|right|best)?\s*+(?:answer|choice|option)"
)
_SETTLED = re.compile(
    r"[*_\s]*(?:(?i:so|thus|hence|therefore),?\s+)?"
    r"(?i:(?:(?:the\s+)?(?:correct\s+|final\s+)?|i\s+(?:would\s+)?(?:choose|select|pick|go\s+with)\s+)(?:answer|choice|option)"
    r"|i\s+(?:would\s+)?(?:choose|select|pick|go\s+with))\s+[(*]*([A-Z])[)*]*[.!*_\s]*"
)
_AND_ANOTHER = re.compile(r"[)\]}*$]*\s*(?:,|/|&|and|or)\s*[(*\[]*[A-Z][)*\]]*\s*(?:[.,;\n]|$)")
_ALONE = re.compile(r"[*_$\s]*[(\[]?\s*([A-Z])\s*[)\]]?[.*_$\s]*")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade one response.

    Args:
        question: ``gold`` is a letter, ``options`` the texts in the order shown (A, B, …).
        text: The raw response, reasoning included.
        truncated: Whether the engine stopped at its token limit.
    """
    part = answer_part(text)
    if not part.complete:
        return Grade.of(Outcome.TRUNCATED)
    said, letter = _choose(part.text, truncated, question.options)
    if letter is not None:
        right = letter == str(question.gold).strip().upper()
        return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, letter)
    return Grade.of(Outcome.TRUNCATED if truncated else Outcome.NO_ANSWER, tidy(said))


def _choose(text: str, truncated: bool, options: tuple[str, ...]) -> tuple[str | None, str | None]:
    """What the response says last, and the letter it means."""
    found = find_answer(text, truncated)
    if found.siblings:
        letters = {letter_of(box, options) for box in found.siblings}
        return found.text, letters.pop() if len(letters) == 1 else None
    if found.text is not None and (letter := letter_of(found.text, options)):
        return found.text, letter
    block = answer_block(text)
    if block is not None and (block[1] or not truncated):
        return block[0], letter_of(block[0], options) or _stated(block[0], options)
    if truncated or found.cut:
        return None, None
    return found.text, _stated(text, options)


def letter_of(answer: str, options: tuple[str, ...]) -> str | None:
    """The letter of the option that ``answer``, the content of a box, names; None unless it is one option."""
    said = answer.strip()
    verbatim = [index for index, option in enumerate(options) if option.strip() == said]
    if len(verbatim) == 1 and (len(said) > 1 or said.islower()):
        return chr(ord("A") + verbatim[0])
    if len(answer) > _MAX_ANSWER:
        return None
    bare = _plain(answer)
    known = _letters(options)
    named = _LETTER.fullmatch(bare) or _OPTION.fullmatch(bare)
    if named:
        letter = next(filter(None, named.groups())).upper()
        return letter if letter in known else _by_text(answer, options)
    by_text = _only(_same_text, answer, options)
    if by_text != _NO_HIT:
        return by_text
    labelled = _LETTER_AND_TEXT.fullmatch(bare)
    if labelled is None or labelled[1] not in known:
        beside = _LETTER_BESIDE_TEXT.fullmatch(bare)
        pair = beside is not None and _by_text(beside[2], options) == beside[1]
        return beside[1] if beside and pair else _by_text(answer, options)
    if (labelled[2] or labelled[3]) and (by_value := _only(_same_value, answer, options)) != _NO_HIT:
        return by_value
    return None if _names_another(labelled[4], labelled[1], known) else labelled[1]


def _names_another(text: str, letter: str, known: str) -> bool:
    """Whether ``text`` goes on to name a second option, as "A) or (B)" does."""
    others = {m[1] for m in re.finditer(r"\(([A-Z])\)|\b([A-Z])\)", text) if m[1]} | {
        piece.strip("() .") for piece in _SEVERAL.split(text)
    }
    return any(len(other) == 1 and other in known and other != letter for other in others)


def _letters(options: tuple[str, ...]) -> str:
    return "".join(chr(ord("A") + index) for index in range(len(options) or 26))


def _plain(answer: str) -> str:
    """``answer`` without markup, as far as a letter is concerned."""
    bare = unicodedata.normalize("NFKC", _SPACE.sub(" ", answer)).strip()
    for _ in range(4):
        before = bare
        bare = _WRAPPER.sub("", bare).strip().strip("*_$`'\"").strip()
        bare = re.sub(r"^\\[(\[]\s*|\s*\\[)\]]$", "", bare)
        if bare.startswith("{") and bare.endswith("}"):
            bare = bare[1:-1].strip()
        bare = bare.rstrip(".:").rstrip() if len(bare) <= 40 else bare
        if bare == before:
            break
    return (
        re.sub(r"[{}]", "", bare)
        if re.fullmatch(r"[{(\[]*[A-Za-z][)\]}]*\s*[.):]?[^{}]*[{}]?.*", bare, re.DOTALL)
        else bare
    )


def _by_text(answer: str, options: tuple[str, ...]) -> str | None:
    """The letter of the one option whose text ``answer`` repeats, exactly or as the same mathematics."""
    exactly = _only(_same_text, answer, options)
    letter = _only(_same_value, answer, options) if exactly == _NO_HIT else exactly
    return letter or None


def _only(same: Callable[[str, str], bool], answer: str, options: tuple[str, ...]) -> str | None:
    """The letter of the one option that is the ``same``; None where several are, ``_NO_HIT`` where none is."""
    hits = [index for index, option in enumerate(options) if same(option, answer)]
    if not hits:
        return _NO_HIT
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _same_text(option: str, answer: str) -> bool:
    return bool(answer.strip()) and _folded(option) == _folded(answer)


def _folded(text: str) -> str:
    words = re.sub(r"[{}]", "", _WRAPPER.sub("", _DELIMITER.sub("", _SPACE.sub(" ", text))))
    return re.sub(r"\s+", " ", words).strip().rstrip(".").strip()


def _same_value(option: str, answer: str) -> bool:
    if len(option) > 200 or len(answer) > 200:
        return False
    a, b = (normalise(_DELIMITER.sub("", text)) for text in (option, answer))
    if not a or not b:
        return False
    if squeezed(a) == squeezed(b) or (_folded(a).casefold() == _folded(b).casefold() and len(a) > 1):
        return True
    x, y = exact(a), exact(b)
    if x is not None and y is not None:
        return x == y
    if not (re.search(r"[\d\\^_=+/]", a) and re.search(r"[\d\\^_=+/]", b)) or re.search(
        r"[a-zA-Z]{4,} [a-zA-Z]{3,}", option
    ):
        return False
    from k2eval.grading.math.equal import same_answer

    return same_answer(a, b)


def _stated(text: str, options: tuple[str, ...]) -> str | None:
    """The option stated last in prose: "The correct answer is (D).", "**Answer:** C", or a last line "B"."""
    known = _letters(options)
    text = text.replace("：", ":")
    said = [
        (
            found.end(),
            "" if _AND_ANOTHER.match(text, found.end()) else next(filter(None, found.groups())).upper(),
        )
        for pattern in (_STATED, _DECLARED)
        for found in pattern.finditer(text)
    ]
    said = [(at, letter) for at, letter in said if letter in known]
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[-1].strip() if lines else ""
    last = line if len(line) <= _MAX_LINE else ""
    alone = _ALONE.fullmatch(last) or _SETTLED.fullmatch(last)
    if alone and alone[1] in known:
        return alone[1]
    labelled = re.fullmatch(r"\**[(\[]?([A-Z])[)\].:]+\**\s*(\S.*)", last)
    if labelled and _by_text(labelled[2].rstrip("* "), options) == labelled[1]:
        return labelled[1]
    if said:
        return max(said)[1] or None
    tail = re.search(r"(?i:answer\b\s*(?:is|:)\s*)(.+)$", line[-_MAX_LINE:].strip("*_`\"' ."))
    return _by_text(tail[1].strip("*_`\"' ") if tail else "", options)
