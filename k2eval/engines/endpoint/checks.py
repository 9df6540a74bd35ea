"""Checks that find out which parameters a server honours, and what is odd about its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from k2eval.engines.endpoint import refusals
from k2eval.engines.endpoint.asking import Asker, Notes, Reply
from k2eval.engines.endpoint.meeting import Introduction, measure
from k2eval.engines.endpoint.servers import Server
from k2eval.engines.endpoint.settings import Secrets
from k2eval.engines.endpoint.trouble import OtherModel, Refusal, Trouble
from k2eval.engines.thinking import TEMPLATE_NAMES, template_arguments
from k2eval.errors import EngineError, EngineStopped, PromptTooLong, did_you_mean
from k2eval.records import Json, Message, NoteKind, Request, Sampling

_WORDS = "Write down thirty lower-case letters at random, with spaces between them."
_TOKENS = 32
_FAR = 0.98
"""An answer that was cut below this share of max_tokens was cut by another limit."""


def letters(seed: int, max_tokens: int = _TOKENS) -> Request:
    """Return a question whose answers almost certainly differ between seeds."""
    return Request(
        key=f"probe-{seed}",
        task="probe",
        question_id="probe",
        repeat_index=0,
        stage="probe",
        messages=(Message(role="user", content=_WORDS),),
        sampling=Sampling(temperature=1.0, top_p=1.0, max_tokens=max_tokens, stop=()),
        seed=seed,
    )


async def ask_once(server: Server, model: str, told: Introduction, asker: Asker, secrets: Secrets) -> None:
    """Ask a server that does not list the model whether it answers.

    Raises:
        EngineError: If it refuses to; busy servers and the like may still answer later.
        EngineStopped: If it refuses the key.
        OtherModel: If it answers under another name.
    """
    try:
        await asker.ask(server, letters(1))
    except PromptTooLong:
        return
    except Refusal as refusal:
        busy = refusal.status in (408, 425, 429) or refusal.status >= 500
        if busy or (refusal.status in refusals.BAD_REQUEST and refusals.is_beyond_context(refusal)):
            return
        words = secrets.redacted(refusal.words)[:300]
        if refusal.status == 401:
            raise EngineStopped(
                f"{server.url} refused the API key (HTTP 401): {words}. Put the right key into the environment; "
                "engine.api_key_env names the variable."
            ) from None
        if refusals.is_no_model(refusal) or (refusal.status == 404 and told.models):
            raise EngineError(
                f"{server.url} does not serve {model!r}. {did_you_mean(model, told.models) if told.models else ''} "
                f"Its words: HTTP {refusal.status}: {words}"
            ) from None
        raise EngineError(
            f"{server.url} answered HTTP {refusal.status}: {words}. Expected an OpenAI-compatible server; its base URL "
            "usually ends in /v1."
        ) from None
    except Trouble as trouble:
        if told.trouble:
            raise EngineError(
                f"No list of models from {server.url} ({secrets.redacted(told.trouble)}), and no answer ({trouble}). "
                "Expected an OpenAI-compatible server; its base URL usually ends in /v1."
            ) from None


async def honours_seeds(server: Server, asker: Asker, notes: Notes) -> bool:
    """Ask the same with equal and unequal seeds, and for two answers at once; note what is ignored.

    Raises:
        OtherModel: If the server answers under another name.
    """
    try:
        first = await asker.ask_patiently(
            server, letters(1)
        )  # alone: it may learn what the server does not take
        again, other, pair = await asyncio.gather(
            asker.ask_patiently(server, letters(1)),
            asker.ask_patiently(server, letters(2)),
            asker.ask_patiently(server, letters(3), answers=2),
        )
    except (Trouble, PromptTooLong) as trouble:
        reason = trouble if isinstance(trouble, Trouble) else "the context is too short"
        notes.add(NoteKind.SEEDS, f"{server.url}: seeds could not be checked ({reason})")
        return False
    if pair[0].choices < 2:
        notes.add(
            NoteKind.SERVER,
            f"{server.url} ignores n: one answer where two were asked for (k2eval asks for one)",
        )
    if first[0].text == other[0].text:
        notes.add(
            NoteKind.SEEDS,
            f"{server.url} gave the same answer to two seeds: repeats may be copies of each other",
        )
    if first[0].text != again[0].text:
        notes.add(NoteKind.SEEDS, f"{server.url} ignores the seed: a repetition will differ")
    return first[0].text == again[0].text


async def check_template(server: Server, model: str, request: Request, asker: Asker, notes: Notes) -> None:
    """Note the arguments of the chat template that a server seems to ignore: the prompt stays as long as without them.

    Each switch is looked at alone. One that is set to what the template does anyway changes nothing, so another value
    is looked at, too.
    """
    arguments = template_arguments(request.sampling, None)
    silent: list[str] = []
    unknown: list[str] = []
    for names in _switches_in(arguments):
        others = {name: value for name, value in arguments.items() if name not in names}
        changed = {name: _another(arguments[name], server) for name in names}
        try:
            prompts = {
                str(await _prompt(server, model, request, asker, told))
                for told in (arguments, others, {**others, **changed})
            }
        except (Trouble, OtherModel, PromptTooLong):
            prompts = {"0"}
        if len(prompts) == 1:
            (unknown if prompts == {"0"} else silent).extend(names)
    if unknown:
        text = f"whether the chat template takes {', '.join(sorted(unknown))} could not be checked"
        notes.add(NoteKind.SERVER, f"{server.url}: {text}")
    if silent:
        text = (
            f"{', '.join(sorted(silent))} changes nothing in the prompt: either its template does not know it, or the "
            "server drops it"
        )
        if server.dialect.api == "chat" and set(TEMPLATE_NAMES["thinking_budget"]) & set(silent):
            text += ". A budget of thinking counts only if the server keeps it itself, as vLLM does"
        notes.add(NoteKind.SERVER, f"{server.url}: {text}")


def _switches_in(arguments: Mapping[str, Json]) -> list[list[str]]:
    """Return the names of arguments, those of one switch together."""
    switches = [[name for name in names if name in arguments] for names in TEMPLATE_NAMES.values()]
    known = {name for names in switches for name in names}
    return [names for names in switches if names] + [[name] for name in arguments if name not in known]


def _another(value: Json, server: Server) -> Json:
    """Return another value of an argument; a word, which may be refused, only if no answer need be asked for."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str) and server.measures:
        return "high" if value == "low" else "low"
    return value


async def _prompt(
    server: Server, model: str, request: Request, asker: Asker, arguments: dict[str, Json]
) -> int | str:
    """Return something that tells one prompt from another: its text, or its length by the server's own count."""
    measured = await measure(server, model, request, arguments=arguments)
    if measured is not None:
        return measured.text or measured.tokens or 0
    answer, _ = await asker.ask(server, letters(1, max_tokens=1), arguments=arguments)
    return answer.prompt_tokens


def note_oddities(reply: Reply, server: Server, notes: Notes, streams: bool) -> None:
    """Note what is odd about an answer.

    Args:
        reply: The answer and its request.
        server: The server that answered; it counts the answers that it cut, and those that are reasoning alone.
        notes: The notes of the engine.
        streams: Whether answers come as streams.
    """
    answer, sent = reply
    max_tokens = sent.expected.max_tokens
    if answer.counted and answer.output_tokens > max_tokens:
        notes.add(NoteKind.SERVER, f"{server.url} ignores max_tokens: some answers are longer than allowed")
    if answer.counted and answer.finish_reason == "length" and answer.output_tokens < _FAR * sent.allowed:
        server.cuts[answer.output_tokens, sent.allowed] += 1
    if any(0 <= answer.text.find(stop) < len(answer.text) - len(stop) for stop in sent.expected.stops):
        notes.add(NoteKind.SERVER, f"{server.url} does not heed stop strings: k2eval ends answers there")
    if not answer.counted:
        how = "pieces of its stream are counted" if streams else "a token for four bytes is assumed"
        notes.add(NoteKind.SERVER, f"the server does not count tokens: {how}")
    start = answer.answer_start
    if answer.finish_reason == "stop" and start is not None and not answer.text[start:].strip():
        server.alone += 1
    if answer.choices > 1:
        notes.add(
            NoteKind.SERVER,
            "the server sends several answers where one is asked for: the first is taken",
        )
