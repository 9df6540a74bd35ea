"""The claims of ``run.json`` that a table shows, held against the tasks, the configuration and the journal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

import k2eval
from k2eval.journal import Archive, RunRecord, TaskRecord
from k2eval.records import Json, SampleKey, Verdict
from k2eval.run.plan import Work
from k2eval.run.session import total_speculation
from k2eval.statistics import stages_of
from k2eval.tasks import QuestionSet, hashes_of_twins, text_hash

_OF_TASK = ("title", "kind", "micro", "part", "expected_questions", "protected", "error_unit", "protocol")
"""Fields of a task that its file gives."""
_OF_DETAIL = ("sub_passed", "sub_total", "sub_errors", "reading", "residual")
"""Entries of a verdict's detail from which a table makes the score of steps, and the errors of numbers."""
_OF_NOTES = ("answer_judge", "tokens_saved_estimate")
"""Entries of a verdict's notes that a table shows."""


@dataclass(slots=True)
class Claims:
    """The result of the comparison."""

    faults: list[str] = field(default_factory=list)
    """The contradictions, a sentence each."""
    doubts: list[str] = field(default_factory=list)
    """Claims that cannot be checked, because of which no table may call the run verified."""


def check_claims(run: RunRecord, work: Work, archive: Archive) -> Claims:
    """Hold ``run.json`` against the tasks at hand, its own configuration and the generations."""
    result = Claims(faults=list(_of_run(run)))
    known = run.k2eval == k2eval.__version__
    is_last = known and set(run.config.tasks) >= set(
        run.tasks
    )  # else an earlier start saw other tasks beside it
    (result.faults if is_last else result.doubts).extend(_of_twins(run, work))
    for questions in work.sets:
        there = run.tasks[questions.task.name]
        if there.questions < questions.available:
            questions.limit = there.questions  # as the run did, so that the notes say so
        different = list(_of_task(there, work.describe_task(questions), questions))
        (result.faults if known else result.doubts).extend(
            f"{questions.task.name}: {words}" for words in different
        )
        grader = work.grader_label(questions)
        if there.grader != grader:
            result.doubts.append(
                f"{questions.task.name} was graded by {there.grader}, and checked by {grader}; `k2eval grade` brings "
                "the run up to date"
            )
    result.doubts += _of_sessions(run, archive)
    return result


def _of_run(run: RunRecord) -> Iterator[str]:
    repeats = max((task.repeats for task in run.tasks.values()), default=run.repeats)
    pairs: dict[str, tuple[Json, Json]] = {
        "recipe": (run.recipe, run.config.recipe),
        "model.fingerprint": (run.model.fingerprint, run.engine.fingerprints["solver"]),
        "repeats": (run.repeats, repeats),
    }
    if run.k2eval == k2eval.__version__:
        total = total_speculation(run.sessions)
        pairs["speculative"] = (
            None if run.speculative is None else run.speculative.model_dump(),
            None if total is None else total.model_dump(),
        )
    for name, (claimed, found) in pairs.items():
        if claimed != found:
            yield f"run.json: {name} is {claimed!r:.80}, and {found!r:.80} by the rest of it"


def _of_task(there: TaskRecord, here: TaskRecord, questions: QuestionSet) -> Iterator[str]:
    for name in _OF_TASK:
        claimed, found = getattr(there, name), getattr(here, name)
        if claimed != found:
            yield f"{name} is {claimed!r:.80} in the run, and {found!r:.80} by the task"
    hashes = {item.id: text_hash(item) for item in questions.all_items}
    strange = [name for name, text in there.hashes.items() if hashes.get(name) != text]
    if strange:
        yield f"the task has no question {strange[0]!r:.60} with the text of the run"
    if there.questions != len(there.hashes):
        yield f"{there.questions} questions are claimed, and {len(there.hashes)} are named"
    first = {item.id for item in questions.items()}
    if there.questions < questions.available and not strange and set(there.hashes) != first:
        yield f"the {there.questions} questions of the run are not the first of the task"
    claims, found = ({note.text for note in task.notes} for task in (there, here))
    for text in sorted(claims - found):
        yield f"the note {text!r:.80} does not follow from the task"
    for text in sorted(found - claims):
        yield f"the note {text!r:.80} is missing"


def _of_twins(run: RunRecord, work: Work) -> Iterator[str]:
    """Yield the tasks whose twins are not those of the questions: they decide what an average counts once."""
    order = {name: place for place, name in enumerate(run.config.tasks)}
    sets = sorted(work.sets, key=lambda questions: order.get(questions.task.name, len(order)))
    twins = hashes_of_twins(sets)
    for name, task in run.tasks.items():
        found = {item: text for item, text in twins.get(name, {}).items() if item in task.hashes}
        strange = [item for item in {**found, **task.twins} if found.get(item) != task.twins.get(item)]
        if strange:
            yield (
                f"{name}: question {strange[0]!r:.60} is the same as {task.twins.get(strange[0])!r:.60} in the run, "
                f"and as {found.get(strange[0])!r:.60} by the tasks"
            )


def _of_sessions(run: RunRecord, archive: Archive) -> Iterator[str]:
    generated = sum(session.generated for session in run.sessions)
    tokens = sum(session.generated_tokens for session in run.sessions)
    if generated > len(archive.keys) or tokens > archive.output_tokens:
        yield (
            f"run.json counts {generated:,} new generations of {tokens:,} tokens, and the journal holds "
            f"{len(archive.keys):,} of {archive.output_tokens:,}, so its speed is not that of these"
        )
    name = run.model.name
    if archive.models and not any(_is_name_of(name, model) for model in archive.models if model):
        yield f"the model is called {name!r:.60} in run.json, and {sorted(archive.models)[0]!r:.60} in its generations"


def differences(before: Verdict, after: Verdict) -> Iterator[str]:
    """Yield the fields in which a verdict does not repeat, each with both values."""
    fields = (
        "outcome", "score", "extracted", "selected", "generations", "output_tokens", "recipe_tokens", "finish_reason",
        "tags",
    )  # fmt: skip
    for name in fields:
        yield from _unequal(name, getattr(before, name), getattr(after, name))
    for name in _OF_DETAIL:
        yield from _unequal(f"detail.{name}", before.detail.get(name), after.detail.get(name))
    for name in _OF_NOTES:
        yield from _unequal(f"notes.{name}", before.notes.get(name), after.notes.get(name))
    yield from _unequal("notes.marks", *(_sorted(verdict.notes.get("marks")) for verdict in (before, after)))


def _sorted(marks: Json) -> list[str]:
    return sorted(map(str, marks)) if isinstance(marks, Iterable) and not isinstance(marks, str) else []


def _unequal(name: str, there: Json, here: Json) -> Iterator[str]:
    if there != here:
        yield f"{name} is {str(there)[:80]!r} in the run, and {str(here)[:80]!r} by its texts"


def _is_name_of(claimed: str, model: str) -> bool:
    """Return whether a run may call a model so: by its last part, or by a name that a server makes longer.

    >>> _is_name_of("models/nano/rl", "/data/models/nano/rl"), _is_name_of("gpt-4o", "gpt-4o-2024-08-06")
    (True, True)
    >>> _is_name_of("s", "script.jsonl"), _is_name_of("better than script.jsonl", "script.jsonl")
    (False, False)
    """
    claimed, model = (name.rstrip("/").rpartition("/")[2] for name in (claimed, model))
    return claimed == model or bool(re.match(re.escape(claimed) + r"[^A-Za-z0-9]", model))


def unasked_repeats(run: RunRecord, verdicts: Mapping[SampleKey, Verdict]) -> Iterator[str]:
    """Yield the tasks with repeats that ``until`` would not have asked for, since it decides about their weights."""
    if run.config.until is None:
        return
    for name, task in run.tasks.items():
        rows = {question: row for row, question in enumerate(sorted(task.hashes))}
        scores = np.full((len(rows), task.repeats), np.nan)
        there = np.zeros(scores.shape, dtype=bool)
        for key, verdict in verdicts.items():
            if key.task == name and key.question_id in rows:
                there[rows[key.question_id], key.repeat_index] = True
                scores[rows[key.question_id], key.repeat_index] = (
                    np.nan if verdict.score is None else verdict.score
                )
        asked = np.zeros(scores.shape, dtype=bool)
        for _, member in stages_of(scores, run.config.until / 100, there=there):
            asked |= member
        if run.stopped_early is not None and not asked.any():
            yield f"{name}: run.json says that the score is precise, and the first stage of its repeats is not whole"
        extra = int((there & ~asked).sum())
        if extra and (run.complete or run.stopped_early is not None):
            yield f"{name}: {extra} samples are of repeats that until = {run.config.until:g} would not have asked for"
