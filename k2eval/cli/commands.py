"""The commands: read the configuration, do the work, print text and tables, return the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from k2eval.cli.run_options import RunOptions, reasoning_setting
from k2eval.config import RunConfig, load_config
from k2eval.errors import ConfigError, DataError, K2EvalError, did_you_mean
from k2eval.journal import read_run
from k2eval.reasoning import format_named
from k2eval.records import Question
from k2eval.run import closing_words
from k2eval.system import exit_code, real_path, shipped_path, terminal, write_text
from k2eval.tasks import QuestionSet, Task, load_questions, load_tasks, task_files

if TYPE_CHECKING:
    from k2eval.engines import WarmEngines
    from k2eval.run import Progress, Summary, Work

UNFINISHED = 1
"""Exit code of a command that ended with infrastructure failures."""
UNREADABLE = 2
"""Exit code of a command that kept what it could, but met rows that cannot be read."""


def run_command(options: RunOptions) -> int:
    """Carry out ``k2eval run``."""
    return evaluate(options.configuration(), options.track, terminal(), server=options.server)


def evaluate(
    config: RunConfig,
    track: str | None,
    console: Console,
    *,
    complete: Callable[[Coroutine[Any, Any, Summary]], Summary] = asyncio.run,
    warm: WarmEngines | None = None,
    look: Callable[[Progress], None] | None = None,
    server: bool = False,
) -> int:
    """Evaluate a configuration, print its table, and return the exit code of ``k2eval run``.

    Args:
        config: The configuration.
        track: The tracker, if any.
        console: The console for everything.
        complete: Function that runs a coroutine to its end.
        warm: Keeps the engines for the next run; see `Runner`.
        look: Called every few seconds; see `Runner`.
        server: Whether a server that `k2eval serve` keeps up may answer.
    """
    from k2eval.decide import UntilPrecise
    from k2eval.engines import open_engines
    from k2eval.engines.served import with_servers
    from k2eval.engines.vllm import VllmEngine, begin_ahead, end_spare
    from k2eval.interop import tracking
    from k2eval.run import Runner, Work

    engines, served = with_servers(open_engines(config)) if server else (open_engines(config), [])
    try:
        if warm is None and any(isinstance(engine, VllmEngine) for engine in engines.values()):
            begin_ahead()
        work = Work(config)
        batches = None if config.until is None else UntilPrecise(work)
        runner = Runner(config, engines, console, work, batches=batches, warm=warm, look=look)
        _announce(runner.work, config, console)
        plans = [*(engine.info.plan for engine in runner.engines.distinct), *served]
        for plan in dict.fromkeys(filter(None, plans)):
            console.print(f"  Engine: {plan}.", soft_wrap=True, highlight=False, markup=False)
        with tracking(track, config.out, config.model_dump(mode="json"), console):
            summary = complete(runner.run())
    finally:
        end_spare()
    return _ending(summary, config, console)


def _ending(summary: Summary, config: RunConfig, console: Console) -> int:
    """Print the table and how the run ended; return the exit code."""
    if summary.done:
        _print_board([config.out], console)
    for line in closing_words(read_run(config.out)):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"Run directory: {config.out}", soft_wrap=True, highlight=False)
    if summary.interrupted:
        number = signal.Signals(summary.signal or signal.SIGINT)
        words = "Stopped" if number == signal.SIGINT else f"Ended by {number.name}"
        most = "" if config.until is None else "at most "
        console.print(
            f"{words} at {summary.done} of {most}{summary.total} samples. The same command resumes from there."
        )
        return exit_code(number)
    if summary.generated == 0 and summary.infrastructure == 0:
        console.print(
            f"Complete: all {summary.total} samples were there already."
            if summary.done == summary.total
            else f"Nothing was left to make: {summary.done} samples were there already, as many as --until takes.",
            soft_wrap=True,
        )
    if summary.infrastructure:
        console.print(
            f"[bold red]{summary.infrastructure} of {summary.total} samples could not be finished on our side[/]; "
            "they are not counted as wrong. The same command tries them again."
        )
        return UNFINISHED
    return 0


def dry_run_command(options: RunOptions) -> int:
    """Carry out ``k2eval run --dry-run``."""
    from k2eval.cli.dry_run import dry_run

    return dry_run(options.configuration(), terminal())


def _announce(work: Work, config: RunConfig, console: Console) -> None:
    console.print(f"[bold]{config.model}[/] with recipe {config.recipe}, seed {config.seed}", soft_wrap=True)
    if config.protocol:
        from k2eval.protocols import protocol_named

        named = protocol_named(config.protocol)
        console.print(
            f"  Protocol {named.label}: {named.title}, {named.about}.", soft_wrap=True, highlight=False
        )
    for questions in work.sets:
        notes = f" ({'; '.join(note.text for note in questions.notes)})" if questions.notes else ""
        console.print(
            f"  {questions.task.name}: {len(questions.items())} questions × {work.repeats_of(questions)} repeats "
            f"from {questions.source}{notes}",
            soft_wrap=True,
            highlight=False,
        )
        for line in work.describe_task(questions).protocol_notes(config.recipe):
            console.print(f"    {line}", soft_wrap=True, highlight=False, markup=False)


def _print_board(runs: Sequence[Path], console: Console) -> None:
    from k2eval.leaderboard import build, print_table

    print_table(build(runs), console)


def grade_command(
    run: Path,
    data: Path | None,
    include: Sequence[Path] = (),
    reasoning: str | None = None,
    recipe: str | None = None,
) -> int:
    """Carry out ``k2eval grade``."""
    from k2eval.run import regrade_run

    console = terminal()
    setting = reasoning_setting(reasoning)
    result = asyncio.run(regrade_run(run, data, include=include, reasoning=setting, recipe=recipe))
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
    table = (
        out
        if out.suffix == ".csv"
        else out.with_name(f"{out.name.removesuffix('.md').removesuffix('.html')}.csv")
    )
    if published and real_path(published) == real_path(table):
        raise ConfigError(
            f"--out {out} would overwrite {published}, which --published reads. Give another --out."
        )
    board = build(runs, published=published or (own if own.exists() else None), **scope)
    paths = write(board, out)  # before the table, whose reader may leave after its first lines
    if not quiet:
        print_table(board, console)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


def breakdown_command(
    runs: Sequence[Path], by: Sequence[str], out: Path | None, data: Path | None, include: Sequence[Path] = ()
) -> int:
    """Carry out ``k2eval breakdown``."""
    from k2eval.report import break_down, print_breakdown, write_breakdown

    console = terminal()
    frame = break_down(runs, by, data, include)
    paths = write_breakdown(frame, out) if out else ()
    print_breakdown(frame, console)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


def compare_command(runs: Sequence[Path], out: Path | None, exclude: Path | None, margin: float) -> int:
    """Carry out ``k2eval compare``."""
    from k2eval.compare import compare, print_comparison, to_markdown

    console = terminal()
    comparison = compare(runs, exclude=exclude, margin=margin / 100)
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
    runs: Sequence[Path],
    out: Path,
    data: Path | None,
    include: Sequence[Path],
    exclude: Path | None,
    include_protected: bool,
) -> int:
    """Carry out ``k2eval report``."""
    from k2eval.report import write_report

    page = write_report(
        runs, out, include_protected=include_protected, data=data, include=include, exclude=exclude
    )
    terminal().print(f"Wrote {page}", soft_wrap=True, highlight=False)
    return 0


def tasks_command(
    names: Sequence[str],
    data: Path | None,
    list_questions: bool,
    include: Sequence[Path] = (),
    overlap: bool = False,
) -> int:
    """Carry out ``k2eval tasks``."""
    from k2eval.tasks import groups_in_words, overlaps_in_words, task_groups, texts_of, twins

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
    looked = [_look_up(task, data) for task in tasks]
    found = list(twins(texts_of([each.found for each in looked if each.found]), near=overlap))
    for task, each in zip(tasks, looked, strict=True):
        facts = (task.name, task.spec.title, task.spec.kind, each.number, task.spec.grader, str(task.repeats))
        table.add_row(*facts, each.source)
    console.print(table)
    for name, members in () if names else task_groups(include).items():
        console.print(f"The group {name} stands for {', '.join(members)}.", soft_wrap=True, highlight=False)
    for sentence in overlaps_in_words(found) if overlap else groups_in_words(found):
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    for task in tasks if names else ():
        _print_card(task, console)
    return 0


def _print_card(task: Task, console: Console) -> None:
    """Print where a benchmark is from, and how its authors run it."""
    card = task.spec.card
    lines = {} if card is None else {"from": card.source, "licence": card.licence, "protocol": card.protocol}
    for name, text in lines.items():
        console.print(f"{task.name}, {name}: {text}", soft_wrap=True, highlight=False, markup=False)


def view_command(
    folder: Path, port: int, browse: bool, data: Path | None, include: Sequence[Path] = ()
) -> int:
    """Carry out ``k2eval view``; ends when a signal asks for it."""
    import webbrowser

    from k2eval.view import Viewer, bind, serve

    if not folder.is_dir():
        raise ConfigError(
            f"Expected a folder of run directories, got {folder}, which is none. Name another one."
        )
    with bind(port) as listening:
        viewer = Viewer(folder, data=data, include=include)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/?token={viewer.token}"
        console = terminal()
        console.print(f"Runs of {folder}: {address}", soft_wrap=True, highlight=False, markup=False)
        console.print("The address is for you alone. Ctrl-C ends it.", highlight=False)
        if browse:
            webbrowser.open(address)
        serve(viewer, listening)
    return 0


class _Looked(NamedTuple):
    """What was found of a task's rows, in words; its questions, if they can be read."""

    number: str
    source: str
    found: QuestionSet | None = None


def _look_up(task: Task, data: Path | None) -> _Looked:
    spec = task.spec
    local = data or os.environ.get("K2EVAL_DATA")
    if not local and not spec.data.bundled:
        where = f"hub: {spec.data.hub}" if spec.data.hub else str(spec.data.origin or "")
        return _Looked(f"? of {spec.questions}" if spec.questions else "?", where)
    try:
        questions = load_questions(task, data=data, hub=False)  # a list must not wait for a network
        count = questions.available
    except K2EvalError as error:
        return _Looked(f"0 of {spec.questions}" if spec.questions else "0", str(error)[:200])
    expected = f" of {spec.questions}" if spec.questions and spec.questions != count else ""
    first, *more = questions.source.split(", ")
    source = f"{first} and {len(more)} more" if more else first
    return _Looked(f"{count}{expected}", source, questions)
