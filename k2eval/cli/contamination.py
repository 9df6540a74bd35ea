"""``k2eval contamination``: look for the questions of tasks in training data."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from k2eval.errors import ConfigError
from k2eval.system import at_end, cores, terminal, write_text
from k2eval.tasks import (
    CorpusMatches,
    QuestionSet,
    load_questions,
    load_tasks,
    passed_over,
    search_corpus,
    text_of,
)

_NAMED = 8
"""Most files that are named."""


def contamination_command(
    names: Sequence[str],
    corpus: Path,
    out: Path | None,
    least: float,
    data: Path | None,
    include: Sequence[Path],
    workers: int | None,
    resume: Path | None = None,
) -> int:
    """Carry out ``k2eval contamination``."""
    if not corpus.is_dir():
        raise ConfigError(f"Expected a folder with training data, got {corpus}. Give an existing --corpus.")
    sets = [load_questions(task, data=data) for task in load_tasks(names, include=include)]
    begun = time.monotonic()
    questions = [(each, item.id, text_of(item)) for each in sets for item in each.all_items]
    texts = [text for _, _, text in questions]
    with _shown(resume) as progress:
        found, short = search_corpus(corpus, texts, workers or cores.count(), progress=progress, keep=resume)
    seconds = time.monotonic() - begun
    listed = [
        number
        for number in range(len(questions))
        if number in found.matches and found.matches[number].share >= least
    ]
    console = terminal()
    console.print(
        f"{found.documents:,} documents, {found.size / 1e9:.2f} GB, in {seconds:.0f} s.", highlight=False
    )
    for each in sets:
        console.print(_of_task(each, questions, listed, short), soft_wrap=True, highlight=False, markup=False)
    if found.unreadable:
        console.print(
            f"{found.unreadable:,} lines are no JSON, or too long, and were left out.", highlight=False
        )
    if found.senseless:
        console.print(_of_senseless(found.senseless), soft_wrap=True, highlight=False, markup=False)
    unread = passed_over(corpus)
    if unread:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in unread.most_common(8))
        console.print(
            f"{unread.total():,} files or folders were not read, for want of a kind that is known: {kinds}.",
            soft_wrap=True, highlight=False, markup=False,
        )  # fmt: skip
    if out is not None and listed:
        _write(out, [(questions[number][0], questions[number][1], number) for number in listed], found)
        console.print(f"Wrote {out}, for --exclude.", soft_wrap=True, highlight=False, markup=False)
    elif out is not None:
        console.print(
            f"No question is listed: {out} was not written.", soft_wrap=True, highlight=False, markup=False
        )
    return 0


@contextlib.contextmanager
def _shown(resume: Path | None) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal's standard error how far a search is, and tell there where one ended that a signal ends."""
    console = Console(stderr=True)
    state = [0, 0]

    def stopped() -> None:
        again = "The same command goes on there." if resume else "Give --resume FILE to go on next time."
        words = f"k2eval: stopped after {state[0] / 1e9:.2f} of {state[1] / 1e9:.2f} GB. {again}\n"
        os.write(2, ("\n" * console.is_terminal + words).encode())

    columns = (
        TextColumn("Searching"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with (
        at_end(stopped),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("", total=None)

        def update(read: int, total: int) -> None:
            state[:] = read, total
            bar.update(task, completed=read, total=total)

        yield update


def _of_task(
    task: QuestionSet,
    questions: Sequence[tuple[QuestionSet, str, str]],
    listed: Sequence[int],
    short: Sequence[int],
) -> str:
    own = {number for number, (each, _, _) in enumerate(questions) if each is task}
    too_short = len(own.intersection(short))
    note = f"; {too_short} are too short to be looked for" if too_short else ""
    return f"{task.task.name}: {len(own.intersection(listed))} of {len(own)} questions are in the data{note}"


def _of_senseless(names: Collection[str]) -> str:
    some = ", ".join(sorted(names)[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return (
        f"{len(names):,} files are no text in UTF-8, nor in UTF-16 or UTF-32 with a byte order mark, so questions in "
        f"them are missed: {some}. Convert them, for instance with `iconv -f UTF-16LE -t UTF-8`, or remove them."
    )


def _write(out: Path, listed: Sequence[tuple[QuestionSet, str, int]], found: CorpusMatches) -> None:
    lines = []
    for task, question, number in listed:
        match = found.matches[number]
        lines += [f"# {100 * match.share:.0f} % of it is in {match.place}", f"{task.task.name}/{question}"]
    try:
        write_text(out, "\n".join(lines) + "\n")
    except OSError as error:
        raise ConfigError(f"Cannot write {out}: {error.strerror}. Choose another --out.") from error
