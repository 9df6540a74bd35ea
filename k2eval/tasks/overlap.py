"""Questions that several tasks ask: the same text in another dress, or a near duplicate.

Two questions are the same if their texts are, but for white space, punctuation and layout. They are near duplicates if
at least `ALIKE` of their sequences of three words are shared, and their numbers and short right answers are equal:
questions made from one pattern differ in their numbers alone. Candidates are found by MinHash (Broder 1997) and
locality-sensitive hashing, and then compared whole. Of measured numbers the quantity is a part of the question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from k2eval.records import Json, digest
from k2eval.tasks.adapters import LETTERS
from k2eval.tasks.data import QuestionSet, text_hash, text_of
from k2eval.tasks.task import Item

ALIKE = 0.8
"""Jaccard similarity of the sequences of words from which on questions are near duplicates."""

_PERMUTATIONS, _CANDIDATES = 64, 0.5
_SHORTEST = 12
"""Words; a shorter text is the same or another one."""
_LONGEST = 20_000
"""Characters of a question that are compared."""
_WORD = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")
"""Matches "12", "0.5" and "frac"; not "_" or "\\"."""
_LAYOUT = re.compile(
    # Matches commands that change only the look: "\displaystyle", "\left", "\,"; not "\frac".
    r"\\(?:displaystyle|left|right|[bB]igg?[lr]?|text(?:bf|it|rm)?|mathrm|operatorname|quad|qquad|begin|end)\b"
    r"|\\[dt](?=frac|binom)|\\[,;:! ]"
)


_MARKS = re.compile(r"[\s$.,;:!?'\"`{}\\]+")
"""Matches what no question depends on: white space, punctuation, braces; not "+" or "(" or a letter."""
_BETWEEN = re.compile(r"(?<=\d)[\s$.,;:!?'\"`{}\\]+(?=\d)")
"""Matches the same between two digits, where it makes another number: "." in "1.5"."""
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\}|\\,)(?=\d{3}(?!\d))")
"""Matches the comma in "1,000" and "1{,}000"; not in "1,5"."""
_SHORT_FRACTION = re.compile(r"\\([dt]?frac|binom)\s*(\d)\s*(\d)")
"""Matches the fraction "\\frac12"; not "\\frac{1}{2}"."""
_OPERATOR = re.compile(
    r"(?<=[\d)}])!|(?<=(?<![a-zA-Z])[a-zA-Z])!|(?<=[a-zA-Z)}])(?:'|\^\s*\{?\\prime\}?)(?=\s*\()"
)
"""Matches the marks of a factorial and of a derivative: "5!", "f'(x)"; not the end of "So find it!"."""


def bare(text: str) -> str:
    r"""Return a text without what no question depends on. Marks between two digits stay, as a point or a blank.

    >>> bare(r"Find $\frac12 + 1{,}000$.") == bare("Find \\dfrac{1}{2}+1000")
    True
    >>> bare("1.5 + 2") == bare("15 + 2"), bare("x^{2}3") == bare("x^{23}"), bare("find 5!") == bare("find 5")
    (False, False, False)
    """
    plain = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text))
    plain = _OPERATOR.sub("†", _SHORT_FRACTION.sub(r"\\\1{\2}{\3}", plain))
    return _MARKS.sub("", _BETWEEN.sub(_between, _LAYOUT.sub(" ", plain)))


def _between(found: re.Match[str]) -> str:
    """Return a character that stands for the marks between two digits."""
    marks = "".join(mark for mark in found[0] if mark in ".,:;!?")
    return {"": "␣", ".": "․", ",": "‚", ":": "∶"}.get(marks, "…")


class Twin(NamedTuple):
    """A question that another task asks, too."""

    task: str
    question: str
    other_task: str
    other_question: str
    near: bool
    """Whether the texts differ in more than their layout."""


class Text(NamedTuple):
    """A question as it is compared."""

    task: str
    question: str
    key: str
    """A digest of the text, equal for equal questions."""
    words: tuple[str, ...]
    gold: str | None
    """The right answer; None if it is no short text."""

    @classmethod
    def of(cls, task: str, question: str, text: str, gold: Json) -> Text:
        """Return a question with this text and right answer."""
        short = gold if isinstance(gold, (str, int, float)) else None
        plain = bare(text)
        answer = None if short is None else _MARKS.sub("", str(short)).lstrip("0")
        return cls(task, question, digest(plain), words_of(text), answer)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers, in the order of their size as texts."""
        return tuple(sorted(word for word in self.words if word[0].isdigit()))

    @property
    def shingles(self) -> frozenset[str]:
        """All sequences of three words."""
        return frozenset(" ".join(self.words[at : at + 3]) for at in range(len(self.words) - 2))


def words_of(text: str) -> tuple[str, ...]:
    r"""Return the words and numbers of a text, without its layout.

    >>> words_of(r"Compute $\displaystyle\frac{1}{2} + x_0$.") == words_of("compute  \\frac{1}{2}+x_{0}")
    True
    """
    plain = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    return tuple(_WORD.findall(_LAYOUT.sub(" ", plain)))


def twins(texts: Iterable[Text], *, near: bool = True) -> Iterator[Twin]:
    """Yield the questions that an earlier task of the list asks, too, each once for each such task.

    Args:
        texts: Questions, those of one task together.
        near: Whether near duplicates are looked for beside equal texts, which takes a millisecond a question.
    """
    by_key: dict[str, list[Text]] = {}
    order: dict[str, int] = {}
    for text in texts:
        by_key.setdefault(text.key, []).append(text)
        order.setdefault(text.task, len(order))
    for group in by_key.values():
        yield from _pairs(group, near=False)
    if near:
        for first, second in _near([group[0] for group in by_key.values()]):
            both = sorted([*by_key[first.key], *by_key[second.key]], key=lambda text: order[text.task])
            yield from _pairs(both, near=True, key=first.key)


def _pairs(group: Sequence[Text], *, near: bool, key: str = "") -> Iterator[Twin]:
    """Yield the pairs of different tasks; near duplicates are pairs of one text with this key and one without."""
    seen = set()
    for first, second in combinations(group, 2):
        place = (second.task, second.question, first.task)
        across = not near or (first.key == key) != (second.key == key)
        if first.task != second.task and across and place not in seen:
            seen.add(place)
            yield Twin(second.task, second.question, first.task, first.question, near)


def _near(texts: Sequence[Text]) -> Iterator[tuple[Text, Text]]:
    from datasketch import MinHash, MinHashLSH

    long = [text for text in texts if len(text.words) >= _SHORTEST]
    shingles = {text.key: text.shingles for text in long}
    index = MinHashLSH(threshold=_CANDIDATES, num_perm=_PERMUTATIONS)
    by_key = {text.key: text for text in long}
    for text in long:
        mark = MinHash(num_perm=_PERMUTATIONS)
        mark.update_batch([shingle.encode() for shingle in shingles[text.key]])
        for found in index.query(mark):
            other = by_key[found]
            mine, theirs = shingles[text.key], shingles[found]
            if text.gold is None or other.gold != text.gold:
                continue
            if other.numbers == text.numbers and len(mine & theirs) >= ALIKE * len(mine | theirs):
                yield other, text
        index.insert(text.key, mark)


def texts_of(sets: Sequence[QuestionSet]) -> Iterator[Text]:
    """Yield the questions of several tasks, whatever the limit."""
    for questions in sets:
        for item in questions.all_items:
            quantity = f"{questions.task.spec.title}: " if questions.task.spec.error_unit else ""
            text = quantity + "\n".join([text_of(item), *sorted(item.options)])
            yield Text.of(questions.task.name, item.id, text, _gold_of(item))


def _gold_of(item: Item) -> Json:
    """Return the right answer; of a choice the text of the right option, since letters depend on the order."""
    letter = item.gold if isinstance(item.gold, str) and len(item.gold) == 1 else ""
    place = LETTERS.find(letter) if letter else -1
    return item.options[place] if 0 <= place < len(item.options) else item.gold


def hashes_of_twins(sets: Sequence[QuestionSet]) -> Mapping[str, Mapping[str, str]]:
    """Return by task the questions that an earlier task of a run asks, too: id -> the hash of the text there."""
    if len(sets) < 2:
        return {}
    known = {
        (questions.task.name, item.id): text_hash(item) for questions in sets for item in questions.all_items
    }
    found: dict[str, dict[str, str]] = {}
    for twin in twins(texts_of(sets)):
        same = found.get(twin.other_task, {}).get(twin.other_question)
        own = found.setdefault(twin.task, {})
        own.setdefault(twin.question, same or known[twin.other_task, twin.other_question])
    different = {
        task: {name: other for name, other in own.items() if other != known[task, name]}
        for task, own in found.items()
    }
    return {task: own for task, own in different.items() if own}


def overlaps_in_words(found: Sequence[Twin]) -> list[str]:
    """Return a sentence for each pair of tasks that share questions.

    >>> overlaps_in_words([Twin("apex25", "2", "smt25", "8", False), Twin("apex25", "5", "smt25", "42", True)])
    ['apex25 shares 2 questions with smt25 (1 of them near duplicates): 2 = 8, 5 ≈ 42']
    """
    pairs: dict[tuple[str, str], list[Twin]] = {}
    for twin in found:
        pairs.setdefault((twin.task, twin.other_task), []).append(twin)
    sentences = []
    for (task, other), shared in pairs.items():
        near = sum(twin.near for twin in shared)
        words = f" ({near} of them near duplicates)" if near else ""
        names = [
            f"{twin.question} {'≈' if twin.near else '='} {twin.other_question}" for twin in shared[:_NAMED]
        ]
        names += ["…"] if len(shared) > _NAMED else []
        count = f"{len(shared)} question{'s' if len(shared) > 1 else ''}"
        sentences.append(f"{task} shares {count} with {other}{words}: {', '.join(names)}")
    return sentences


def groups_in_words(found: Sequence[Twin]) -> list[str]:
    """Return a sentence for each group of tasks that are linked by questions which two of them share.

    >>> groups_in_words([Twin("b", "1", "a", "1", False), Twin("c", "1", "b", "2", False)])
    ['These tasks share questions, which averages count once: a, b, c.']
    """
    groups: list[set[str]] = []
    for first, second in dict.fromkeys((twin.other_task, twin.task) for twin in found):
        linked = [group for group in groups if first in group or second in group]
        groups = [group for group in groups if group not in linked]
        groups.append({first, second}.union(*linked))
    return [
        f"These tasks share questions, which averages count once: {', '.join(sorted(group))}."
        for group in groups
    ]


_NAMED = 5
"""Most questions of a pair of tasks that are named."""
