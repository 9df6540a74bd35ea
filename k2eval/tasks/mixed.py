"""Rows -> items of benchmarks whose answers a rule decides in part: choices, whole numbers, and everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from k2eval.errors import ConfigError
from k2eval.records import Json, Note, NoteKind
from k2eval.tasks.adapters import LETTERS, distinct, item_id, known_options, required, tags_of
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row

_CHOICES = re.compile(r"\n\s*Answer Choices:\s*\n")
"""Matches the line between a question and its options."""
_OPTION = re.compile(r"^([A-Z])[.)][ \t]*(?=\S)", re.MULTILINE)
"""Matches the letter in front of an option: "B. "; not "DNA."."""
_EXACT = re.compile(
    r"(?:\\?[A-Za-z]+\s*=\s*)?[+-]?(?:\d{1,3}(?:,\d{3})+|\d+(?:\s*/\s*\d+)?|\\d?frac\{\d+\}\{\d+\})"
)
r"""Matches "12", "-1,234", "r = 7/2" and "\frac{7}{2}"; not "0.2" or "14 times"."""
_ESCAPED = re.compile(r"\\\\\\?[(\[]")
r"""Matches the start of a formula whose backslashes were doubled: "\\("; not "\("."""
_SIGN = re.compile(r"\\[-+]\s*\d")
r"""Matches an escaped sign in front of a number: "\-8"; not "\frac"."""
_WRAPPERS = re.compile(r"^[\s$`]*(?:\\{1,2}[(\[])?|(?:\\{1,2}[)\]])?[\s$`]*$")
r"""Matches the marks around a formula, such as "$" and "\("; not "(1, 2)"."""


def items(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items of rows with text questions; the template gets ``problem`` and ``is_choice``.

    A question is a choice if its text lists options under "Answer Choices:" and its answer is the letter of one. Rows
    with a picture (the field ``image``) are left out. The option ``only: rule`` keeps what a rule decides.
    """
    known_options(spec, "only")
    only = spec.options.get("only")
    if only not in (None, "rule"):
        raise ConfigError(f"Task {spec.task}: expected only to be rule or nothing, got {only!r:.50}.")
    found = []
    for number, row in enumerate(rows, start=1):
        if row.get(spec.fields.get("image", "image")):
            continue
        problem = required(row, spec, "problem", number)
        answer = plain(required(row, spec, "answer", number))
        options = options_in(problem)
        is_choice = len(answer) == 1 and answer in LETTERS[: len(options)]
        by_judge = not is_choice and not is_exact(answer)
        metadata: dict[str, Json] = {"decided_by": "judge"} if by_judge else {}
        found.append(
            Item(
                id=item_id(row, spec, problem),
                gold=answer,
                fields={"problem": problem, "is_choice": is_choice},
                options=options if is_choice else (),
                tags=tags_of(row, spec),
                metadata=metadata,
            )
        )
    judged = sum("decided_by" in item.metadata for item in found)
    notes = []
    if only == "rule":
        text = f"{judged} questions that only a judge can decide are left out"
        notes = [Note(kind=NoteKind.QUESTIONS, text=text)] if judged else []
        found = [item for item in found if "decided_by" not in item.metadata]
    elif judged:
        text = f"a judge decides about {judged} questions if no rule finds an answer right; rules decide the others"
        notes = [Note(kind=NoteKind.GRADING, text=text)]
    return Items(distinct(found), notes)


def plain(answer: str) -> str:
    r"""Return a right answer without the marks of Markdown and the escapes that data sets leave around it.

    >>> print(plain(r"`\( U=CT \)` "), plain(r"\\(r = \\frac12\\)"), plain(r"\-8"))
    \( U=CT \) \(r = \frac12\) -8
    """
    text = answer.strip().strip("`").strip()
    if _ESCAPED.match(text):
        text = text.replace("\\\\", "\\").replace("\\_", "_")
    return text[1:] if _SIGN.match(text) else text


def options_in(problem: str) -> tuple[str, ...]:
    r"""Return the options that a question lists behind "Answer Choices:"; none if their letters are not A, B, C ….

    >>> options_in("Which?\n\nAnswer Choices:\nA. one\nB. two,\nin two lines")
    ('one', 'two,\nin two lines')
    >>> options_in("Which?\n\nAnswer Choices:\nA. one\nC. three"), options_in("Which of A. and B.?")
    ((), ())
    """
    marks = _CHOICES.findall(problem)
    listed = problem.rpartition(marks[-1])[2] if marks else ""
    starts = list(_OPTION.finditer(listed))
    letters = [start[1] for start in starts]
    if len(letters) < 2 or "".join(letters) != LETTERS[: len(letters)]:
        return ()
    ends = [*(start.start() for start in starts[1:]), len(listed)]
    return tuple(listed[start.end() : end].strip() for start, end in zip(starts, ends, strict=True))


def is_exact(answer: str) -> bool:
    r"""Return whether a right answer is a whole number or a fraction, so that a rule can tell that another is wrong.

    >>> is_exact("35"), is_exact(r"\(r = 19\)"), is_exact("$-7/2$"), is_exact("0.2"), is_exact("14 times")
    (True, True, True, False, False)
    """
    return _EXACT.fullmatch(_WRAPPERS.sub("", answer).strip()) is not None
