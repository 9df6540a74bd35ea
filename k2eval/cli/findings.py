"""The findings of `k2eval check-model`, and the way they are shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from k2eval.records import Json
from k2eval.run import Asked, RoleEngines, Work, stages

_HEAD, _TAIL = 14, 6
"""Lines of a prompt that are shown: the first and the last ones."""
_LONG = 400
"""Characters of a line that are shown."""


@dataclass(slots=True)
class Findings:
    """The facts about a model, and what follows from them."""

    model: str
    facts: dict[str, str] = field(default_factory=dict)
    to_set: dict[str, None] = field(default_factory=dict)
    """Settings to change and faults to correct before a run can score right."""
    notes: dict[str, None] = field(default_factory=dict)
    """Facts that the user should know."""
    prompts: list[tuple[str, str]] = field(default_factory=list)
    """Title and text of each stage's prompt, or of each question to a server and its answer."""
    marks: Collection[str] = ()
    """Special tokens, which are made visible."""

    def must(self, text: str) -> None:
        """Take in something that must be set."""
        self.to_set[text] = None

    def note(self, text: str) -> None:
        """Take in something to know."""
        self.notes[text] = None


async def first_of_each_step(work: Work, engines: RoleEngines) -> dict[str, Asked]:
    """Return the first request of each stage of the recipe, about the first question of the first task."""
    assignment = next(work.assignments())
    asked = await stages(work, engines, assignment)
    firsts: dict[str, Asked] = {}
    for entry in asked:
        firsts.setdefault(entry.step, entry)
    return firsts


def show(findings: Findings, console: Console, verbose: bool) -> None:
    """Print what was found, for people."""
    table = Table(title=findings.model, title_justify="left", box=SIMPLE, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in findings.facts.items():
        table.add_row(name, Text(text))
    console.print(table)
    for title, text in findings.prompts:
        shown = text if verbose else "\n".join(_shortened(text.split("\n")))
        console.print(Panel(_marked(shown, findings.marks), title=Text(title), title_align="left"))
    if findings.prompts and not verbose:
        console.print("--verbose shows texts whole.", highlight=False)
    for note in findings.notes:
        end = "" if "\n" in note else "."
        console.print(f"Note: {note}{end}", soft_wrap=True, highlight=False, markup=False)
    for text in findings.to_set:
        console.print(Text.assemble(("To set: ", "bold red"), text), soft_wrap=True)
    console.print(
        f"[bold red]Not ready[/]: {len(findings.to_set)} to set."
        if findings.to_set
        else "[bold green]ready[/]",
        highlight=False,
    )


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    left_out = len(lines) - _HEAD - _TAIL
    left_out = left_out if left_out > 1 else 0
    for number, line in enumerate(lines):
        if left_out > 0 and number == _HEAD:
            yield f"[… {left_out} lines]"
        if left_out <= 0 or number < _HEAD or number >= len(lines) - _TAIL:
            yield line if len(line) <= _LONG else f"{line[: _LONG // 2]} […] {line[-_LONG // 2 :]}"


def _marked(text: str, marks: Collection[str]) -> Text:
    """Return a text in which special tokens stand out."""
    shown = Text(text)
    names = [re.escape(mark) for mark in sorted(marks, key=len, reverse=True) if mark.strip()]
    for part in re.finditer("|".join(names), text) if names else ():
        shown.stylize("bold black on cyan", *part.span())
    return shown


def to_json(findings: Findings) -> Mapping[str, Json]:
    """Return what was found, for programs."""
    return {
        "model": findings.model,
        "ready": not findings.to_set,
        "to_set": list(findings.to_set),
        "notes": list(findings.notes),
        "facts": findings.facts,
        "prompts": [{"title": title, "text": text} for title, text in findings.prompts],
    }
