"""lm-eval's task ``humaneval_instruct``: what stands before the first fence, since its prompt has opened one."""

from __future__ import annotations

from k2eval.audit.foreign import own_test
from k2eval.audit.reasons import How
from k2eval.grading.code import humaneval
from k2eval.records import Grade, Question

VERSION = 1
time_limit = humaneval.time_limit
prepare = humaneval.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote."""
    before, fence, _ = text.partition("```")
    return own_test.run(question.gold, before, How.FORM if fence else How.OTHER_BLOCK)
