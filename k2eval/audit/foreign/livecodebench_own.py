"""LiveCodeBench's own extraction and run (lcb_runner 28fef95), in k2eval's sandbox.

The program is what stands between the last two lines with a fence, wherever they are; reasoning is not taken off. It
runs rewritten into a function with parts of ``sys.stdin`` mocked, all tests in one process, by wall time.
"""

from __future__ import annotations

from k2eval.audit.reasons import How
from k2eval.grading.code import extract_code, livecodebench
from k2eval.records import Grade, Outcome, Question

VERSION = 1
time_limit = livecodebench.time_limit
prepare = livecodebench.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote."""
    code = extracted(text)
    if not code.strip():
        return Grade.of(Outcome.NO_ANSWER, how=How.OTHER_BLOCK)
    official = question.model_copy(update={"metadata": {**question.metadata, "parity": "official"}})
    grade = livecodebench.grade_code(official, code)
    own = extract_code(text.rpartition("</think>")[2])
    how = How.OFFICIAL_RUN if own is not None and own.strip() == code.strip() else How.OTHER_BLOCK
    return grade.model_copy(update={"detail": {"how": how, "why": str(grade.detail.get("why", ""))[:200]}})


def extracted(text: str) -> str:
    """Return the lines between the last two lines with a fence; empty if there are fewer.

    >>> extracted("```python\\nprint(1)\\n```\\nIt prints\\n```\\n1\\n```")
    '1'
    """
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if "```" in line]
    return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) > 1 else ""
