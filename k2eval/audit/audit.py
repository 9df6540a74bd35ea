"""Grade the responses of a run as other harnesses would, and collect the samples on which they differ from k2eval.

No engine is asked. k2eval's verdicts are those of the run. The graders of others run in the processes of the grading
pool, with its limits, and programs in the sandbox.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from k2eval.audit.harnesses import Harness, harnesses_named
from k2eval.audit.reasons import LENIENCIES, Side, reason
from k2eval.audit.steps import IN_STEPS, stage_and_step, steps_as_text
from k2eval.errors import ConfigError
from k2eval.grading import GradingJob, grade_all
from k2eval.journal import RunRecord
from k2eval.reasoning import NONE
from k2eval.recipes import parts_of
from k2eval.records import Generation, Grade, Outcome, Question, Record, Verdict
from k2eval.report import Samples
from k2eval.statistics import Estimate, average

LIMIT_S = 20.0
"""Seconds of processor time for one answer: math-verify's own limits are 5 s for each of its steps."""
LONGEST = 1_000_000
"""Characters of a response that other graders are given; their patterns may take the square of a length."""


class Difference(Record):
    """A sample on which another grader and k2eval's disagree."""

    task: str
    question_id: str
    repeat_index: int
    harness: str
    side: Side
    reason: str
    leniency: bool
    """Whether the reason gives points for an answer that is not there, or not right."""
    ours: Outcome
    theirs: Outcome
    ours_extracted: str | None
    """None if nothing was found, or if the authors ask that these texts not be published."""
    theirs_extracted: str | None


@dataclass(slots=True)
class Column:
    """One task as one harness would grade it."""

    task: str
    title: str
    harness: Harness
    questions: dict[str, int] = field(default_factory=dict)
    """Question id -> its row."""
    rows: list[tuple[int, float, float | None]] = field(default_factory=list)
    """Row, our score and theirs of each compared sample; None if theirs needs a judge."""
    failed: int = 0
    """Samples that the other grader could not grade here; compared in no way."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Number of samples with both verdicts, undecided ones included."""
        return len(self.rows)

    @property
    def undecided(self) -> int:
        """Number of samples that need the harness's own judge."""
        return sum(theirs is None for _, _, theirs in self.rows)

    @property
    def ours(self) -> Estimate:
        """k2eval's score on the compared samples."""
        return average(self._scores([ours for _, ours, _ in self.rows]))

    def theirs(self, undecided: float = 0.0) -> Estimate:
        """Return the score as the harness would state it, if every undecided sample scored ``undecided``."""
        return average(self._scores([undecided if theirs is None else theirs for _, _, theirs in self.rows]))

    def _scores(self, values: Sequence[float]) -> np.ndarray:
        most = max(Counter(row for row, _, _ in self.rows).values(), default=1)
        table = np.full((max(len(self.questions), 1), most), np.nan)
        place: Counter[int] = Counter()
        for (row, _, _), value in zip(self.rows, values, strict=True):
            table[row, place[row]] = value
            place[row] += 1
        return table

    def reasons(self, side: Side) -> Counter[str]:
        """Count the reasons on one side."""
        return Counter(difference.reason for difference in self.differences if difference.side == side)

    def count(self, side: Side) -> int:
        """Count the differences on one side."""
        return self.reasons(side).total()


@dataclass(slots=True)
class Audit:
    """The result of an audit."""

    run: RunRecord
    columns: list[Column]
    notes: list[str]
    """Tasks and samples that were not audited, with the reasons."""

    @property
    def failed(self) -> int:
        """Number of gradings that failed here."""
        return sum(column.failed for column in self.columns)

    @property
    def differences(self) -> Iterator[Difference]:
        """All differences, task by task and harness by harness."""
        return (difference for column in self.columns for difference in column.differences)


@dataclass(slots=True)
class _Waiting:
    column: Column
    verdict: Verdict
    finished: bool
    hidden: bool


def audit_run(
    folder: Path,
    *,
    harnesses: Sequence[str] = (),
    tasks: Collection[str] | None = None,
    data: Path | None = None,
    include: Sequence[Path] = (),
    include_protected: bool = False,
    workers: int | None = None,
) -> Audit:
    """Grade a run as other harnesses would.

    Args:
        folder: The run directory, which is only read.
        harnesses: Names of `HARNESSES`; all if empty.
        tasks: Names of tasks; all of the run if None.
        data: Folder with the rows of the benchmarks; ``K2EVAL_DATA`` or the hub if None.
        include: Folders with the user's own tasks.
        include_protected: Whether to keep answers whose authors ask not to publish them.
        workers: Number of grading processes; one for each core if None.

    Raises:
        ConfigError: If there is no such harness, or no sample that one of them could grade.
        JournalError: If the folder is not a run directory.
    """
    chosen = harnesses_named(harnesses)
    samples = Samples.load(folder, data, include)
    audit = Audit(samples.run, [], list(samples.notes))
    waiting: deque[_Waiting] = deque()
    jobs = _jobs(samples, chosen, tasks, audit, waiting, include_protected)
    for grade in grade_all(jobs, workers, limit_s=LIMIT_S):
        _count(waiting.popleft(), grade)
    if not any(column.compared or column.failed for column in audit.columns):
        why = "; ".join(audit.notes) or "it has no graded sample yet"
        raise ConfigError(f"Nothing of {folder} can be audited: {why}.")
    return audit


def _jobs(
    samples: Samples,
    harnesses: Sequence[Harness],
    tasks: Collection[str] | None,
    audit: Audit,
    waiting: deque[_Waiting],
    include_protected: bool,
) -> Iterator[GradingJob]:
    """Yield the responses to grade, and note for each what its grade is for."""
    for name, described in samples.run.tasks.items():
        grader = described.grader.partition("/")[0]
        able = [harness for harness in harnesses if harness.module(grader, name)]
        if (tasks is not None and name not in tasks) or name not in samples.questions or described.part:
            continue
        if not able:
            audit.notes.append(f"{name}: no harness here has a grader in the place of {grader}")
            continue
        columns = [Column(name, described.title or name, harness) for harness in able]
        audit.columns += columns
        hidden = described.protected and not include_protected
        unread, too_long = 0, Counter[str]()
        for question_id, by_repeat in samples.verdicts.get(name, {}).items():
            for repeat_index, verdict in sorted(by_repeat.items()):
                question = samples.question(name, question_id, repeat_index)
                generations = _answers(samples.generations(verdict), verdict, grader)
                if verdict.score is None or question is None or not generations:
                    unread += 1
                    continue
                read = [(each, parts_of(each, samples.run.reasoning)) for each in generations]
                finished = all(parts.complete for _, parts in read)
                cut = any(each.finish_reason == "length" for each in generations)
                bare = question.model_copy(update={"messages": ()})
                for column in columns:
                    texts = [
                        column.harness.text(grader, each.prefill + each.text, parts) for each, parts in read
                    ]
                    text = texts[0] if grader != IN_STEPS else steps_as_text(generations, texts)
                    if len(text) > LONGEST:
                        too_long[column.harness.title] += 1
                        continue
                    waiting.append(_Waiting(column, verdict, finished, hidden))
                    yield _job(bare, column.harness, grader, text, cut)
        if unread:
            audit.notes.append(
                f"{name}: {unread} samples without a score, a question or a response are left out"
            )
        audit.notes += [
            f"{name}: {count} responses of more than {LONGEST:,} characters are not graded as {title}"
            for title, count in too_long.items()
        ]


def _answers(generations: Sequence[Generation], verdict: Verdict, grader: str) -> list[Generation]:
    """Return the generation that was graded; of SciCode those of all steps of the candidate that was."""
    selected = [each for each in generations if each.key == verdict.selected]
    if grader != IN_STEPS or not selected:
        return selected
    candidate, _ = stage_and_step(selected[0].stage)
    return [each for each in generations if stage_and_step(each.stage)[0] == candidate]


def _job(question: Question, harness: Harness, grader: str, text: str, cut: bool) -> GradingJob:
    return GradingJob(question, text, cut, harness.module(grader), reasoning=NONE)


def _count(sample: _Waiting, grade: Grade) -> None:
    column, verdict = sample.column, sample.verdict
    if grade.outcome is Outcome.GRADER_ERROR:
        column.failed += 1
        return
    ours = float(verdict.score or 0.0)
    row = column.questions.setdefault(verdict.question_id, len(column.questions))
    column.rows.append((row, ours, grade.score))
    if grade.score is None or grade.score == ours:
        return
    why = reason(verdict, grade, sample.finished)
    column.differences.append(
        Difference(
            task=verdict.task,
            question_id=verdict.question_id,
            repeat_index=verdict.repeat_index,
            harness=column.harness.name,
            side="false pass" if grade.score > ours else "false fail",
            reason=str(why),
            leniency=grade.score > ours and why in LENIENCIES,
            ours=verdict.outcome,
            theirs=grade.outcome,
            ours_extracted=None if sample.hidden else verdict.extracted,
            theirs_extracted=None if sample.hidden else grade.extracted,
        )
    )
