"""Templates -> one HTML file."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from k2eval.records import Json


def render(template: str, *, scripts: tuple[str, ...] = (), styles: tuple[str, ...] = (), **data: Any) -> str:
    """Fill a template of this package; values are escaped unless they are `markupsafe.Markup`.

    Args:
        template: File name, such as ``leaderboard.html``.
        scripts: Names of the scripts to put into the page.
        styles: Names of further style sheets; ``base.css`` is always in the page.
        data: Values for the template.
    """
    style = Markup("\n").join(Markup(_text(name)) for name in ("base.css", *styles))
    script = Markup("\n").join(Markup(_text(name)) for name in ("base.js", *scripts))
    return _environment().get_template(template).render(style=style, script=script, **data)


def script_json(value: Json) -> Markup:
    """Return JSON that may be inside a ``<script>`` element: ASCII, and without any ``<``."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
