"""The cells of the table: one run on one benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k2eval.grading import LEFT_TO_JUDGE
from k2eval.journal import is_verified
from k2eval.leaderboard import errors
from k2eval.leaderboard.scores import RunScores, TaskScores
from k2eval.records import Json, NoteKind, Outcome, Sampling, digest
from k2eval.statistics import Array, Estimate, question_means, spread

_GROUPS = {"math": "Maths"}
SAFETY = "safety"
"""The group of the aspects of the safety average (K2-Think report, arXiv 2509.07604: their plain mean)."""
CONTROL = "safety_control"
"""The group of benchmarks of harmless requests, which are to be answered."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One column of the table."""

    name: str
    title: str
    part: bool
    """Whether the column is another view of a benchmark, which no average counts."""
    group: str | None
    """Group of benchmarks whose micro average includes this benchmark."""
    fingerprint: str
    """Fingerprint of the questions that most rows were asked; rows with other questions are not compared."""
    size: int
    """The number of these questions."""
    protocol: str
    """Protocol under which most rows were asked; rows under another one are not compared."""
    questions: tuple[str, ...]
    """Ids of the questions that have verdicts in any row."""
    comparable: tuple[int, ...]
    """Rows that were asked these questions under this protocol."""
    ranked: tuple[int, ...]
    """The comparable rows that are finished: the questions answered first may be the easy ones."""
    settings: Mapping[str, Json]
    """Prompt, grader and sampling of most comparable rows."""
    means: Array
    """Per-question means of shape (questions, rows); NaN for rows that are not comparable."""
    identities: tuple[str, ...] = ()
    """For each question what is equal for the same question of another benchmark."""
    error_unit: str | None = None
    """Unit of the errors that the column shows, of which less is better; None if it shows percentages."""
    numeric: bool = False
    """Whether answers are numbers, which are measured by their errors; no average counts such a benchmark."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run on its way into the table."""

    run: RunScores
    record: dict[str, Any]
    """Column name -> value."""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """The estimate of each benchmark, as fractions."""


def benchmark_of(name: str, runs: Sequence[RunScores]) -> Benchmark:
    """Return the column of benchmark ``name``, which compares the runs on the questions that most were asked."""
    having = [index for index, run in enumerate(runs) if name in run.tasks]
    asked = {index: _asked(runs[index].tasks[name]) for index in having}
    votes = Counter(asked.values())
    reference = max(votes, key=lambda which: (votes[which], which[1]))
    comparable = tuple(index for index in having if asked[index] == reference)
    questions = tuple(
        dict.fromkeys(question for index in comparable for question in runs[index].tasks[name].questions)
    )
    row_of_question = {question: row for row, question in enumerate(questions)}
    means = np.full((len(questions), len(runs)), np.nan)
    for index in comparable:
        task = runs[index].tasks[name]
        means[[row_of_question[question] for question in task.questions], index] = question_means(task.values)
    info = runs[having[0]].tasks[name].info
    settings = _most_common([runs[index].tasks[name].info.settings for index in comparable])
    return Benchmark(
        name=name,
        title=info.title or name,
        part=info.part,
        group=info.micro,
        fingerprint=reference[0],
        size=reference[1],
        protocol=reference[2],
        questions=questions,
        comparable=comparable,
        ranked=tuple(index for index in comparable if not runs[index].tasks[name].missing),
        settings=settings,
        means=means,
        identities=tuple(
            identity_of(name, question, [runs[i].tasks[name] for i in having]) for question in questions
        ),
        error_unit=runs[having[0]].tasks[name].error_unit,
        numeric=info.error_unit is not None,
    )


def identity_of(name: str, question: str, tasks: Sequence[TaskScores]) -> str:
    """Return what is equal for the same question of another benchmark, as any of the runs tells it.

    A run that asked both benchmarks tells near duplicates, too.

    Args:
        name: The benchmark.
        question: Id of the question.
        tasks: The benchmark's verdicts in several runs.
    """
    twin = next((task.info.twins[question] for task in tasks if question in task.info.twins), None)
    known = (task.info.identity_of(question) for task in tasks)
    return twin or next(filter(None, known), f"{name}/{question}")


def _most_common(settings: Sequence[Mapping[str, Json]]) -> Mapping[str, Json]:
    digests = [digest(mapping) for mapping in settings]
    [(most_common, _)] = Counter(digests).most_common(1)
    return settings[digests.index(most_common)]


def differences(own: Mapping[str, Json], others: Mapping[str, Json]) -> dict[str, str]:
    """Return the settings of one run on a benchmark that differ from those of others, each with words for it.

    >>> differences({"max_tokens": 4096, "top_p": 0.95}, {"max_tokens": 64000, "top_p": 0.95})
    {'max_tokens': 'max_tokens 4096 instead of 64000'}
    """
    words = {}
    for name in dict.fromkeys([*own, *others]):
        mine, theirs = own.get(name), others.get(name)
        if mine is not None and theirs is not None and mine != theirs:
            words[name] = f"{name} {mine} instead of {theirs}"[:200]
    return words


def _asked(task: TaskScores) -> tuple[str, int, str]:
    """Return the facts that must be equal if two rows are compared: the data, the number of questions, the protocol."""
    return task.info.fingerprint, task.info.questions, task.info.protocol_label


def row_of(run: RunScores) -> Row:
    """Return a row with the columns that concern the whole run."""
    info, tasks = run.info, run.benchmarks.values()
    graded = sum(task.graded for task in tasks)
    notes = [] if info.complete else [_unfinished(info.stopped_early)]
    if not info.reproducible:
        notes.append("the engine could not honour seeds: a repetition may differ")
    if (info.prefix_cache_hits or 0) >= 0.005:
        notes.append(f"prefix cache: {100 * (info.prefix_cache_hits or 0):.0f} % of prompt tokens")
    if info.speculative and info.speculative.counted == "engine":
        notes.append("speculation counted over the whole engine, not per task")
    record = {
        "run": info.name,
        "model": info.model.name,
        "recipe": info.recipe,
        "model_fingerprint": info.model.fingerprint,
        "engine": info.model.engine,
        "complete": info.complete,
        "reproducible": info.reproducible,
        "samples": graded,
        "failed": sum(task.failed for task in tasks),
        "truncated": _percent(sum(task.count(Outcome.TRUNCATED) for task in tasks), graded),
        "no_answer": _percent(sum(task.count(Outcome.NO_ANSWER) for task in tasks), graded),
        "tokens": _mean(task.output_tokens[np.isfinite(task.scores)] for task in tasks),
        "recipe_tokens": _mean(task.recipe_tokens[np.isfinite(task.scores)] for task in tasks),
        "tokens_per_s": info.tokens_per_s,
        "acceptance_length": info.acceptance_length(),
        "notes": tuple(notes),
    }
    thinking = _thinking(run)
    record |= {"thinking": thinking} if thinking else {}
    protocols = dict.fromkeys(task.info.protocol_label for task in tasks if task.info.protocol)
    record |= {"protocol": ", ".join(protocols)} if protocols else {}
    return Row(run, record | ({"verified": True} if is_verified(run.path) else {}))


def _unfinished(stopped_early: str | None) -> str:
    return f"stopped early: {stopped_early}" if stopped_early else "the run is not finished"


def thinking_in_words(sampling: Sampling) -> str:
    """Return the switches of thinking that are set, in a few words; nothing if none is.

    >>> thinking_in_words(Sampling(thinking=True, thinking_budget=4096))
    'on, budget 4,096'
    """
    words = [] if sampling.thinking is None else ["on" if sampling.thinking else "off"]
    words += [] if sampling.reasoning_effort is None else [f"effort {sampling.reasoning_effort}"]
    words += [] if sampling.thinking_budget is None else [f"budget {sampling.thinking_budget:,}"]
    return ", ".join(words)


def _thinking(run: RunScores) -> str:
    """Return the switches of thinking: for all tasks, or task by task if they differ."""
    words = {
        task.info.title or name: thinking_in_words(task.info.sampling)
        for name, task in run.benchmarks.items()
    }
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), "")
    return "; ".join(f"{title}: {text or 'by its template'}" for title, text in words.items())


def add_cell(row: Row, benchmark: Benchmark) -> None:
    """Add the columns of one benchmark to a row; they stay empty if the run does not have the benchmark."""
    task = row.run.tasks.get(benchmark.name)
    if task is None:
        return
    estimate, noise = task.estimate, spread(task.values)
    scored = np.isfinite(task.scores)
    scale = 100 if task.error_unit is None else 1
    fields = {
        "": scale * estimate.value,
        "low": scale * estimate.low,
        "high": scale * estimate.high,
        "interval": estimate.method,
        "se": scale * estimate.se,
        "question_se": scale * noise.question_se,
        "repeat_se": scale * noise.repeat_se,
        "k": task.info.repeats,
        "questions": estimate.questions,
        "expected_questions": task.info.expected_questions or task.info.questions,
        "samples": task.graded,
        "failed": task.failed,
        "marked": int(task.marked.sum()),
        "truncated": _percent(task.count(Outcome.TRUNCATED), task.decided),
        "no_answer": _percent(task.count(Outcome.NO_ANSWER), task.decided),
        "tokens": _mean([task.output_tokens[scored]]),
        "recipe_tokens": _mean([task.recipe_tokens[scored]]),
        "acceptance_length": row.run.info.acceptance_length(benchmark.name),
        "fingerprint": task.info.fingerprint,
        "grader": task.info.grader,
        **_judged(task),
        **errors.figures(task),
        "notes": tuple(_notes(benchmark, task, row.run.info.recipe)),
    }
    row.estimates[benchmark.name] = estimate
    row.record.update((f"{benchmark.name}_{key}".rstrip("_"), value) for key, value in fields.items())


def _judged(task: TaskScores) -> dict[str, float]:
    """Return the score of the answer judge, that of the rule on the same samples, and the share that differs."""
    both = np.isfinite(task.judged) & np.isfinite(task.scores)
    failed: dict[str, float] = {"judge_failed": int(task.unjudged.sum())} if task.unjudged.any() else {}
    if not both.any() or _decided_by_judge(task):  # there, the judge's word is the score
        return failed
    rule, judge = task.scores[both], task.judged[both]
    return failed | {
        "judge": 100 * float(judge.mean()),
        "judge_rule": 100 * float(rule.mean()),
        "judge_differs": 100 * float(((rule >= 1) != (judge >= 1)).mean()),
        "judge_samples": int(both.sum()),
    }


def _decided_by_judge(task: TaskScores) -> bool:
    """Return whether the judge decides what the rule leaves open, so that its word is part of the score."""
    grader = task.info.grader.partition("/")[0]
    return grader in LEFT_TO_JUDGE and (grader == "rule_first" or task.info.options.get("only") != "rule")


def _notes(benchmark: Benchmark, task: TaskScores, recipe: str) -> list[str]:
    info = task.info
    notes = [note.text for note in info.notes]
    expected = info.expected_questions
    limited = any(note.kind is NoteKind.LIMITED for note in info.notes)
    if expected is not None and info.questions < expected and not limited:
        notes.append(f"{info.questions} of {expected} questions")
    notes = list(dict.fromkeys(notes))
    if task.failed:
        notes.append(
            f"infrastructure failures, left out: {task.failed} of {task.failed + task.graded} samples"
        )
    if task.marked.any():
        notes.append(f"samples whose recipe lost a candidate, a plan or a judgement: {task.marked.sum()}")
    if task.saved_tokens.any():
        saved, spent = int(task.saved_tokens.sum()), int(task.recipe_tokens.sum())
        notes.append(
            f"the vote was settled early: about {100 * saved / (saved + spent):.0f}% fewer tokens than with all "
            "candidates, for the same answers"
        )
    notes += errors.notes(task)
    judged = _judged(task)
    if "judge_failed" in judged:
        notes.append(f"samples on which the answer judge failed: {judged['judge_failed']}")
    if _decided_by_judge(task) and task.decided:
        by_judge = int((np.isfinite(task.judged) & np.isfinite(task.scores)).sum())
        notes.append(
            f"{by_judge} of {task.decided} samples were decided by the answer judge, the others by rule"
        )
    if "judge" in judged:
        notes.append(
            f"{judged['judge']:.1f} by the answer judge, {judged['judge_rule']:.1f} by rule on the same "
            f"{judged['judge_samples']} samples, which differ on {judged['judge_differs']:.1f}%"
        )
    if task.missing:
        planned = info.questions * info.repeats
        notes.append(f"unfinished, so not ranked: {planned - task.missing} of {planned} samples")
    if info.fingerprint == benchmark.fingerprint and info.questions != benchmark.size:
        notes.append(f"{info.questions} questions, most rows have {benchmark.size}: not compared with them")
    if info.fingerprint != benchmark.fingerprint:
        notes.append(
            f"other questions (fingerprint {info.fingerprint[:8]}) than most rows "
            f"({benchmark.fingerprint[:8]}): not compared with them"
        )
    if info.protocol_label != benchmark.protocol:
        notes.append(
            f"protocol {info.protocol_label}, other rows have {benchmark.protocol}: not ranked with them"
        )
    notes += info.protocol_notes(recipe)
    others = differences(info.settings, benchmark.settings)
    return notes + [words for name, words in others.items() if name != "protocol"]


def _percent(count: int, total: int) -> float:
    return 100 * count / total if total else np.nan


def _mean(arrays: Iterable[NDArray[np.int64]]) -> float:
    values = np.concatenate([np.empty(0), *arrays])
    return float(values.mean()) if len(values) else np.nan


def group_title(name: str) -> str:
    """Return the title of an average.

    >>> group_title("math_micro"), group_title("macro")
    ('Maths micro', 'Macro (all)')
    >>> group_title("safety_balanced")
    'Safety balanced'
    """
    group, _, kind = name.rpartition("_")
    return f"{_GROUPS.get(group, group.capitalize())} {kind}" if group else "Macro (all)"
