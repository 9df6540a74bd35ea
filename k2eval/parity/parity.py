"""Compare the benchmarks of a run with the figures of somebody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from k2eval.audit import HARNESSES, Column, audit_run
from k2eval.errors import ConfigError
from k2eval.journal import read_run
from k2eval.parity.against import read_against
from k2eval.parity.agreement import Agreement, agreements, contradicts, shared_rows
from k2eval.parity.causes import Cause, causes
from k2eval.parity.ours import Ours, read_ours
from k2eval.parity.regraded import Regraded, regraded
from k2eval.parity.side import Side, task_key


@dataclass(frozen=True, slots=True)
class Parity:
    """One benchmark of the run against one figure."""

    task: str
    title: str
    ours: Side
    theirs: Side
    agreements: list[Agreement]
    """The intervals that could be made, the sharpest first."""
    causes: list[Cause]
    shared: int
    """Questions that both sides have scores of."""
    whole: int | None
    """Questions of the whole benchmark."""
    is_complete: bool
    """Whether the run has all samples that it asked for."""
    audit: Column | None
    """Our responses by their grader; None if it is none that the audit knows."""
    regraded: Regraded | None
    """Their responses by our grader; None if their file has none."""

    @property
    def agrees(self) -> bool:
        """Whether the sharpest interval shows no difference."""
        return self.agreements[0].agrees


@dataclass(frozen=True, slots=True)
class ParityReport:
    """All benchmarks of a run that the other side has, too."""

    run: str
    against: str
    parities: list[Parity]
    notes: list[str]

    @property
    def agrees(self) -> bool:
        """Whether every benchmark agrees."""
        return all(parity.agrees for parity in self.parities)


def parity_of(
    folder: Path,
    against: Path,
    *,
    row: str | None = None,
    metric: str | None = None,
    pairs: Mapping[str, str] | None = None,
    tasks: Collection[str] | None = None,
    with_audit: bool = True,
    data: Path | None = None,
    include: Sequence[Path] = (),
    workers: int | None = None,
) -> ParityReport:
    """Compare a run with the figures of somebody else.

    Args:
        folder: The run directory, which is only read.
        against: Their file or folder; see `read_against`.
        row: The system of a CSV.
        metric: The metric, if a file has several.
        pairs: Name of our task -> theirs, where they cannot be told by themselves.
        tasks: Names of tasks; all of the run if None.
        with_audit: Whether to grade our responses by their grader, if the audit knows it, and theirs by ours.
        data: Folder with the rows of the benchmarks; ``K2EVAL_DATA`` or the hub if None.
        include: Folders with the user's own tasks.
        workers: Number of grading processes; one for each core if None.

    Raises:
        ConfigError: If both sides have no benchmark in common, or a pair names none.
        DataError: If their file cannot be read.
        JournalError: If the folder is not a run directory.
    """
    others = read_against(against, row=row, metric=metric)
    mine, notes = read_ours(folder, data, include)
    chosen = {name: ours for name, ours in mine.items() if tasks is None or name in tasks}
    matched = _matched(chosen, others, pairs or {}, folder, against)
    notes = [*notes, *_left_out(chosen, matched, others, folder, tasks)]
    audits = _audits(folder, matched, data, include, workers) if with_audit else {}
    parities = []
    for name, (ours, theirs) in matched.items():
        shared = shared_rows(ours, theirs)
        column = audits.get(name)
        mean = contradicts(theirs, shared)
        if mean is not None:
            theirs.notes.append(
                f"the mean of its samples is {100 * mean:.1f}, not the {100 * theirs.score:.1f} it states, so they "
                "are not compared question by question"
            )
        again = regraded(ours, theirs, shared, workers) if with_audit else None
        effect = "; ".join(filter(None, (_effect(column), again.words if again else "")))
        parities.append(
            Parity(
                name,
                ours.scores.info.title or name,
                ours.side,
                theirs,
                agreements(ours, theirs, shared),
                causes(ours, theirs, shared, effect),
                len(shared),
                ours.scores.info.expected_questions,
                ours.is_complete,
                column,
                again,
            )
        )
    return ParityReport(folder.name, against.name, parities, notes)


def _matched(
    mine: Mapping[str, Ours], others: Sequence[Side], pairs: Mapping[str, str], run: Path, against: Path
) -> dict[str, tuple[Ours, Side]]:
    """Return the benchmarks that both sides have: those that are named as pairs, or have one name."""
    theirs = {side.task: side for side in others}
    if len(theirs) < len(others):
        twice = next(name for name, number in Counter(side.task for side in others).items() if number > 1)
        raise ConfigError(
            f"{against} has several figures of {twice:.100}. Keep one, or give each its own name for --task."
        )
    for name, other in pairs.items():
        if name not in mine:
            raise ConfigError(
                f"--task {name}={other}: the run has no scores of {name}. It has {', '.join(mine)}."
            )
        if other not in theirs:
            listed = ", ".join(theirs)
            raise ConfigError(
                f"--task {name}={other}: {against} has no figure of {other}. It has {listed:.500}."
            )
    found = {}
    for name, ours in mine.items():
        side = (
            theirs[pairs[name]]
            if name in pairs
            else _of_one_name((name, ours.scores.info.title), theirs, against)
        )
        if side is not None:
            found[name] = (ours, side)
    if not found:
        raise ConfigError(
            f"No benchmark of {run} is one of {against}. The run has {', '.join(mine) or 'no scores'}; the file has "
            f"{', '.join(theirs):.500}. Name a pair with --task OURS=THEIRS."
        )
    return found


def _left_out(
    mine: Mapping[str, Ours],
    matched: Mapping[str, tuple[Ours, Side]],
    others: Sequence[Side],
    folder: Path,
    tasks: Collection[str] | None,
) -> list[str]:
    """Return notes on benchmarks of both sides that are compared with nothing."""
    asked = [name for name in read_run(folder).tasks if tasks is None or name in tasks]
    ours = [name for name in asked if name not in matched]
    used = {id(side) for _, side in matched.values()}
    theirs = [side.task for side in others if id(side) not in used]
    notes = []
    if ours:
        measured = [name for name in ours if name not in mine]
        why = f" ({', '.join(measured)} without a share of right answers)" if measured else ""
        notes.append(f"only the run has {', '.join(ours)}{why}"[:500])
    if theirs:
        notes.append(f"only the other side has {', '.join(theirs)}"[:500])
    return notes


def _of_one_name(names: Sequence[str | None], theirs: Mapping[str, Side], against: Path) -> Side | None:
    """Return the figure with one of the names: the same to the letter first, then but for its spelling.

    Raises:
        ConfigError: If several fit.
    """
    for name in filter(None, names):
        if name in theirs:
            return theirs[name]
        key = task_key(name)
        fitting = [other for other in theirs if key and task_key(other) == key]
        if len(fitting) > 1:
            raise ConfigError(
                f"{against} has several figures that may be of {name:.100}: {', '.join(fitting):.300}. Name one with "
                "--task OURS=THEIRS."
            )
        if fitting:
            return theirs[fitting[0]]
    return None


def _audits(
    folder: Path,
    matched: Mapping[str, tuple[Ours, Side]],
    data: Path | None,
    include: Sequence[Path],
    workers: int | None,
) -> dict[str, Column]:
    """Return our responses by their graders, where the audit knows them and the questions are at hand."""
    known = {harness.name: harness for harness in HARNESSES}
    found = {}
    for name, (ours, theirs) in matched.items():
        harness = known.get(theirs.harness or "")
        grader = ours.scores.info.grader.partition("/")[0]
        if harness is None or harness.module(grader, name) is None or not ours.side.prompts:
            continue
        audit = audit_run(
            folder, harnesses=[harness.name], tasks=[name], data=data, include=include, workers=workers
        )
        found[name] = next(column for column in audit.columns if column.task == name)
    return found


def _effect(column: Column | None) -> str:
    """Return what their grader would make of our responses."""
    if column is None or not column.compared:
        return ""
    ours, low, high = (
        100 * estimate.value for estimate in (column.ours, column.theirs(), column.theirs(1.0))
    )
    score = f"{low:.1f}" if not column.undecided else f"{low:.1f} – {high:.1f}"
    gap = f"{low - ours:+.1f} points" if not column.undecided else f"{column.undecided} undecided"
    top = (column.reasons("false pass") + column.reasons("false fail")).most_common(2)
    why = "; ".join(f"{count} × {reason}" for reason, count in top)
    return f"our responses score {score} by {column.harness.title} ({gap})" + (f": {why}" if why else "")
