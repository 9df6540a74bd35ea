"""Facts that a server states about itself before the run.

All of them are advice: only an answer shows that the model answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from k2eval.engines.endpoint.bodies import turns_of
from k2eval.engines.endpoint.client import refusal_of
from k2eval.engines.endpoint.jsons import count, loads
from k2eval.engines.endpoint.metrics import parse_activity
from k2eval.engines.endpoint.servers import Server
from k2eval.engines.endpoint.trouble import BadAnswer, NoConnection, Trouble
from k2eval.engines.thinking import template_arguments
from k2eval.errors import EngineError
from k2eval.reasoning import AUTO, prefill_of
from k2eval.records import Json, ReasoningFormat, Request

_BUSY = (429, 500, 502, 503, 504)
_CONTEXT_NAMES = ("max_model_len", "n_ctx", "context_length", "context_window", "max_context_length")


@dataclass(slots=True)
class Introduction:
    """Facts that a server stated about itself."""

    is_listed: bool = False
    """True if the model is in its list of models."""
    models: list[str] = field(default_factory=list)
    """All models that it lists."""
    trouble: str = ""
    """Reason in the server's own words if there is no list."""


async def introduce(server: Server, model: str, attempts: int, backoff_s: float) -> Introduction:
    """Ask a server which models it has, how long their context is, and how many requests it works on at once.

    Args:
        server: Takes its context, and its limit if it tells one.
        model: The model that will be asked.
        attempts: How often a server that is busy is asked.
        backoff_s: Seconds until the second attempt; they double with each one.

    Raises:
        EngineError: If the server cannot be reached.
    """
    told = Introduction()
    try:
        status, page = await _patiently(server, f"{server.client.url}/models", attempts, backoff_s)
    except NoConnection as trouble:
        raise EngineError(
            f"{server.url} cannot be reached ({trouble.why}). Start the server, or correct engine.base_url."
        ) from None
    except Trouble as trouble:
        told.trouble = str(trouble)
        return told
    if status != 200:
        told.trouble = f"HTTP {status}: {refusal_of(status, page).words[:300]}"
        return told
    entries = list(_entries(page))
    told.models = list(dict.fromkeys(str(entry["id"]) for entry in entries if entry.get("id")))
    if not told.models:
        told.trouble = "a page that is no list of models"
    told.is_listed = model in told.models
    for entry in entries:
        if entry.get("id", entry.get("name", entry.get("model"))) == model:
            server.context = server.context or _context_in(entry)
    return told


async def learn_limits(server: Server) -> int | None:
    """Return how many requests a server works on at once, if it tells; take its context on the way.

    llama.cpp tells its slots, and SGLang its largest batch. vLLM's metrics tell what it does at any moment.
    """
    try:
        status, page = await server.client.page(f"{server.client.root}/metrics")
        server.counts_work = status == 200 and parse_activity(page.decode(errors="replace")) is not None
    except Trouble:
        server.counts_work = False
    props = await _json_page(server, f"{server.client.root}/props")
    slots = count(props.get("total_slots"))
    if slots:
        settings = props.get("default_generation_settings")
        context = count(settings.get("n_ctx")) if isinstance(settings, dict) else None
        server.context = context or server.context
        return slots
    info = await _json_page(server, f"{server.client.root}/get_server_info")
    most = count(info.get("max_running_requests"))
    return most * max(1, count(info.get("dp_size")) or 1) if most else None


@dataclass(frozen=True, slots=True)
class Measured:
    """A prompt as the server would render it."""

    tokens: int | None
    prefill: str
    """The mark that opens reasoning, if the prompt ends in it."""
    text: str = ""


async def measure(
    server: Server,
    model: str,
    request: Request,
    form: ReasoningFormat = AUTO,
    arguments: dict[str, Json] | None = None,
) -> Measured | None:
    """Return a prompt's length in tokens, and the mark that it ends in; None if the server does not tell.

    vLLM's tells at ``/tokenize``, llama.cpp's at ``/apply-template``.

    Args:
        server: The one to ask.
        model: The model's name there.
        request: Holds the prompt.
        form: How the model marks its reasoning.
        arguments: Those of the chat template; the request's own if None.
    """
    if not server.measures:
        return None
    settings = template_arguments(request.sampling, None) if arguments is None else arguments
    told = {"chat_template_kwargs": settings} if settings else {}
    turns = turns_of(request, server.dialect.folds_system)
    question = {
        "model": model, "messages": turns, "add_generation_prompt": True, "return_token_strs": True, **told,
    }  # fmt: skip
    page = await _json_page(server, f"{server.client.root}/tokenize", question)
    tokens = count(page.get("count"))
    if tokens:
        strings = page.get("token_strs")
        last = "".join(str(piece) for piece in strings[-12:]) if isinstance(strings, list) else ""
        # Byte-level vocabularies write spaces and line ends as other letters.
        return Measured(tokens, prefill_of(last.rstrip("ĊĠ\n \u2581"), form))
    page = await _json_page(server, f"{server.client.root}/apply-template", {"messages": turns, **told})
    prompt = page.get("prompt")
    if not isinstance(prompt, str):
        server.measures = bool(server.prefills)  # it has told before, and is away for now
        return None
    ids = (
        await _json_page(server, f"{server.client.root}/tokenize", {"content": prompt, "add_special": True})
    ).get("tokens")
    length = len(ids) if isinstance(ids, list) else None
    return Measured(length, prefill_of(prompt, form), prompt)


def template_of(request: Request) -> str:
    """Return the chat template's arguments as a text."""
    return json.dumps(template_arguments(request.sampling, None), sort_keys=True)


async def _patiently(server: Server, address: str, attempts: int, backoff_s: float) -> tuple[int, bytes]:
    for attempt in range(attempts):
        status, page = await server.client.page(address)
        if status not in _BUSY or (status == 500 and attempt) or attempt + 1 == attempts:
            break
        await asyncio.sleep(min(backoff_s * 2**attempt, 10.0))
    return status, page


async def _json_page(server: Server, address: str, body: Any = None) -> dict[str, Any]:
    """Return an object that a server gives; an empty one if it gives none."""
    try:
        status, page = await server.client.page(address, body)
        content = loads(page) if status == 200 else None
    except Trouble:
        return {}
    return content if isinstance(content, dict) else {}


def _entries(page: bytes) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list of models; llama.cpp has two lists."""
    try:
        content = loads(page)
    except BadAnswer:
        return
    lists = [content.get("data"), content.get("models")] if isinstance(content, dict) else [content]
    for entries in lists:
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield entry


def _context_in(entry: dict[str, Any]) -> int | None:
    meta = entry.get("meta")
    for place in (entry, meta if isinstance(meta, dict) else {}):
        for name in _CONTEXT_NAMES:
            if size := count(place.get(name)):
                return size
    return None
