"""The reasoning format of a checkpoint, found in its files alone: no model, no tokenizer, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from k2eval.reasoning.formats import AUTO, MARKS, PARSERS, SURE_TAGS, custom, format_named, setting_of
from k2eval.records import ReasoningFormat

_READ = 8 << 20
"""Characters of tokenizer.json that are read; the added tokens stand before the vocabulary."""
_BY_TYPE = {
    "gpt_oss": "harmony",
    "seed_oss": "seed",
    "gemma4": "gemma",
    "plamo3": "plamo",
    "minimax_m3": "minimax",
    "kimi_k3": "kimi",
}
"""Types of models, by config.json, that reason in one format only."""
_CHANNELS = "<|channel|>analysis"
_NOT_BY_MARKS = ("harmony", "think", "medgemma", "s1")
"""Formats that a mark in a file does not tell: every Gemma has the token ``<unused94>``."""
# Matches "<think:6124c78e>", whose suffix differs between checkpoints; not "<think>".
_SUFFIXED = re.compile(r"<(think:[^\s<>'\"]{1,40})>")


class Detection(NamedTuple):
    """A reasoning format, and how it was found."""

    form: ReasoningFormat
    place: str
    """Such as ``found in the chat template``, or ``as set``."""

    @property
    def sentence(self) -> str:
        """Both, as the start of a run shows them."""
        return f"{setting_of(self.form)} ({self.place})"


def find_format(
    model: str, setting: str | Mapping[str, Any] = "auto", arguments: Mapping[str, Any] | None = None
) -> Detection:
    """Return the reasoning format of a checkpoint.

    Args:
        model: A checkpoint folder, or a name on the hub; of the latter the files in the hub's cache are read.
        setting: The format that the user asks for; ``auto`` looks for it.
        arguments: Engine arguments that may tell: ``reasoning_parser``, ``chat_template``, ``tokenizer``, ``revision``,
            ``tokenizer_revision``.

    Raises:
        ConfigError: If there is no such format.
    """
    asked = format_named(setting)
    if asked.name != "auto":
        return Detection(asked, "as set")
    known = dict(arguments or {})
    parser = known.get("reasoning_parser")
    if isinstance(parser, str) and parser in PARSERS:
        return Detection(format_named(parser), "by engine.reasoning_parser")
    for place, text in _evidence(str(known.get("tokenizer") or model), model, known):
        form = _format_in(text)
        if form is not None:
            return Detection(form, f"found in {place}")
    return Detection(AUTO, "each response tells; the checkpoint does not")


def _evidence(tokenizer: str, model: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = arguments.get("chat_template")
    if isinstance(given, str):
        yield "engine.chat_template", _text(Path(given)) or given
    revision = str(arguments.get("revision") or "")
    own = str(arguments.get("tokenizer_revision") or (revision if tokenizer == model else ""))
    settings = _json(_file(tokenizer, "tokenizer_config.json", own))
    template = _text(_file(tokenizer, "chat_template.jinja", own)) or ""
    others = (settings.get("chat_template"), _json(_file(tokenizer, "chat_template.json", own)))
    yield "the chat template", template + "\n".join(_texts(others))
    tokens = [settings.get("added_tokens_decoder"), settings.get("additional_special_tokens")]
    tokens.append(_added_tokens(_file(tokenizer, "tokenizer.json", own)))
    yield "the tokenizer's tokens", "\n".join(_texts(tokens))
    config = _json(_file(model, "config.json", revision))
    kind = _BY_TYPE.get(str(config.get("model_type")))
    yield "config.json", (MARKS[kind][0][0] if MARKS[kind] else _CHANNELS) if kind else ""


def _format_in(text: str) -> ReasoningFormat | None:
    """Return the format whose marks a text holds, the particular ones before ``think``."""
    if _CHANNELS in text or ("<|channel|>" in text and "<|message|>" in text):
        return format_named("harmony")
    suffixed = _SUFFIXED.search(text)
    if suffixed:
        return custom(f"<{suffixed[1]}>", f"</{suffixed[1]}>")
    names = [name for name in MARKS if name not in _NOT_BY_MARKS]
    for name in names:
        if MARKS[name][0][0] in text:
            return format_named(name)
    tags = [(start, end) for start, end in MARKS["think"] if start in text or end in text]
    if len(tags) == 1 and tags[0][0][1:-1] not in SURE_TAGS:  # whose end alone would be no sure sign
        return custom(*tags[0])
    return format_named("think") if tags else None


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a piece of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _added_tokens(path: Path | None) -> Any:
    text = _text(path) or ""
    start = text.find('"added_tokens"')
    start = text.find("[", start) if start >= 0 else -1
    try:
        return json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else []
    except ValueError:
        return []


def _json(path: Path | None) -> dict[str, Any]:
    try:
        content = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_READ)
    except (OSError, ValueError):  # a template given as text is no path
        return None


def _file(model: str, name: str, revision: str) -> Path | None:
    """Return a file of a checkpoint; None if it has none, or the hub's cache has not got it."""
    folder = Path(model)
    try:
        if folder.is_dir():
            return folder / name
    except (OSError, ValueError):
        return None
    if model.count("/") != 1 or model.startswith((".", "/", "~")):
        return None
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(model, name, revision=revision or None)
    return Path(path) if isinstance(path, str) else None
