"""The cells of the table: one run on one benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k2eval.journal import is_verified
from k2eval.leaderboard.scores import RunScores, TaskScores
from k2eval.records import Json, NoteKind, Outcome, Sampling, digest
from k2eval.statistics import Array, Estimate, average, paired_means, question_means, spread

_GROUPS = {"math": "Maths"}


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
    questions: tuple[str, ...]
    """Ids of the questions that have verdicts in any row."""
    comparable: tuple[int, ...]
    """Rows that were asked these questions."""
    ranked: tuple[int, ...]
    """The comparable rows that are finished: the questions answered first may be the easy ones."""
    settings: Mapping[str, Json]
    """Prompt, grader and sampling of most comparable rows."""
    means: Array
    """Per-question means of shape (questions, rows); NaN for rows that are not comparable."""


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
        questions=questions,
        comparable=comparable,
        ranked=tuple(index for index in comparable if not runs[index].tasks[name].missing),
        settings=settings,
        means=means,
    )


def _most_common(settings: Sequence[Mapping[str, Json]]) -> Mapping[str, Json]:
    digests = [digest(mapping) for mapping in settings]
    [(most_common, _)] = Counter(digests).most_common(1)
    return settings[digests.index(most_common)]


def differences(own: Mapping[str, Json], others: Mapping[str, Json]) -> list[str]:
    """Name the settings of one run on a benchmark that differ from the settings of most runs."""
    words = []
    for name in dict.fromkeys([*own, *others]):
        mine, theirs = own.get(name), others.get(name)
        if mine is not None and theirs is not None and mine != theirs:
            words.append(f"{name} {mine} instead of {theirs}"[:200])
    return words


def _asked(task: TaskScores) -> tuple[str, int]:
    """Return the facts that must be equal if two rows are compared: the data, and the number of questions asked."""
    return task.info.fingerprint, task.info.questions


def row_of(run: RunScores) -> Row:
    """Return a row with the columns that concern the whole run."""
    info, tasks = run.info, run.benchmarks.values()
    graded = sum(task.graded for task in tasks)
    notes = [] if info.complete else ["the run is not finished"]
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
    return Row(run, record | ({"verified": True} if is_verified(run.path) else {}))


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
    estimate, noise = average(task.values), spread(task.values)
    scored = np.isfinite(task.scores)
    fields = {
        "": 100 * estimate.value,
        "low": 100 * estimate.low,
        "high": 100 * estimate.high,
        "interval": estimate.method,
        "se": 100 * estimate.se,
        "question_se": 100 * noise.question_se,
        "repeat_se": 100 * noise.repeat_se,
        "k": task.info.repeats,
        "questions": estimate.questions,
        "expected_questions": task.info.expected_questions or task.info.questions,
        "samples": task.graded,
        "failed": task.failed,
        "marked": int(task.marked.sum()),
        "truncated": _percent(task.count(Outcome.TRUNCATED), task.graded),
        "no_answer": _percent(task.count(Outcome.NO_ANSWER), task.graded),
        "tokens": _mean([task.output_tokens[scored]]),
        "recipe_tokens": _mean([task.recipe_tokens[scored]]),
        "acceptance_length": row.run.info.acceptance_length(benchmark.name),
        "fingerprint": task.info.fingerprint,
        "grader": task.info.grader,
        **_judged(task),
        "notes": tuple(_notes(benchmark, task)),
    }
    row.estimates[benchmark.name] = estimate
    row.record.update((f"{benchmark.name}_{key}".rstrip("_"), value) for key, value in fields.items())


def _judged(task: TaskScores) -> dict[str, float]:
    """Return the score of the answer judge, that of the rule on the same samples, and the share that differs."""
    both = np.isfinite(task.judged) & np.isfinite(task.scores)
    failed: dict[str, float] = {"judge_failed": int(task.unjudged.sum())} if task.unjudged.any() else {}
    if not both.any():
        return failed
    rule, judge = task.scores[both], task.judged[both]
    return failed | {
        "judge": 100 * float(judge.mean()),
        "judge_rule": 100 * float(rule.mean()),
        "judge_differs": 100 * float(((rule >= 1) != (judge >= 1)).mean()),
        "judge_samples": int(both.sum()),
    }


def _notes(benchmark: Benchmark, task: TaskScores) -> list[str]:
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
    judged = _judged(task)
    if "judge_failed" in judged:
        notes.append(f"samples on which the answer judge failed: {judged['judge_failed']}")
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
    return notes + differences(info.settings, benchmark.settings)


def add_standing(rows: Sequence[Row], benchmark: Benchmark) -> None:
    """Mark the best of the compared rows, and the rows whose paired difference from the best may be noise."""
    scored = {
        index: rows[index].estimates[benchmark.name].value
        for index in benchmark.ranked
        if rows[index].estimates[benchmark.name].questions
    }
    if len(scored) < 2:
        return
    leader = max(scored, key=lambda index: (scored[index], rows[index].estimates[benchmark.name].questions))
    for index, value in scored.items():
        gap = paired_means(benchmark.means[:, leader], benchmark.means[:, index], test=False)
        standing = "best" if isclose(value, scored[leader]) else "near" if gap.high >= 0 else ""
        rows[index].record[f"{benchmark.name}_standing"] = standing


def _percent(count: int, total: int) -> float:
    return 100 * count / total if total else np.nan


def _mean(arrays: Iterable[NDArray[np.int64]]) -> float:
    values = np.concatenate([np.empty(0), *arrays])
    return float(values.mean()) if len(values) else np.nan


def group_title(name: str) -> str:
    """Return the title of an average.

    >>> group_title("math_micro"), group_title("macro")
    ('Maths micro', 'Macro (all)')
    """
    group, _, kind = name.rpartition("_")
    return f"{_GROUPS.get(group, group.capitalize())} {kind}" if group else "Macro (all)"
