"""Parity as tables, JSON and Markdown."""

from __future__ import annotations

import json
from pathlib import Path

from k2eval.leaderboard import markdown_table
from k2eval.parity.parity import Parity, ParityReport
from k2eval.records import Json
from k2eval.system import write_texts

EXPLANATION = (
    "Difference: our score minus theirs in points, with its 95 % interval by the sharpest method that both sides "
    "allow. Agrees: the interval holds 0, so no difference is shown. A cause that differs may explain the difference "
    "or not; its effect says how much it could, where that can be counted."
)


def scores_table(report: ParityReport) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per benchmark."""
    header = ["Benchmark", "Here", "There", "Difference", "95 % interval", "Agrees", "Method"]
    rows = []
    for parity in report.parities:
        best = parity.agreements[0]
        rows.append(
            [
                parity.title,
                _side(parity.ours.score, parity.ours.repeats, parity.ours.questions),
                _side(parity.theirs.score, parity.theirs.repeats, parity.theirs.questions),
                f"{100 * best.value:+.2f}",
                f"{100 * best.low:+.1f} … {100 * best.high:+.1f}",
                "yes" if best.agrees else "NO",
                best.method,
            ]
        )
    return header, rows


def causes_table(parity: Parity) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row for each of the eight causes."""
    header = ["Cause", "Status", "Here", "There", "Not known", "Effect"]
    rows = [
        [cause.name, cause.status, cause.ours, cause.theirs, cause.unknown, cause.effect]
        for cause in parity.causes
    ]
    return header, rows


def sentences(parity: Parity) -> list[str]:
    """Return the answer for one benchmark in words."""
    best = parity.agreements[0]
    what = "no difference is shown" if best.agrees else "the scores differ"
    lines = [f"{parity.title}: {what}, {best.words}."]
    other = next((each for each in parity.agreements[1:] if each.agrees != best.agrees), None)
    if other is not None:
        end = "which agrees" if other.agrees else "which does not"
        lines.append(
            f"As {other.words} the interval is {100 * other.low:+.1f} … {100 * other.high:+.1f}, {end}."
        )
    if not best.agrees:
        differing = [cause.name for cause in parity.causes if cause.status == "differs"]
        unknown = [cause.name for cause in parity.causes if cause.status == "unknown"]
        lines.append(
            f"Differs: {', '.join(differing) or 'nothing that is known'}. Unknown: {', '.join(unknown) or 'none'}."
        )
    asked, whole = parity.ours.questions or 0, parity.whole
    if whole and asked < whole:
        lines.append(f"The run asked {asked} of {whole} questions.")
    if not parity.is_complete:
        lines.append("The run is not complete; its score is that of the samples that are there.")
    lines += [f"There: {note}." for note in parity.theirs.notes]
    return lines


def to_json(report: ParityReport) -> Json:
    """Return the report as JSON; scores and differences in percent."""
    return {
        "run": report.run,
        "against": report.against,
        "agrees": report.agrees,
        "notes": report.notes,
        "tasks": [
            {
                "task": parity.task,
                "their_task": parity.theirs.task,
                "theirs": parity.theirs.name,
                "score": 100 * parity.ours.score,
                "their_score": 100 * parity.theirs.score,
                "questions": parity.ours.questions,
                "their_questions": parity.theirs.questions,
                "repeats": parity.ours.repeats,
                "their_repeats": parity.theirs.repeats,
                "shared_questions": parity.shared,
                "complete": parity.is_complete,
                "agrees": parity.agrees,
                "intervals": [
                    {
                        "method": each.method,
                        "assumes": each.words,
                        "difference": 100 * each.value,
                        "low": 100 * each.low,
                        "high": 100 * each.high,
                        "agrees": each.agrees,
                    }
                    for each in parity.agreements
                ],
                "causes": {
                    cause.name: {
                        "status": cause.status,
                        "ours": cause.ours,
                        "theirs": cause.theirs,
                        "unknown": cause.unknown,
                        "effect": cause.effect,
                    }
                    for cause in parity.causes
                },
                "their_responses_by_k2eval": None
                if parity.regraded is None
                else {
                    "responses": parity.regraded.responses,
                    "stated": 100 * parity.regraded.stated,
                    "score": 100 * parity.regraded.score,
                    "failed": parity.regraded.failed,
                },
                "notes": parity.theirs.notes,
            }
            for parity in report.parities
        ],
    }


def to_markdown(report: ParityReport) -> str:
    """Return the report as Markdown."""
    parts = [
        f"# {report.run} against {report.against}",
        "",
        EXPLANATION,
        "",
        markdown_table(*scores_table(report)),
    ]
    for parity in report.parities:
        parts += ["", f"## {parity.title}", "", *(f"{line}\n" for line in sentences(parity))]
        parts.append(markdown_table(*causes_table(parity)))
    if report.notes:
        parts += ["", "## Notes", "", *(f"- {note}" for note in report.notes)]
    return "\n".join(parts) + "\n"


def write_parity(report: ParityReport, out: Path) -> list[Path]:
    """Write ``out.json`` and ``out.md``; return the paths.

    Raises:
        ConfigError: If a file cannot be written.
    """
    contents = {".json": json.dumps(to_json(report), indent=1) + "\n", ".md": to_markdown(report)}
    return write_texts(out, contents)


def _side(score: float, repeats: int | None, questions: int | None) -> str:
    """Return a score with its denominators: "63.3 (avg@16, 30)"."""
    return f"{100 * score:.2f} (avg@{repeats or '?'}, {questions or '?'})"
