"""lm-eval's own code for its tasks ``aime24`` and ``aime25``: the last box, else what stands between dollars; strings.

It is read from lm-eval as installed (``lm_eval.tasks.aime.utils``). Its tasks do not take reasoning off, unless the
user names the token that ends it.
"""

from __future__ import annotations

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1


def prepare() -> None:
    """Import lm-eval's tasks, which takes seconds."""
    import lm_eval.tasks.aime.utils  # noqa: F401 - imported for its time alone


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response as ``process_results`` of those tasks does."""
    from lm_eval.tasks.aime import utils

    right = utils.process_results({"answer": str(question.gold)}, [text])["exact_match"] == 1
    answer, boxed = _answer(text)
    how = How.STRINGS if boxed or answer != text else How.WHOLE_TEXT
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(answer), how=how)


def _answer(text: str) -> tuple[str, bool]:
    """Return the answer that lm-eval compares, and whether it stood in a box."""
    from lm_eval.tasks.aime import utils

    box = utils.last_boxed_only_string(text)
    try:
        content = None if box is None else utils.remove_boxed(box)
    except (AssertionError, IndexError):
        content = None
    if content is not None:
        return content, True
    first, last = text.find("$"), text.rfind("$")
    return (text[first + 1 : last] if last > first else text), False
