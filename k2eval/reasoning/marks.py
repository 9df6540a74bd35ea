"""Marks in a text: where a format's reasoning may begin and end, and which marks are only spoken of.

A reasoner repeats its instructions ("think inside <think> and </think>"), and an answer may explain them. Such a mark
neither opens nor ends anything. It is known by its neighbours alone, so that a stream can be read as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from k2eval.reasoning.formats import HARMONY, MARKS, SURE_TAGS, UNMISTAKABLE, pairs_of
from k2eval.records import ReasoningFormat

BEFORE = 128
"""Characters before a mark that decide about it."""
AFTER = 12
"""Characters behind a mark that decide about it."""
SPAN = 60
"""Characters within which an end mark on the same line belongs to a start mark that is spoken of."""
HEAD = 64
"""Visible characters at the start of a response that tell which family of marks it uses."""

_SURE_ENDS = frozenset(f"</{tag}>" for tag in SURE_TAGS)
_FENCE = "```"
_BESIDE = " \t>*-\"'`“‘«「『"
_QUOTES = "\"'`*“”‘’«»「」『』()"
_WORDS_BEFORE = re.compile(
    # Matches "close with the ", "inside ", "the tag is: " and "la balise "; not "is 4.", "12 " or "the answer is A ".
    r"(?:^|[\s(,;:])(?:(?-i:a)|an|the|this|that|these|my|its|and|or|with|in|inside|within|by|of|to|at|as|into|after|before|"
    r"until|between|from|behind|closing|opening|ending|use|using|write|put|add|emit|output|say|type|print|produce|"
    r"(?:tags?|tokens?|markers?)(?:[ \t](?:is|are):?)?|e\.g\.,?|i\.e\.,?|mit|dem|das|den|der|avec|la|le|les|con|el|los|"
    r"balises?|etiquetas?|тег[а-я]{0,3})[ \t]\Z|"
    # Matches "最后写上"; not "可用", which may end a sentence that was cut.
    r"(?:写|寫|写上|写下|使用|要用|输出|加上|标签是)\Z",
    re.IGNORECASE,
)
# Matches the quotation mark that opens in 'the "', "(`" and "用“"; not one that ends a word, as in "35**" and "(B)".
_OPENING_QUOTE = re.compile(r"(?:[“‘«「『(]|(?<![A-Za-z0-9)\]}$%.!?\"'`*])[\"'`*]{1,4})\Z")
_NAMED_AFTER = re.compile(
    r"[ \t](?:tags?|tokens?|markers?|blocks?)(?![a-zA-Z])|[ \t]?(?:标签|标记|標籤|標記|タグ)"
)
# Matches " tag", " and ", "-Tag", "'s" and "之后" behind a mark; not " And", "and" or "-x".
_WORDS_AFTER = re.compile(
    rf"{_NAMED_AFTER.pattern}|[ \t](?:and|or)(?![a-zA-Z])|-(?:[Tt]ags?|[Tt]okens?|[Mm]arkers?|delimited)\b|['’]s\b|"
    r"[ \t]?(?:之后|之後|之前|后面|後面|前面|结束|結束|来结束|の)"
)
# Matches "," and ". " behind a mark, with which no answer begins; not ".5".
_PUNCTUATION_AFTER = re.compile(r"[,;:!?)\]。，、；：！？）]|\.(?!\d)")
# Matches " comes last"; not " The answer" and not "\nso".
_PROSE_AFTER = re.compile(r"[ \t][^\W\d_]")
_PHRASE = 16
"""Characters that hold the longest of the words before a mark."""
_SENTENCE_END = re.compile(r"[.!?:。！？：][ \t]*\Z")

_CHANNEL = r"<\|channel\|>[ \t]*{}(?:[^<\n]|<\|constrain\|>){{0,120}}<\|message\|>"
_HEADER_PLACE = re.compile(r"(?:\A|<\|(?:end|return|call)\|>|<\|start\|>assistant[^<\n]{0,60})\s*\Z")
"""Text before a header of gpt-oss: none, the end of another message, or the start of one."""
_STRIPPED = re.compile(r"\s*analysis")
_STRIPPED_SURELY = re.compile(r"\s*analysis(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Grammar:
    """The marks of one format, compiled for search."""

    marks: re.Pattern[str]
    """Its group ``start`` matches a mark that opens reasoning, its group ``end`` one that ends it."""
    longest: int
    """Characters of the longest mark."""
    ends: Mapping[str, frozenset[str]]
    """The marks that end what a mark opened."""
    alone: frozenset[str]
    """The marks that end reasoning which no mark opened, since the chat template had opened it."""
    heads: Callable[[str], bool] | None = None
    """Whether a header stands where a message begins, by the text before it; None without headers."""


@lru_cache(maxsize=64)
def grammar_of_pairs(form: ReasoningFormat) -> Grammar:
    """Return the grammar of a format with pairs of marks.

    The marks of ``think`` belong to every format: prompts ask for them, so an answer may open with them, too.
    """
    own = pairs_of(form)
    ends = _ends_of((*own, *MARKS["think"]))
    alone = (end for _, end in own if form.name != "think" or end in _SURE_ENDS)
    return Grammar(re.compile(_tags(ends)), max(map(len, _all_marks(ends))), ends, frozenset(alone))


def _ends_of(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    ends: dict[str, frozenset[str]] = {}
    for start, end in pairs:
        ends[start] = ends.get(start, frozenset()) | {end}
    return ends


def _all_marks(ends: Mapping[str, frozenset[str]]) -> set[str]:
    return set(ends).union(*ends.values())


def _tags(ends: Mapping[str, frozenset[str]], start: str = "", end: str = "") -> str:
    """Return the pattern of these marks, and of headers that open (``start``) or end reasoning (``end``)."""
    return f"(?P<start>{start}{_either(ends)})|(?P<end>{end}{_either(frozenset().union(*ends.values()))})"


def _either(marks: Iterable[str]) -> str:
    return "|".join(re.escape(mark) for mark in sorted(set(marks), key=len, reverse=True))


def heads_message(before: str) -> bool:
    """Return whether a header of gpt-oss stands where a message begins, by the text before it."""
    return _HEADER_PLACE.search(before) is not None


def heads_stripped_message(before: str) -> bool:
    """Return the same for a header whose special tokens were skipped: it is glued to the text before it."""
    return before[-1:] not in (" ", "\t", *_QUOTES) or not before


_TAGS = _ends_of(MARKS["think"])
_ALL = _ends_of(pair for name in ("think", *UNMISTAKABLE) for pair in MARKS[name])
_TOLD_BY_ENDS = Grammar(
    re.compile(
        f"(?=[<\\[◁])(?:{_tags(_ALL)})"
    ),  # the first letters, which make the search three times as fast
    max(map(len, _all_marks(_ALL))),
    _ALL,
    _SURE_ENDS.union(*(ends for start, ends in _ALL.items() if start not in _TAGS)),
)
"""The marks of a response that none opens: the end tells the format if the chat template has opened it."""
_CHANNELS = Grammar(
    re.compile(
        _tags(_TAGS, f"{_CHANNEL.format('(?:analysis|commentary)')}|", f"{_CHANNEL.format('final')}|")
    ),
    longest=280,
    ends=_TAGS,
    alone=frozenset(),
    heads=heads_message,
)
_STRIPPED_CHANNELS = Grammar(
    re.compile(_tags(_TAGS, r"\A\s*analysis|assistant(?:analysis|commentary)|", "assistantfinal|")),
    longest=19,
    ends=_TAGS,
    alone=frozenset(),
    heads=heads_stripped_message,
)
"""The rest of the channels if special tokens were skipped: "analysisWe add.assistantfinal4"."""


def grammar_of(form: ReasoningFormat, head: str, answers: bool = False) -> Grammar | None:
    """Return the grammar that a response is read by; None if the format knows no reasoning.

    Args:
        form: The format of whoever wrote the response.
        head: The start of the response, at least `HEAD` characters after its leading white space if it has as many.
        answers: Whether it is an answer whose first reasoning was split off. A word with which it begins is no header.
    """
    if form.name == "none":
        return None
    if form.name == "auto":
        opened = opened_by(head)
        if opened is None:
            return _TOLD_BY_ENDS
        form = opened
    if form.name == "harmony":
        return _STRIPPED_CHANNELS if _STRIPPED.match(head) and not answers else _CHANNELS
    return grammar_of_pairs(form)


def opened_by(head: str) -> ReasoningFormat | None:
    """Return the format whose mark opens a response; None if none does.

    >>> opened_by("[THINK]Well")
    ReasoningFormat(name='mistral', pairs=())
    """
    words = head.lstrip()
    if words.startswith("<|channel|>") or _STRIPPED_SURELY.match(head):
        return HARMONY
    for name, pairs in MARKS.items():
        if any(words.startswith(start) for start, _ in pairs):
            return ReasoningFormat(name=name)
    return None


def is_quoted(before: str, after: str) -> bool:
    r"""Return whether a mark is spoken of: in quotes, or in the middle of a phrase.

    Args:
        before: The text in front of the mark, on its line and before.
        after: The text behind the mark.

    >>> is_quoted("I should close with ", " and then answer"), is_quoted("So it is 4.", "The answer")
    (True, False)
    >>> is_quoted("`", "`"), is_quoted("x = 1\n```", "```python")
    (True, False)
    >>> is_quoted("It is **35**", "**Answer: 35**"), is_quoted("It is (B)", "(B) is right")
    (False, False)
    >>> is_quoted("that ", " comes last"), is_quoted("It ends in ", ". Well"), is_quoted("So 4. ", " so it is")
    (True, True, False)
    """
    fenced = before.endswith(_FENCE) or after.startswith(_FENCE)
    if not fenced and after[:1] and after[0] in _QUOTES and _OPENING_QUOTE.search(before[-_PHRASE:]):
        return True
    if _WORDS_BEFORE.search(before[-_PHRASE:]) or _WORDS_AFTER.match(after):
        return True
    line = before.rpartition("\n")[2]
    return bool(line.strip()) and (bool(_PUNCTUATION_AFTER.match(after)) or _in_prose(line, after))


def _in_prose(line: str, after: str) -> bool:
    """Return whether a mark stands between the words of one sentence, with spaces around it."""
    within = line[-1] in " \t" and not _SENTENCE_END.search(line[-_PHRASE:])
    return within and _PROSE_AFTER.match(after) is not None and after[1].islower()


def is_named(after: str) -> bool:
    """Return whether the word behind a mark says that it is one: it is spoken of alone, not as the half of a pair."""
    return _NAMED_AFTER.match(after) is not None


def begins_line(before: str) -> bool:
    """Return whether a mark begins its line, signs of a quotation or a list aside."""
    return not before.rpartition("\n")[2].strip(_BESIDE)


def may_open(before: str, after: str) -> bool:
    """Return whether a start mark within an answer stands where reasoning may begin again.

    That is at the start of a line, or glued to its first word right behind a sentence.
    """
    line = before.rpartition("\n")[2]
    if not line.strip():
        return not _WORDS_AFTER.match(after)
    glued = after[:1].isalnum() or after[:1] == "\n"
    return glued and _SENTENCE_END.search(before[-_PHRASE:]) is not None and not is_quoted(before, after)


def may_end_again(before: str) -> bool:
    """Return whether an end mark within an answer takes the text before it for reasoning: never in running prose."""
    line = before.rpartition("\n")[2]
    return not line.strip() or not line[-1].isspace()
