"""An audit as tables, JSON, Markdown, and a list of samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from k2eval.audit.audit import Audit, Column
from k2eval.audit.harnesses import HARNESSES
from k2eval.audit.reasons import LENIENCIES, Side
from k2eval.leaderboard import markdown_table
from k2eval.records import Json
from k2eval.system import write_texts

EXPLANATION = (
    "Score: the same responses graded as that harness would, avg@k in percent. False pass: right there, not right for "
    "k2eval. False fail: right for k2eval, not there. Undecided: only that harness's own judge could tell. Its prompt "
    "asks for its own form of answer, so a difference because of a form that the prompt did not ask for is one of "
    "prompts, not of graders."
)
_SIDES: tuple[Side, ...] = ("false pass", "false fail")


def audit_table(audit: Audit) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row for each task and harness."""
    header = [
        "Benchmark",
        "Graded as",
        "Samples",
        "k2eval",
        "Score",
        "Difference",
        "False pass",
        "False fail",
    ]
    header.append("Undecided")
    rows = []
    for column in _with_samples(audit):
        ours, low, high = 100 * column.ours.value, *_range(column)
        spread = f"{low:.1f} – {high:.1f}" if column.undecided else f"{low:.1f}"
        gap = "–" if column.undecided else f"{low - ours:+.1f}"
        counts = [column.count(side) for side in _SIDES]
        rows.append(
            [column.title, column.harness.title, f"{column.compared:,}", f"{ours:.1f}", spread, gap]
            + [f"{count:,}" for count in (*counts, column.undecided)]
        )
    return header, rows


def reasons_table(audit: Audit) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row for each reason, with one sample as an example."""
    header = ["Benchmark", "Graded as", "Side", "Samples", "Reason", "Example", "k2eval", "There"]
    rows = []
    for column in _with_samples(audit):
        for side in _SIDES:
            for why, count in column.reasons(side).most_common():
                example = next(
                    each for each in column.differences if each.side == side and each.reason == why
                )
                marked = f"{why} (leniency)" if example.leniency else why
                place = f"{example.question_id}, repeat {example.repeat_index}"
                answers = [
                    f"{outcome}{f': {text}' if text else ''}"
                    for outcome, text in (
                        (example.ours, _short(example.ours_extracted)),
                        (example.theirs, _short(example.theirs_extracted)),
                    )
                ]
                start = [column.title, column.harness.title, side]
                rows.append([*start, f"{count:,}", marked, place, *answers])
    return header, rows


def to_json(audit: Audit) -> Json:
    """Return an audit as JSON; shares in percent."""
    return {
        "run": audit.run.name,
        "model": audit.run.model.name,
        "notes": audit.notes,
        "leniencies": sorted(LENIENCIES),
        "harnesses": {harness.name: harness.source for harness in HARNESSES},
        "tasks": [
            {
                "task": column.task,
                "harness": column.harness.name,
                "samples": column.compared,
                "questions": len(column.questions),
                "k2eval": 100 * column.ours.value,
                "score": None if column.undecided else 100 * column.theirs().value,
                "score_low": _range(column)[0],
                "score_high": _range(column)[1],
                "undecided": column.undecided,
                "failed": column.failed,
                **{side.replace(" ", "_"): dict(column.reasons(side)) for side in _SIDES},
            }
            for column in _with_samples(audit)
        ],
    }


def to_markdown(audit: Audit) -> str:
    """Return an audit as Markdown."""
    parts = [f"# {audit.run.name} by the graders of others", "", EXPLANATION, ""]
    parts.append(markdown_table(*audit_table(audit)))
    header, rows = reasons_table(audit)
    if rows:
        parts += ["", "## Reasons", "", markdown_table(header, rows)]
    used = {column.harness.name for column in audit.columns}
    parts += ["", "## Graders", ""]
    parts += [f"- {harness.title}: {harness.source}" for harness in HARNESSES if harness.name in used]
    if audit.notes:
        parts += ["", "## Not audited", "", *(f"- {note}" for note in audit.notes)]
    return "\n".join(parts) + "\n"


def write_audit(audit: Audit, out: Path) -> list[Path]:
    """Write ``out.json``, ``out.md``, and the differing samples as ``out.jsonl``; return the paths.

    Raises:
        ConfigError: If a file cannot be written.
    """
    lines = "".join(f"{difference.to_line()}\n" for difference in audit.differences)
    contents = {
        ".json": json.dumps(to_json(audit), indent=1) + "\n",
        ".md": to_markdown(audit),
        ".jsonl": lines,
    }
    return write_texts(out, contents)


def _with_samples(audit: Audit) -> Sequence[Column]:
    return [column for column in audit.columns if column.compared]


def _range(column: Column) -> tuple[float, float]:
    """Return the score in percent if all undecided samples are wrong, and if all are right."""
    return 100 * column.theirs(0.0).value, 100 * column.theirs(1.0).value


def _short(text: str | None) -> str:
    words = " ".join((text or "").split())
    return words if len(words) <= 40 else words[:39] + "…"
