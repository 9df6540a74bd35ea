"""The commands: read the configuration, do the work, print text and tables, return the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from k2eval.config import RunConfig, load_config
from k2eval.errors import ConfigError, DataError, K2EvalError, did_you_mean
from k2eval.journal import read_run
from k2eval.reasoning import format_named
from k2eval.records import Question
from k2eval.run import INTERRUPTED, closing_words, stop_at_once
from k2eval.system import shipped_path, terminal, write_text
from k2eval.tasks import Task, load_questions, load_tasks, task_files

if TYPE_CHECKING:
    from k2eval.run import Work

UNFINISHED = 1
"""Exit code of a command that ended with infrastructure failures."""
UNREADABLE = 2
"""Exit code of a command that kept what it could, but met rows that cannot be read."""


def run_command(
    file: Path | None,
    flags: Mapping[str, Any],
    engine: str | None,
    sets: Sequence[str],
    track: str | None = None,
) -> int:
    """Carry out ``k2eval run``."""
    # While nothing has started, and once everything is kept, there is nothing to end in order.
    signal.signal(signal.SIGINT, stop_at_once)
    from k2eval.engines import open_engines
    from k2eval.interop import tracking
    from k2eval.run import Runner

    config = _configuration(file, flags, engine, sets)
    console = terminal()
    runner = Runner(config, open_engines(config), console)
    _announce(runner.work, config, console)
    for plan in {engine.info.plan: None for engine in runner.engines.distinct if engine.info.plan}:
        console.print(f"  Engine: {plan}.", soft_wrap=True, highlight=False, markup=False)
    with tracking(track, config.out, config.model_dump(mode="json"), console):
        summary = asyncio.run(runner.run())
    if summary.done:
        _print_board([config.out], console)
    for line in closing_words(read_run(config.out)):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"Run directory: {config.out}", soft_wrap=True, highlight=False)
    if summary.interrupted:
        console.print(
            f"Stopped at {summary.done} of {summary.total} samples. The same command resumes from there."
        )
        return INTERRUPTED
    if summary.generated == 0 and summary.infrastructure == 0:
        console.print(f"Complete: all {summary.total} samples were there already.")
    if summary.infrastructure:
        console.print(
            f"[bold red]{summary.infrastructure} of {summary.total} samples could not be finished on our side[/]; "
            "they are not counted as wrong. The same command tries them again."
        )
        return UNFINISHED
    return 0


def dry_run_command(
    file: Path | None, flags: Mapping[str, Any], engine: str | None, sets: Sequence[str]
) -> int:
    """Carry out ``k2eval run --dry-run``."""
    from k2eval.cli.dry_run import dry_run

    return dry_run(_configuration(file, flags, engine, sets), terminal())


def _configuration(
    file: Path | None, flags: Mapping[str, Any], engine: str | None, sets: Sequence[str]
) -> RunConfig:
    pairs = [*sets, *([f"engine.kind={engine}"] if engine else [])]
    return load_config(file=file, flags=flags, sets=pairs, task_names=task_files)


def _announce(work: Work, config: RunConfig, console: Console) -> None:
    console.print(f"[bold]{config.model}[/] with recipe {config.recipe}, seed {config.seed}", soft_wrap=True)
    for questions in work.sets:
        notes = f" ({'; '.join(note.text for note in questions.notes)})" if questions.notes else ""
        console.print(
            f"  {questions.task.name}: {len(questions.items())} questions × {work.repeats_of(questions)} repeats "
            f"from {questions.source}{notes}",
            soft_wrap=True,
            highlight=False,
        )


def _print_board(runs: Sequence[Path], console: Console) -> None:
    from k2eval.leaderboard import build, print_table

    print_table(build(runs), console)


def grade_command(
    run: Path, data: Path | None, include: Sequence[Path] = (), reasoning: str | None = None
) -> int:
    """Carry out ``k2eval grade``."""
    from k2eval.run import regrade_run

    console = terminal()
    result = asyncio.run(regrade_run(run, data, include=include, reasoning=reasoning_setting(reasoning)))
    missing = f", {result.missing} without all their generations" if result.missing else ""
    console.print(f"Graded {result.graded} samples again: {result.changed} verdicts changed{missing}.")
    if result.stopped:
        console.print(
            f"[bold]{result.stopped} responses were ended inside their reasoning by a stop string[/]. They count as "
            "truncated; generate them again with another --out.",
            soft_wrap=True,
        )
    _print_board([run], console)
    if result.infrastructure:
        console.print(
            f"[bold red]{result.infrastructure} samples could not be graded[/]; they are not counted as wrong."
        )
    return UNFINISHED if result.infrastructure else 0


def score_command(
    responses: Path,
    out: Path,
    task: str | None,
    grader: str | None,
    data: Path | None,
    sets: Sequence[str],
    include: Sequence[Path] = (),
    reasoning: str | None = None,
) -> int:
    """Carry out ``k2eval score``."""
    from k2eval.grading import score_file

    console = terminal(stderr=True)
    if (task is None) == (grader is None):
        raise DataError("Expected either --task or --grader, to know how the responses are graded.")
    questions = _question_finder(task, data, sets, include) if task else None
    summary = score_file(
        responses,
        out,
        grader=grader,
        questions=questions,
        reasoning=format_named(reasoning_setting(reasoning) or "auto"),
    )
    console.print(str(summary), soft_wrap=True, highlight=False)
    return UNREADABLE if summary.unreadable else UNFINISHED if summary.infrastructure else 0


def reasoning_setting(reasoning: str | None) -> Any:
    """Return the value of ``--reasoning``: a name, or a mapping in YAML."""
    try:
        return None if reasoning is None else yaml.safe_load(reasoning)
    except Exception:  # PyYAML raises more than its own errors; the text is then no format's name either
        return reasoning


def _question_finder(
    name: str, data: Path | None, sets: Sequence[str], include: Sequence[Path]
) -> Callable[[str, int], Question]:
    flags = {"model": "none", "tasks": name, "out": Path(), "include_path": tuple(include)}
    config = load_config(file=None, flags=flags, sets=sets, task_names=task_files)
    [task] = load_tasks([name], {name: config.overrides_of(name)}, include)
    questions = load_questions(task, data=data)
    by_repeat: dict[int, dict[str, Question]] = {}

    def find(question_id: str, repeat_index: int = 0) -> Question:
        if repeat_index not in by_repeat:
            by_repeat[repeat_index] = {
                question.id: question for question in questions.questions(repeat_index)
            }
        known = by_repeat[repeat_index]
        if question_id not in known:
            raise DataError(
                f"{name} has no question {question_id!r}. {did_you_mean(question_id, list(known))[:300]} "
                f"`k2eval tasks {name} --questions` lists them."
            )
        return known[question_id]

    return find


def leaderboard_command(
    runs: Sequence[Path], out: Path, published: Path | None, quiet: bool = False, **scope: Any
) -> int:
    """Carry out ``k2eval leaderboard``; ``scope`` is what `k2eval.leaderboard.build` leaves out or splits."""
    from k2eval.leaderboard import build, print_table, write

    console = terminal()
    own = shipped_path("leaderboards", "published.csv")
    board = build(runs, published=published or (own if own.exists() else None), **scope)
    paths = write(board, out)  # before the table, whose reader may leave after its first lines
    if not quiet:
        print_table(board, console)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


def breakdown_command(runs: Sequence[Path], by: Sequence[str], out: Path | None, data: Path | None) -> int:
    """Carry out ``k2eval breakdown``."""
    from k2eval.report import break_down, print_breakdown, write_breakdown

    console = terminal()
    frame = break_down(runs, by, data)
    paths = write_breakdown(frame, out) if out else ()
    print_breakdown(frame, console)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


def compare_command(runs: Sequence[Path], out: Path | None, exclude: Path | None) -> int:
    """Carry out ``k2eval compare``."""
    from k2eval.compare import compare, print_comparison, to_markdown

    console = terminal()
    comparison = compare(runs, exclude=exclude)
    if out:
        try:
            write_text(out, to_markdown(comparison))
        except OSError as error:
            raise ConfigError(f"Cannot write {out}: {error}. Give another --out.") from error
    print_comparison(comparison, console)
    if out:
        console.print(f"Wrote {out}", soft_wrap=True, highlight=False)
    return 0


def report_command(
    runs: Sequence[Path], out: Path, data: Path | None, exclude: Path | None, include_protected: bool
) -> int:
    """Carry out ``k2eval report``."""
    from k2eval.report import write_report

    page = write_report(runs, out, include_protected=include_protected, data=data, exclude=exclude)
    terminal().print(f"Wrote {page}", soft_wrap=True, highlight=False)
    return 0


def tasks_command(
    names: Sequence[str], data: Path | None, list_questions: bool, include: Sequence[Path] = ()
) -> int:
    """Carry out ``k2eval tasks``."""
    console = terminal()
    tasks = load_tasks(names or list(task_files(include)), include=include)
    if list_questions:
        for task in tasks:
            hashes = load_questions(task, data=data).hashes
            console.file.write("".join(f"{task.name}\t{name}\t{text}\n" for name, text in hashes.items()))
        return 0
    table = Table(title="Tasks", title_justify="left", box=SIMPLE)
    for heading in ("task", "title", "kind", "questions", "grader", "repeats", "source"):
        table.add_column(heading, no_wrap=heading != "source", overflow="fold")
    for task in tasks:
        rows, source = _look_up(task, data)
        table.add_row(
            task.name, task.spec.title, task.spec.kind, rows, task.spec.grader, str(task.repeats), source
        )
    console.print(table)
    return 0


def _look_up(task: Task, data: Path | None) -> tuple[str, str]:
    spec = task.spec
    local = data or os.environ.get("K2EVAL_DATA")
    if not local and not spec.data.bundled:
        return f"? of {spec.questions}" if spec.questions else "?", f"hub: {spec.data.hub}"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a list must not wait for a network
    try:
        questions = load_questions(task, data=data)
        count = questions.available
    except K2EvalError as error:
        return f"0 of {spec.questions}", str(error)[:200]
    expected = f" of {spec.questions}" if spec.questions and spec.questions != count else ""
    first, *more = questions.source.split(", ")
    return f"{count}{expected}", f"{first} and {len(more)} more" if more else first


def ablation_command(runs: Sequence[Path], n: int, data: Path | None) -> int:
    """Carry out ``k2eval ablation``."""
    from k2eval.ablation import ablate, print_ablation

    print_ablation(asyncio.run(ablate(runs, n, data)), terminal())
    return 0


def recipes_command() -> int:
    """Carry out ``k2eval recipes``."""
    from k2eval.recipes import BUILT_IN

    table = Table(title="Recipes", title_justify="left", box=SIMPLE)
    table.add_column("recipe")
    table.add_column("how a response is made")
    for entry in BUILT_IN:
        table.add_row(entry.name, entry.summary)
    terminal().print(table)
    return 0
