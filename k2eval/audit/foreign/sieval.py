r"""sieval on the MathArena family (revision f2c86c3): the last box, else the last integer, compared by math-verify.

Its boxes are those of a newer revision of MathArena (a11194d). A last box that is only an approximation, or a plain
decimal, gives way to an exact one before it. A list is not joined from boxes of which one holds a list already.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import boxes, last_integer, shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 2
prepare = verifying.prepare
_ABOUT = re.compile(r"\\approx|≈|\babout\b|\bapprox", re.IGNORECASE)
"""Matches what calls a number an approximation."""
_NUMBERS_ALONE = re.compile(r"[\s$(){}\[\].,\d+-]*")
"""Matches "277" and "(3, 4)"; not "x = 3" or "\\frac{1}{3}"."""
_DECIMAL = re.compile(r"[\s$]*[+-]?[\d,]*\d\.\d+(?:\.\.\.)?[\s$]*")
"""Matches "0.333" and "-1.25..."; not "3" or "1/3"."""
_EXACT = re.compile(r"\\[dt]?frac|\\sqrt|\\[dt]?binom|/|\^")
"""Matches a part of an exact expression that is no plain number."""


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the model wrote after its reasoning."""
    gold = str(question.gold)
    answer, how = extracted(text, "," in gold), ""
    if answer is None:
        answer, how = last_integer(text), How.LAST_NUMBER
    if answer is None:
        return Grade.of(Outcome.NO_ANSWER)
    right = verifying.same(verifying.parsed(f"${gold}$"), verifying.parsed(f"${answer}$"))
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(answer), how=how)


def extracted(text: str, is_list: bool) -> str | None:
    r"""Return the content of the box that counts; of a list that of all boxes on the last line; None without a box.

    >>> extracted(r"\boxed{277} so \boxed{\approx 277.1}", False), extracted(r"\boxed{\frac13} = \boxed{0.333}", False)
    ('277', '\\frac13')
    >>> extracted(r"\boxed{1} and \boxed{2}", True), extracted(r"\boxed{1,2}, so \boxed{1,2}", True)
    ('1,2', '1,2')
    """
    closed = [box for box in boxes(text) if box.end is not None]
    if not closed:
        return None
    if is_list:
        line = text.rfind("\n", 0, closed[-1].start)
        on_line = [str(box.content) for box in closed if box.start > line]
        return on_line[-1] if any("," in content for content in on_line) else ",".join(on_line)
    return _exact([str(box.content) for box in closed])


def _exact(contents: Sequence[str]) -> str:
    """Return the last content, or the exact one before it to which it gives way."""
    last, before = contents[-1], contents[-2::-1]
    about = _ABOUT.search(last)
    if about is not None and _NUMBERS_ALONE.fullmatch(last, 0, about.start()):
        last = next((content for content in before if not _ABOUT.search(content)), last)
    if _DECIMAL.fullmatch(last):
        exact = (content for content in before if _EXACT.search(content) and not _ABOUT.search(content))
        last = next(exact, last)
    return last
