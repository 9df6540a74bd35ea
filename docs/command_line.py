"""Fill the page of the command line with the help of every command, for mkdocs."""

from __future__ import annotations

from typing import Any

import typer.main

PAGE = "reference/commands.md"
_PLACE = "<!-- commands -->"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace the marker of the commands' page by sections made from the command line itself."""
    if page.file.src_uri != PAGE:
        return markdown
    from k2eval.cli.app import app

    group = typer.main.get_command(app)
    return markdown.replace(_PLACE, "\n".join(_sections(group, "k2eval")))


def _sections(command: Any, name: str) -> list[str]:
    lines = []
    for child_name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            lines += [*_section(child, f"{name} {child_name}"), *_sections(child, f"{name} {child_name}")]
    return lines


def _section(command: Any, name: str) -> list[str]:
    context = command.context_class(command, info_name=name)
    lines = [f"## `{name}`", "", command.help or "", "", "```", command.get_usage(context), "```", ""]
    rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
    if rows:
        lines += ["| argument or option | meaning |", "| --- | --- |", *rows, ""]
    return lines


def _row(parameter: Any) -> str:
    names = (
        parameter.opts
        if parameter.param_type_name == "option"
        else [parameter.metavar or parameter.name.upper()]
    )
    text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| {', '.join(f'`{name}`' for name in names)} | {text} |"
