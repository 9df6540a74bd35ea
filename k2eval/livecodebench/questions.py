"""Rows of ``livecodebench/code_generation_lite`` as questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from k2eval.livecodebench.releases import Selection, contest_day, releases_of
from k2eval.records import Json, Message, Question

ERRATA = {
    "abc311_c": "several answers are right, one is accepted",
    "abc326_d": "several answers are right, one is accepted",
    "abc327_b": "several answers are right, one is accepted",
    "abc333_e": "several answers are right, one is accepted",
    "abc343_a": "several answers are right, one is accepted",
    "abc343_e": "several answers are right, one is accepted",
    "abc362_c": "several answers are right, one is accepted",
    "arc185_c": "several answers are right, one is accepted",
    "3194": "several answers are right, one is accepted",
    "3221": "several answers are right, one is accepted",
    "3453": "several answers are right, one is accepted",
    "abc337_e": "interactive: cannot be solved by one program run",
    "abc355_e": "interactive: cannot be solved by one program run",
    "abc350_c": "a test is wrong",
    "arc189_a": "a test is wrong",
    "3308": "a test is wrong",
    "3363": "a test is wrong",
}
"""Questions with known faults, by id: ``ERRATA.md`` of LiveCodeBench at revision b0fc86b (2025-07-08).

LeetCode's problems are named by title there; in the order above: find-words-containing-character,
find-the-peaks, generate-binary-strings-without-adjacent-zeros, apply-operations-to-make-string-empty,
most-frequent-ids."""


def best_rows(rows: Iterable[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """One row a question, in the order of first appearance; of several, the one with most hidden tests."""
    chosen: dict[str, Mapping[str, Json]] = {}
    for row in rows:
        name = str(row["question_id"])
        if name not in chosen or _hidden_size(row) > _hidden_size(chosen[name]):
            chosen[name] = row
    return list(chosen.values())


def questions(rows: Iterable[Mapping[str, Json]], task: str, selection: Selection) -> list[Question]:
    """The questions of ``selection`` among the data set's ``rows``, oldest contest first."""
    chosen = [row for row in best_rows(rows) if selection.holds(row)]
    chosen.sort(key=lambda row: (contest_day(row), str(row["question_id"])))
    return [question(row, task) for row in chosen]


def question(row: Mapping[str, Json], task: str) -> Question:
    """One row as a question. Tests stay encoded in ``gold``, for the grader to decode where it runs."""
    name = str(row["question_id"])
    function = json.loads(row["metadata"] or "{}").get("func_name")
    hidden = _hidden_size(row) > 0
    metadata: dict[str, Json] = {"erratum": ERRATA[name]} if name in ERRATA else {}
    return Question(
        task=task,
        id=name,
        messages=(Message(role="user", content=prompt(row)),),
        gold={
            "public": row["public_test_cases"],
            "private": row["private_test_cases"],
            "function": function,
        },
        tags={
            "difficulty": str(row["difficulty"]),
            "platform": str(row["platform"]),
            "month": contest_day(row).isoformat()[:7],
            "release": "/".join(sorted(releases_of(row))),
            "tests": "hidden" if hidden else "public only",
        },
        metadata=metadata,
    )


def prompt(row: Mapping[str, Json]) -> str:
    """What the model is asked: the statement, then the form of the answer.

    The structure is that of LiveCodeBench's generic prompt: the starter code where there is one, otherwise a
    program from standard input to standard output, and in either case one fenced block of Python.
    """
    if row["starter_code"]:
        wanted = (
            "Complete the starter code below. Keep the names and the parameters that it gives, and answer "
            f"with the whole program in one fenced block:\n\n```python\n{row['starter_code']}\n```"
        )
    else:
        wanted = (
            "Write a program that reads the input from standard input and writes the answer to standard "
            "output. Do not test it on the samples within the program. Answer with the whole program in one "
            "fenced block:"
            "\n\n```python\n# your program\n```"
        )
    return (
        "Solve this programming problem in Python 3. The program must pass all hidden tests within the "
        f"limits.\n\n### Problem\n{row['question_content'].strip()}\n\n### Answer\n{wanted}"
    )


def public_only(asked: Iterable[Question]) -> int:
    """How many of the questions have no hidden tests, so that passing says little."""
    return sum(question.tags.get("tests") == "public only" for question in asked)


def _hidden_size(row: Mapping[str, Json]) -> int:
    """Length of the encoded hidden tests; 0 for an empty list."""
    encoded = str(row["private_test_cases"] or "").strip()
    return 0 if encoded in ("", "[]") else len(encoded)
