"""Templates -> one HTML file, which runs only its own scripts and loads nothing from a network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from k2eval.records import Json

_ENDS_SCRIPT = re.compile(r"<(?=/script|!--)", re.IGNORECASE)
_FONT = re.compile(r"src:url\(fonts/([\w-]+\.woff2)\) format\(\"woff2\"\)[^;}]*")


def render(
    template: str,
    *,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    libraries: Sequence[str] = (),
    worker: Sequence[str] = (),
    connects: bool = False,
    **data: Any,
) -> str:
    """Fill a template of this package; values are escaped unless they are `markupsafe.Markup`.

    The page's policy allows the scripts and the style that are put into it, scripts from its own folder, and workers
    that they make; no text becomes markup, a script or a request.

    Args:
        template: File name, such as ``leaderboard.html``.
        scripts: Names of the scripts to put into the page; ``base.js`` is always in it.
        styles: Names of further style sheets; ``base.css`` is always in the page.
        libraries: Names of scripts of others, which run before.
        worker: Names of the scripts of a worker; the page gets their text.
        connects: Whether the page asks its own server for more.
        data: Values for the template.
    """
    style = style_of(*styles)
    ours = _script("base.js", *scripts)
    theirs = _script(*libraries) if libraries else Markup("")
    return (
        _environment()
        .get_template(template)
        .render(
            style=style,
            script=ours,
            libraries=theirs,
            worker=_script(*worker) if worker else Markup(""),
            policy=_policy([text for text in (theirs, ours) if text], style, connects),
            **data,
        )
    )


def style_of(*styles: str) -> Markup:
    """Return the text of ``base.css`` and of further style sheets, with their fonts."""
    return Markup("\n").join(Markup(_with_fonts(name)) for name in ("base.css", *styles))


def script_json(value: Json) -> Markup:
    """Return JSON that may be inside a ``<script>`` element: ASCII, and without any ``<``."""
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))


def _script(*names: str) -> Markup:
    r"""Return scripts as the content of one element; ``\x3c`` is ``<`` in every string and regular expression."""
    return Markup(_ENDS_SCRIPT.sub(r"\\x3c", "\n".join(_text(name) for name in names)))


def _policy(scripts: Sequence[str], style: str, connects: bool) -> str:
    """Return the Content-Security-Policy of a page. ``file:`` is what a page from disk calls its own folder."""
    allowed = " ".join(_hash(text) for text in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {allowed} 'self' file:",
            f"style-src {_hash(style)}",
            "font-src data:",
            "worker-src blob:",
            "connect-src 'self'" if connects else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types k2eval",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _with_fonts(name: str) -> str:
    """Return a style sheet with its fonts inside."""
    folder = name.rpartition("/")[0]

    def inside(found: re.Match[str]) -> str:
        content = files(__package__).joinpath(folder, found[1]).read_bytes()
        return f'src:url(data:font/woff2;base64,{base64.b64encode(content).decode()}) format("woff2")'

    return _FONT.sub(inside, _text(name))


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
