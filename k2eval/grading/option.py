"""Read the option that a short answer names: by its letter, its text or its value."""

from __future__ import annotations

import re
from collections.abc import Callable

from k2eval.grading import letter
from k2eval.grading.math.latex import normalise, squeezed
from k2eval.grading.math.number import exact

_LONGEST_VALUE = 200
"""Characters of an option or an answer that are compared as mathematics."""

# Matches "\," and "\quad" and "~"; not "\\,".
_SPACE = re.compile(r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))|(?<!\\)~")
# Matches "$", "\(", "\]"; not "(".
_DELIMITER = re.compile(r"\$|(?<!\\)\\[()\[\]]")
_LETTER_ALONE = re.compile(
    # Matches "B", "(b)", "[B]", "{B}"; not "B.", "AB" or "B) Beta".
    r"[(\[{\s]*([A-Za-z])[)\]}\s]*"
)
_LETTER_IN_PHRASE = re.compile(
    # Matches "The correct answer is B", "option (b)", "B is correct", "答案：B", "选B"; not "the answer is not B".
    r"(?i:(?:the\s+)?(?:correct\s+|final\s+|right\s+|best\s+)?(?:option|answer|choice)(?:\s+is)?\s*:?\s*)[(\[]?([A-Za-z])[)\]]?"
    r"|[(\[]?([A-Z])[)\]]?\s+is\s+(?:the\s+)?(?:correct|right|best)(?:\s+(?:answer|option|choice))?"
    r"|(?:故|所以|因此|应该|应|正确)*(?:的)?(?:答案|选项|選項|选择|選擇|选|選)(?:应该|应)?(?:是|为|為|选|選)?\s*:?\s*[(\[]?([A-Za-z])[)\]]?\s*(?:项|选项)?。?"
    r"|[(\[]?([A-Z])[)\]]?\s*(?:项|选项|選項|是正确的|是正确(?:答案|选项)|正确)。?"
)
_LABEL_AND_TEXT = re.compile(
    # Matches "B) Beta", "b. Beta", "Option B: Beta", "B – Beta", "B = 5", "B (Beta)"; not "B Beta" or "Beta".
    r"(?:(?i:option|choice)\s+)?[(\[]?([A-Z]|[a-z](?=[)\].:]))(?:[)\]]\s*[.:、]?|\s*[.:,、]|\s+([-–—])|\s*(=)|\s*(?=\())\s*(\S.*)",
    re.DOTALL,
)
# Matches "B Beta decay"; not "B" or "b Beta decay".
_LETTER_BESIDE_TEXT = re.compile(r"([A-Z])\s+(\S.*)", re.DOTALL)
_STARTS_WITH_LETTER = re.compile(
    # Matches "{B} Beta decay", "(B) {x}": a letter whose braces carry no meaning; not "{AB}".
    r"[{(\[]*[A-Za-z][)\]}]*\s*[.):]?[^{}]*[{}]?.*",
    re.DOTALL,
)
# Matches a sign that makes a text a formula: "2", "^", "="; not a word.
_FORMULA_SIGN = re.compile(r"[\d\\^_=+/]")
# Matches two words in a row: "Beta decay"; not "4 m/s".
_TWO_WORDS = re.compile(r"[a-zA-Z]{4,} [a-zA-Z]{3,}")
_LONGEST = 5_000
"""Characters; an answer beyond them names no option."""
_NO_HIT = ""


def letters(options: tuple[str, ...]) -> str:
    """Return the letters of ``options``: "ABCD" for four; all letters if the options are not known."""
    return "".join(chr(ord("A") + index) for index in range(min(len(options), 26) or 26))


def letter_of(answer: str, options: tuple[str, ...]) -> str | None:
    r"""Return the letter of the option that ``answer``, the content of a box, names; None unless it is one option.

    >>> options = ("Alpha decay", "Beta decay", "1/2")
    >>> letter_of(r"\text{(B)}", options), letter_of("Beta decay", options), letter_of("0.5", options)
    ('B', 'B', 'C')
    >>> letter_of("Alpha", options), letter_of("A or B", options)
    (None, None)
    """
    if len(answer) > _LONGEST:
        return None
    verbatim = [index for index, option in enumerate(options) if option.strip() == answer.strip()]
    if len(verbatim) == 1 and (len(answer.strip()) > 1 or answer.strip().islower()):
        return chr(ord("A") + verbatim[0])
    bare = _bare(answer)
    known = letters(options)
    named = _LETTER_ALONE.fullmatch(bare) or _LETTER_IN_PHRASE.fullmatch(bare)
    if named:
        by_name = next(filter(None, named.groups())).upper()
        return by_name if by_name in known else by_text(answer, options)
    exactly = _only(_same_text, answer, options)
    if exactly != _NO_HIT:
        return exactly
    labelled = _LABEL_AND_TEXT.fullmatch(bare)
    if labelled is None or labelled[1].upper() not in known:
        beside = _LETTER_BESIDE_TEXT.fullmatch(bare)
        pair = beside is not None and by_text(beside[2], options) == beside[1]
        return beside[1] if beside and pair else by_text(answer, options)
    if (labelled[2] or labelled[3]) and (by_value := _only(_same_value, answer, options)) != _NO_HIT:
        return by_value
    rest = bare[labelled.end(1) :]
    return None if letter.names_another(rest, labelled[1].upper(), known) else labelled[1].upper()


def _bare(answer: str) -> str:
    """Return ``answer`` without the markup and the brackets around the whole of it."""
    bare = letter.folded(answer)
    for _ in range(4):
        before = bare
        bare = letter.unwrapped(bare).strip().strip("*_$`'\"").strip()
        bare = re.sub(r"^\\[(\[]\s*|\s*\\[)\]]$", "", bare)
        if bare.startswith("{") and bare.endswith("}"):
            bare = bare[1:-1].strip()
        bare = bare.rstrip(".:。").rstrip() if len(bare) <= 40 else bare
        if bare == before:
            break
    return re.sub(r"[{}]", "", bare) if _STARTS_WITH_LETTER.fullmatch(bare) else bare


def by_text(answer: str, options: tuple[str, ...]) -> str | None:
    """Return the letter of the one option whose text ``answer`` repeats, exactly or as the same mathematics."""
    exactly = _only(_same_text, answer, options)
    option = _only(_same_value, answer, options) if exactly == _NO_HIT else exactly
    return option or None


def by_exact_text(answer: str, options: tuple[str, ...]) -> str | None:
    """Return the letter of the one option whose text ``answer`` repeats word by word."""
    return _only(_same_text, answer, options) or None


def _only(same: Callable[[str, str], bool], answer: str, options: tuple[str, ...]) -> str | None:
    """Return the letter of the one option that is the ``same``; None if several are, ``_NO_HIT`` if none is."""
    hits = [index for index, option in enumerate(options) if same(option, answer)]
    if not hits:
        return _NO_HIT
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _same_text(option: str, answer: str) -> bool:
    return bool(answer.strip()) and _words(option) == _words(answer)


def _words(text: str) -> str:
    words = re.sub(r"[{}]", "", letter.unwrapped(_DELIMITER.sub("", _SPACE.sub(" ", text))))
    return re.sub(r"\s+", " ", words).strip().rstrip(".。").strip()


def _same_value(option: str, answer: str) -> bool:
    if len(option) > _LONGEST_VALUE or len(answer) > _LONGEST_VALUE:
        return False
    a, b = (normalise(_DELIMITER.sub("", text)) for text in (option, answer))
    if not a or not b:
        return False
    if squeezed(a) == squeezed(b) or (_words(a).casefold() == _words(b).casefold() and len(a) > 1):
        return True
    x, y = exact(a), exact(b)
    if x is not None and y is not None:
        return x == y
    if not (_FORMULA_SIGN.search(a) and _FORMULA_SIGN.search(b)) or _TWO_WORDS.search(option):
        return False
    from k2eval.grading.math.reading import same_answer

    return same_answer(a, b)
