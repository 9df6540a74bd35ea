"""simple-evals on HumanEval: the first block marked as Python, without the signature of its first function."""

from __future__ import annotations

import re

from k2eval.audit.foreign import own_test
from k2eval.audit.reasons import How
from k2eval.grading.code import humaneval
from k2eval.records import Grade, Question

VERSION = 1
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
time_limit = humaneval.time_limit
prepare = humaneval.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the model wrote after its reasoning."""
    block = _BLOCK.search(text)
    code = block[1] if block else text
    # Everything up to the first line that ends with a colon before a line of four blanks; without one, a character.
    body = code[code.find(":\n    ") + 2 :]
    return own_test.run(question.gold, body, How.OTHER_BLOCK)
