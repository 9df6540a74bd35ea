"""A run as a section of a model card: ``evaluation.md`` with a table, a plot and the settings, and badges.

The section and its pictures go into the model's repository; its README.md takes in the section's text. Every number
is that of the leaderboard, with its interval, and whatever qualifies it stands below the table.
"""

from __future__ import annotations

from markupsafe import Markup

from k2eval.interop.exported import Folder, Run
from k2eval.leaderboard import Leaderboard, build, cells, markdown_table, of_one_run
from k2eval.pages import alone, svg

PICTURES = "evaluation"
"""Folder of the pictures, beside the section."""
_CHARACTER = 6.6
"""Width of a character of a badge, in pixels."""


def write(run: Run, folder: Folder) -> None:
    """Write the section, its plot, and a badge for each task."""
    board = build([run.folder])
    record = board.frame.iloc[0]
    folder.write(f"{PICTURES}/scores.svg", alone(_plot(run)))
    for name in run.scores:
        folder.write(f"{PICTURES}/{name}.svg", badge(_title(run, name), cells.score(record, name)))
    folder.write("evaluation.md", _section(run, board))


def badge(label: str, words: str) -> str:
    """Return a badge as the text of an SVG file: a label on dark grey, words on blue; contrast is at least 4.5.

    >>> badge("AIME 2025", "79.3 ± 2.1").count("<text")
    2
    """
    left, right = (round(len(text) * _CHARACTER) + 14 for text in (label, words))
    form = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="20" role="img" aria-label="{1}: {2}">\n'
        "<title>{1}: {2}</title>\n"
        '<clipPath id="r"><rect width="{0}" height="20" rx="3"/></clipPath>\n'
        '<g clip-path="url(#r)"><rect width="{3}" height="20" fill="#444"/>'
        '<rect x="{3}" width="{4}" height="20" fill="#0b5cad"/></g>\n'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\n'
        '<text x="{5:.0f}" y="14" textLength="{6}">{1}</text>\n'
        '<text x="{7:.0f}" y="14" textLength="{8}">{2}</text>\n</g>\n</svg>\n'
    )
    middles = left / 2, left - 14, left + right / 2, right - 14
    return str(Markup(form).format(left + right, label, words, left, right, *middles))


def _title(run: Run, name: str) -> str:
    return run.scores[name].info.title or name


def _plot(run: Run) -> Markup:
    marks = []
    for name in run.scores:
        estimate = run.estimate(name)
        marks.append(
            svg.Mark(_title(run, name), 100 * estimate.value, 100 * estimate.low, 100 * estimate.high, 0)
        )
    label = f"Scores of {run.info.model.name} with 95 % intervals"
    return svg.forest([(label, marks)], label)


def _section(run: Run, board: Leaderboard) -> str:
    notes = cells.Footnotes()
    header, rows = of_one_run(board, board.frame.iloc[0], notes)
    parts = [
        "## Evaluation",
        f"![Scores with 95 % intervals]({PICTURES}/scores.svg)",
        markdown_table([title.replace("\n", " ") for title in header], rows),
        "Scores are avg@k in percent: the mean over questions of each question's mean over k responses, with 95 % "
        "intervals on questions like these, clustered by question.",
        "\n".join(f"- {cells.in_markdown(line)}" for line in (*notes.lines(), *board.notes, *_settings(run))),
    ]
    return "\n\n".join(parts) + "\n"


def _settings(run: Run) -> list[str]:
    info = run.info
    commit = f", commit `{info.model.commit}`" if info.model.commit else ""
    lines = [
        f"Made with k2eval {run.library} on {run.finished[:10]}: recipe {info.recipe}, seed {info.seed}, engine "
        f"{info.model.engine}.",
        f"Checkpoint: {info.model.name}, fingerprint `{info.model.fingerprint}`{commit}.",
    ]
    for name in run.scores:
        task = run.task(name)
        sampling = task.sampling
        lines.append(
            f"{_title(run, name)}: questions from {task.source}, fingerprint `{task.fingerprint[:8]}`, grader "
            f"{task.grader}; temperature {sampling.temperature:g}, top_p {sampling.top_p:g}, at most "
            f"{sampling.max_tokens:,} tokens; protocol: {task.protocol_label}."
        )
    return lines
