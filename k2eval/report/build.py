"""Runs -> one page; the texts of samples are in the page, in files beside the page, or behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k2eval.errors import ConfigError
from k2eval.leaderboard import Contamination, Leaderboard, RunScores, board_tables, build, load_runs
from k2eval.pages import LIBRARIES, LIVE, SAMPLES, STYLES, WORKER, look_of, render, script_json
from k2eval.records import Json
from k2eval.report import charts
from k2eval.report.breakdown import break_down_samples, by_tag
from k2eval.report.index import Index, describe, store_texts
from k2eval.report.pieces import Piece, PieceWriter
from k2eval.report.samples import Samples
from k2eval.system import write_text

PAGE, TEXTS = "report.html", "samples"
EMBEDDED = 6_000_000
"""Most bytes of sample texts that are put into the page itself."""
_NAMED = 5
"""Most runs that the title names."""


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    include_protected: bool = False,
    data: Path | None = None,
    include: Sequence[Path] = (),
    exclude: Path | None = None,
    embedded: int = EMBEDDED,
    for_all: bool = False,
) -> Path:
    """Write ``OUT/report.html``, and ``OUT/samples/`` if the texts are too long for one file.

    Args:
        runs: Run directories.
        out: Directory to write to; made if missing.
        include_protected: Show texts of benchmarks whose authors ask not to publish them (GPQA, HLE).
        data: Folder with the questions, as for ``k2eval run``; that of a run is not taken.
        include: Folders with the user's own tasks; those of a run are not taken.
        exclude: File that lists questions to leave out of all scores.
        embedded: Most bytes of texts that are put into the page.
        for_all: Whether the page is to be published, and so must not name places of this machine.

    Returns:
        The path of the page.

    Raises:
        ConfigError: If no run is given, or the directory cannot be written.
        JournalError: If a run directory cannot be read.
    """
    board = build(runs, exclude=exclude)
    samples = [Samples.load(run, data, include) for run in runs]
    report = Report.of(samples, exclude=exclude, include_protected=include_protected, for_all=for_all)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with PieceWriter(out / TEXTS, embedded) as writer:
            store_texts(report.index, samples, writer)
        page = report.page(board, {"beside": TEXTS if writer.beside else None}, writer.pieces)
        write_text(out / PAGE, page)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the report to {out}: {error.strerror}. Choose another --out."
        ) from error
    return out / PAGE


@dataclass(frozen=True, slots=True)
class Report:
    """What the page of a report shows beside the table of the runs and the texts of samples."""

    scored: Sequence[RunScores]
    """The runs without the questions that are left out."""
    samples: Sequence[Samples]
    """All samples of the same runs."""
    hidden: set[str]
    """Tasks whose texts must not be shown."""
    index: Index
    for_all: bool = False
    """Whether notes must not name places of this machine."""

    @classmethod
    def of(
        cls,
        samples: Sequence[Samples],
        *,
        exclude: Path | None = None,
        include_protected: bool = False,
        for_all: bool = False,
    ) -> Report:
        """Return the report of runs.

        Args:
            samples: Their samples.
            exclude: File that lists questions to leave out of all scores; their samples are shown.
            include_protected: Whether to show texts whose authors ask not to publish them.
            for_all: Whether notes must not name places of this machine.

        Raises:
            JournalError: If a run directory cannot be read.
        """
        loaded = load_runs([run.folder for run in samples])
        scored, _ = Contamination.of(exclude=exclude, split=None, cutoff=None).apply(loaded)
        hidden = (
            set()
            if include_protected
            else {name for run in samples for name in run.run.tasks if run.protected(name)}
        )
        return cls(scored, samples, hidden, describe(scored, samples, hidden), for_all)

    @property
    def notes(self) -> list[str]:
        """What the page does not show, and why."""
        notes = [
            note
            for run in self.samples
            for note in (*(run.notes_for_all if self.for_all else run.notes), *run.gaps)
        ]
        if self.hidden:
            how = "" if self.for_all else "; --include-protected shows them"
            notes.append(f"Texts of {', '.join(sorted(self.hidden))} are left out, as the authors ask{how}.")
        return notes

    def page(
        self,
        board: Leaderboard,
        place: dict[str, Json],
        pieces: Sequence[Piece] = (),
        *,
        served: str | None = None,
    ) -> str:
        """Return the page.

        Args:
            board: The table of the runs, without the questions that are left out.
            place: What the page's script has to know of the place of the texts.
            pieces: The texts, if they are in the page.
            served: If the page may ask its server for texts, and for samples that have come since, the query that names
                the runs in the server's addresses.
        """
        names = [run.info.name for run in self.scored]
        title = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        kept = [
            run.only({name: task.questions for name, task in scored.tasks.items()})
            for run, scored in zip(self.samples, self.scored, strict=True)
        ]
        votes = [
            {name: table for name in run.run.tasks if (table := run.votes(name)) is not None} for run in kept
        ]
        return render(
            "report.html",
            styles=STYLES,
            libraries=LIBRARIES,
            scripts=SAMPLES if served is None else (*SAMPLES, *LIVE),
            worker=WORKER,
            connects=served is not None,
            title=f"Report: {title}",
            served=served,
            tables=board_tables(board),
            runs=[(name, look_of(number)) for number, name in enumerate(names)],
            forest=charts.forest(board, self.scored),
            attempts=charts.attempts(self.scored, votes),
            lengths=charts.lengths(self.scored),
            frontiers=charts.frontiers(board, self.scored),
            outcomes=charts.outcomes(self.scored),
            costs=charts.costs(self.scored),
            tags=charts.by_tags(by_tag(break_down_samples(kept, names)), self.scored),
            notes=self.notes,
            outcome_kinds=charts.KINDS,
            index=script_json(self.index.described | place),
            pieces=pieces,
        )
