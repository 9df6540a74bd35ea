"""``k2eval protocols``: how others run the same benchmark, side by side, and what is unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.leaderboard import markdown_table
from k2eval.protocols import FIELDS, NAMES, Fact, Protocol, TaskProtocol, protocol_named
from k2eval.system import terminal
from k2eval.tasks import Task, load_tasks

Form = Literal["table", "md", "json"]

EXAMPLES = ("aime25", "gpqa_diamond", "livecodebench_v5", "hle_text")
"""The tasks that are shown if none is named."""
LEGEND = (
    "~ inferred, no source states it; ? unknown, so k2eval's own setting is used; * documented in words that set "
    "nothing, so k2eval's own setting is used. Prompts are in words of k2eval's own."
)
_NAMES, _EACH = 16, 24
"""Width, in characters, of the names of fields and of each protocol on a terminal."""
_OWN_WORDS = "words of k2eval's own"
"""A note that the legend has already."""
_AVERAGE = "mean over questions of the mean over repeats (avg@k)"


def protocols_command(names: Sequence[str], form: Form, include: Sequence[Path] = ()) -> int:
    """Carry out ``k2eval protocols``."""
    tasks = load_tasks(names or EXAMPLES, include=include)
    console = terminal()
    if form == "json":
        console.file.write(json.dumps(as_json(tasks), indent=1, ensure_ascii=False) + "\n")
    elif form == "md":
        console.file.write(to_markdown(tasks))
    else:
        _print(tasks, console)
    return 0


def grid(task: Task) -> tuple[list[str], list[list[str]]]:
    """Return a header, and a row for each field with k2eval's own setting and that of each protocol."""
    protocols = [protocol_named(name) for name in NAMES]
    every = [protocol.for_task(task.name, task.spec.grader) for protocol in protocols]
    own = own_settings(task)
    rows = [["recipe", own["recipe"], *(_cell("recipe", protocol.recipe) for protocol in protocols)]]
    for field in FIELDS:
        facts = [each.facts[field] for each in every]
        if field == "options" and all(fact.status == "unknown" for fact in facts):
            continue
        rows.append([field, own[field], *(_cell(field, fact) for fact in facts)])
    return ["", "k2eval", *NAMES], rows


def own_settings(task: Task) -> dict[str, str]:
    """Return k2eval's own settings of a task in a few words, by field."""
    sampling, spec = task.sampling, task.spec
    options = {name: value for name, value in spec.options.items() if value not in (None, False)}
    return {
        "recipe": "plain",
        "prompt": "the task's own",
        "system": "the task's own" if task.system else "none",
        "temperature": str(sampling.temperature),
        "top_p": str(sampling.top_p),
        "top_k": str(sampling.top_k) if sampling.top_k > 0 else "off",
        "max_tokens": f"{sampling.max_tokens:,}",
        "stop": ", ".join(sampling.stop) or "none",
        "reasoning_effort": sampling.reasoning_effort or "the model's",
        "repeats": str(task.repeats),
        "options": ", ".join(f"{name} {value}" for name, value in options.items()) or "none",
        "grader": spec.grader,
        "averaging": _AVERAGE,
        "data": f"{spec.questions:,} questions" if spec.questions else "as found",
    }


def _cell(field: str, fact: Fact) -> str:
    if fact.status == "unknown":
        return f"? ({fact.words})" if fact.words else "?"
    told = fact.value is None and field not in ("grader", "averaging", "data")
    return fact.shown() + " *" * told + " ~" * (fact.status == "inferred")


def remarks(task: Task) -> Iterator[str]:
    """Yield what a reader of the table must know about each protocol."""
    for name in NAMES:
        each = protocol_named(name).for_task(task.name, task.spec.grader)
        if each.family is None:
            yield f"{name}: its sources say nothing about {task.spec.title}."
            continue
        if each.family.carried_from:
            yield (
                f"{name}: its sources say nothing about {task.spec.title}; what stands here is carried over from "
                f"{each.family.carried_from}."
            )
        facts = {"recipe": each.protocol.recipe, **each.facts}
        yield from (
            f"{name}, {field}: {fact.note}."
            for field, fact in facts.items()
            if fact.note not in ("", _OWN_WORDS)
        )
        yield from (f"{name}: {remark}." for remark in each.family.remarks)


def sources(protocol: Protocol) -> str:
    """Return a sentence that names a protocol, what it is, and its sources."""
    return f"{protocol.label}, {protocol.title}: {protocol.about}. Sources: {'; '.join(protocol.sources.values())}."


def to_markdown(tasks: Sequence[Task]) -> str:
    """Render the tables as Markdown."""
    parts = [LEGEND.replace("*", "\\*")]
    for task in tasks:
        header, rows = grid(task)
        plain = [[cell.replace("<", "&lt;").replace("*", "\\*") for cell in row] for row in rows]
        parts += [f"### {task.spec.title} (`{task.name}`)", markdown_table(header, plain)]
        parts.append("\n".join(f"- {line}" for line in remarks(task)))
    parts.append("### Sources")
    parts.append("\n".join(f"- {sources(protocol_named(name))}" for name in NAMES))
    return "\n\n".join(parts) + "\n"


def as_json(tasks: Sequence[Task]) -> dict[str, Any]:
    """Return everything that is known, with statuses and sources."""
    protocols = {name: protocol_named(name) for name in NAMES}
    return {
        "protocols": {
            name: {
                "title": protocol.title,
                "version": protocol.version,
                "about": protocol.about,
                "sources": protocol.sources,
                "recipe": _of_fact(protocol.recipe, protocol),
            }
            for name, protocol in protocols.items()
        },
        "tasks": {
            task.name: {
                "k2eval": own_settings(task) | {"prompt": task.prompt, "system": task.system},
                **{
                    name: _of_task(protocol.for_task(task.name, task.spec.grader))
                    for name, protocol in protocols.items()
                },
            }
            for task in tasks
        },
    }


def _of_task(each: TaskProtocol) -> dict[str, Any]:
    family = each.family
    return {
        "benchmarks": family.title if family else None,
        "carried_from": (family.carried_from or None) if family else None,
        "facts": {field: _of_fact(fact, each.protocol) for field, fact in each.facts.items()},
        "remarks": list(family.remarks) if family else [],
    }


def _of_fact(fact: Fact, protocol: Protocol) -> dict[str, Any]:
    return {
        "status": fact.status,
        "value": fact.value,
        "words": fact.words or None,
        "source": protocol.sources.get(fact.source),
        "note": fact.note or None,
    }


def _print(tasks: Sequence[Task], console: Console) -> None:
    at_once = max(1, (console.width - _NAMES - _EACH) // _EACH)
    for task in tasks:
        header, rows = grid(task)
        for start in range(2, len(header), at_once):
            shown = [0, 1, *range(start, min(start + at_once, len(header)))]
            table = Table(box=SIMPLE, title=f"{task.spec.title} ({task.name})", title_justify="left")
            for column in shown:
                table.add_column(Text(header[column]), overflow="fold", ratio=None if column == 0 else 1)
            for row in rows:
                table.add_row(*(Text(row[column]) for column in shown))
            console.print(table)
        for line in remarks(task):
            _say(line, console)
        console.print()
    _say(LEGEND, console)
    for name in NAMES:
        _say(sources(protocol_named(name)), console)


def _say(line: str, console: Console) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)
