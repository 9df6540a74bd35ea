"""One request to one server, with the parameters that this server takes and within its context."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from k2eval.engines.endpoint import refusals
from k2eval.engines.endpoint.answers import (
    Answer,
    Expectation,
    StreamedAnswer,
    most_bytes,
    whole_answer,
)
from k2eval.engines.endpoint.bodies import OPTIONAL, Dialect, body_of, is_neutral
from k2eval.engines.endpoint.jsons import dumps
from k2eval.engines.endpoint.meeting import Measured, measure, template_of
from k2eval.engines.endpoint.prompts import Renderer
from k2eval.engines.endpoint.servers import Asked, Server
from k2eval.engines.endpoint.settings import EndpointSettings, Secrets
from k2eval.engines.endpoint.trouble import Refusal, Silence
from k2eval.engines.endpoint.watch import FEWEST_TOKENS
from k2eval.errors import EngineStopped, PromptTooLong
from k2eval.reasoning import AUTO, NONE, SPECIAL, marks_of, prefill_of
from k2eval.records import SWITCHES, Json, Note, NoteKind, ReasoningFormat, Request, Sampling

_PATHS = {"chat": "/chat/completions", "completions": "/completions"}
_BUSY = (408, 425, 429, 502, 503, 504)
_LONGEST_PAUSE_S = 10.0
_FEWEST = 256
"""Tokens below which no answer is asked for by guess."""
_NO_SUCH_PATH = (404, 405, 501)
_SKIPPING = "skip_special_tokens"
_UNSAID = ("stream_options", _SKIPPING)
"""Parameters whose refusal is not noted, since it changes no answer; unless the marks of reasoning are such tokens."""
_KEPT = 256
_MOST_NOTES = 100
"""Notes of one kind; run.json holds them all, and is written every few seconds."""
_NO_MORE = "further notes of this kind are left out"
CANNOT_GO_ON = (
    "Expected a server that goes on with a text, got chat. Set engine.api=completions and engine.tokenizer=FOLDER, if "
    "the server has completions."
)


class Notes:
    """Notes for the readers of the scores, each kept once, and so many of a kind.

    Servers choose some of their words, and a list of servers may change for days.
    """

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}
        self._counts: Counter[NoteKind] = Counter()

    def add(self, kind: NoteKind, text: str) -> None:
        """Add a note, unless it is there already."""
        note = Note(kind=kind, text=text)
        if note not in self._notes and self._counts[kind] <= _MOST_NOTES:
            self._counts[kind] += 1
            is_last = self._counts[kind] > _MOST_NOTES
            self._notes[Note(kind=kind, text=_NO_MORE) if is_last else note] = None

    def __iter__(self) -> Iterator[Note]:
        return iter(self._notes)


@dataclass(slots=True)
class Sent:
    """A request in the words of one server."""

    path: str
    body: bytes
    expected: Expectation
    allowed: int
    """The most tokens that were meant; the server may have had room for fewer."""
    shows_special_tokens: bool
    prefill: str
    """The mark that opens reasoning if the prompt ends in it, or the beginning of the answer that it ends in."""


Reply = tuple[Answer, Sent]
"""An answer, and the request that it answers."""


class Asker:
    """Client of all servers, which learns the parameters that each of them takes.

    Args:
        model: The model's name there.
        settings: All that can be set.
        secrets: What must not be repeated.
        notes: Takes what could not be sent as it is meant.
        renderer: Renders prompts for completions, if a tokenizer is set.
        reasoning: How the model marks its reasoning. If it may do any, no stop string is sent that could end it.
    """

    def __init__(
        self,
        model: str,
        settings: EndpointSettings,
        secrets: Secrets,
        notes: Notes,
        renderer: Renderer | None,
        reasoning: ReasoningFormat = AUTO,
    ) -> None:
        self._model = model
        self._settings = settings
        self._secrets = secrets
        self._notes = notes
        self._renderer = renderer
        self._reasoning = reasoning
        self._reasons = reasoning != NONE
        self._marks = marks_of(reasoning)
        self._answers_as = settings.answers_as or model
        self._measured: dict[tuple[int, tuple[object, ...], str], asyncio.Task[Measured | None]] = {}

    async def ask(
        self, server: Server, request: Request, *, answers: int = 1, arguments: dict[str, Json] | None = None
    ) -> Reply:
        """Ask one server once; again only if it refuses a parameter, then without it.

        Args:
            server: The one to ask.
            request: What to ask.
            answers: How many to ask for.
            arguments: Instead of the request's own chat template's arguments.

        Raises:
            PromptTooLong: If the prompt does not fit the context.
            Trouble: If there is no answer.
            OtherModel: If the answer carries another name.
        """
        if arguments is not None:
            unset = dict.fromkeys(SWITCHES)
            sampling = request.sampling.model_copy(update={**unset, "chat_template": arguments})
            request = request.model_copy(update={"sampling": sampling})
        measured = await self._look_at(server, request) if self._looks(server) else None
        dialect, allowed = server.dialect, self._room(server, request, measured)
        max_tokens = allowed
        changes: list[str] | None = None
        while True:
            sent = self._sent(request, dialect, max_tokens, measured, answers)
            sent.allowed = allowed
            try:
                answer = await self._send(server, sent)
            except Refusal as refusal:
                fewer = None if measured is not None else _fewer(server, request, max_tokens)
                change = self._change(dialect, max_tokens, request.sampling, refusal, fewer)
                if change is None:
                    raise
                dialect, max_tokens, words = change
                changes = [*(changes or ()), words]
                continue
            if changes is not None:
                self._learn(server, dialect, changes)
            return answer, sent

    async def ask_patiently(self, server: Server, request: Request, *, answers: int = 1) -> Reply:
        """Ask as `ask` does, and again with growing pauses as long as the server is busy."""
        for attempt in range(self._settings.attempts - 1):
            try:
                return await self.ask(server, request, answers=answers)
            except Refusal as refusal:
                if refusal.status not in _BUSY:
                    raise
                pause = max(self._settings.backoff_s * 2**attempt, refusal.retry_after_s)
                await asyncio.sleep(min(pause, _LONGEST_PAUSE_S))
        return await self.ask(server, request, answers=answers)

    def _sent(
        self, request: Request, dialect: Dialect, max_tokens: int, measured: Measured | None, answers: int
    ) -> Sent:
        settings, stops = self._settings, request.sampling.stop
        prompt: list[int] | str | None = None
        if dialect.api == "completions" and self._renderer is not None:
            ids, text = self._renderer.render(request)
            prompt = self._renderer.without_start(text) if dialect.takes_text else ids
        begun = None
        if request.begun is not None:
            if prompt is None or self._renderer is None:
                raise EngineStopped(CANNOT_GO_ON)
            ids, begun = self._renderer.beginning(request, self._reasoning)
            prompt = (
                [*prompt, *ids] if isinstance(prompt, list) else prompt + begun[len(request.begun.prefill) :]
            )
        body = body_of(
            request,
            self._model,
            max_tokens,
            dialect,
            prompt=prompt,
            reasons=self._reasons,
            stream=settings.stream,
            extra=settings.extra_body,
        )
        if answers > 1:
            body["n"] = answers
        opens = False if settings.hides_reasoning else settings.opens_think
        return Sent(
            _PATHS[dialect.api],
            dumps(body),
            Expectation(
                self._answers_as,
                max_tokens,
                stops if "stop" in body else (),
                settings.hides_reasoning,
                answers,
                self._marks,
            ),
            max_tokens,
            body.get("skip_special_tokens") is False,
            self._prefill(measured, opens) if begun is None else begun,
        )

    def _prefill(self, measured: Measured | None, opens: bool | None) -> str:
        """Return the mark that opens reasoning at the end of the prompt: as measured, or as it is set."""
        if opens is None:
            return "" if measured is None else measured.prefill
        return self._marks[0] * opens

    async def _send(self, server: Server, sent: Sent) -> Answer:
        """Send one request, watched for a hang, and return what it was answered with."""
        now = asyncio.get_running_loop().time
        task = asyncio.current_task()
        assert task is not None
        asked = Asked(sent.expected.max_tokens, now(), task)
        if not server.asked:
            server.last_sign = asked.since
        server.asked.add(asked)
        try:
            if self._settings.stream:
                answer = await self._stream(server, sent, asked)
            else:
                data = await server.client.ask(sent.path, sent.body, most_bytes(sent.expected))
                answer = whole_answer(data, sent.expected)
        except asyncio.CancelledError:
            if asked.given_up and not task.uncancel():
                raise Silence from None
            raise
        finally:
            server.asked.discard(asked)
        server.last_sign = arrived = now()
        if answer.output_tokens >= FEWEST_TOKENS:
            speed = answer.output_tokens / max(arrived - asked.since, 1e-6)
            if server.slowest is None or speed < server.slowest:
                server.slowest = speed
        return answer

    async def _stream(self, server: Server, sent: Sent, asked: Asked) -> Answer:
        now = asyncio.get_running_loop().time

        def note_text(pieces: int) -> None:
            asked.last_text = server.last_sign = now()

        streamed = StreamedAnswer(sent.expected, note_text)
        await server.client.ask(sent.path, sent.body, streamed.most_bytes, streamed.feed)
        return streamed.answer()

    def _looks(self, server: Server) -> bool:
        return server.measures or self._renderer is not None

    async def _look_at(self, server: Server, request: Request) -> Measured | None:
        """Return the prompt's length and how it ends, as far as that is needed and the server tells."""
        if self._renderer is not None:
            prompt, text = self._renderer.render(request)
            ids = self._renderer.beginning(request, self._reasoning)[0] if request.begun else []
            return Measured(len(prompt) + len(ids), prefill_of(text, self._reasoning))
        if not server.measures:
            return None
        template = template_of(request)
        fits = server.context is None or request.sampling.max_tokens + at_most(request) <= server.context
        known = server.prefills.get(template)
        if fits and known is not None:
            return Measured(None, known)
        key = (id(server), request.messages, template)
        task = self._measured.get(key)
        if task is None:
            task = self._measured[key] = asyncio.create_task(
                measure(server, self._model, request, self._reasoning)
            )
            if len(self._measured) > _KEPT:
                del self._measured[next(iter(self._measured))]
        measured = await asyncio.shield(task)
        if measured is not None:
            server.prefills[template] = measured.prefill
        return measured

    def _room(self, server: Server, request: Request, measured: Measured | None) -> int:
        """Return the tokens that the answer may have: max_tokens, or what the server's context has room for."""
        most = server.dialect.most_tokens
        allowed = request.sampling.max_tokens if most is None else min(most, request.sampling.max_tokens)
        if server.context is None or measured is None or measured.tokens is None:
            return allowed
        room = min(allowed, server.context - measured.tokens)
        if room < 1:
            raise PromptTooLong(
                f"Question {request.question_id!r} ({request.task}, {request.stage}): the prompt has {measured.tokens} "
                f"tokens, the context of {server.url} {server.context}. Serve the model with a larger one, if it can."
            )
        return room

    def _change(
        self, dialect: Dialect, max_tokens: int, sampling: Sampling, refusal: Refusal, fewer: int | None
    ) -> tuple[Dialect, int, str] | None:
        """Return how to ask instead, and what to note if that is answered; None if the refusal's words name nothing.

        ``fewer`` tokens are asked for if the context is too short and the server does not say by how much.
        """
        words = self._secrets.redacted(refusal.words)[:200]
        if refusal.status in _NO_SUCH_PATH:
            if self._settings.api != "auto" or dialect.api != "chat" or self._renderer is None:
                return None
            if refusals.is_no_model(refusal):
                return None
            note = "has no chat: prompts are rendered by engine.tokenizer and sent to /completions"
            return replace(dialect, api="completions"), max_tokens, note
        if refusal.status not in refusals.BAD_REQUEST and not refusals.is_told_as_failure(refusal):
            return None
        most = refusals.most_tokens_in(refusal, max_tokens)
        if refusals.is_beyond_context(refusal):
            room = refusals.room_in(refusal)
            if room is not None and 0 < room.context - room.prompt < max_tokens:
                return dialect, room.context - room.prompt, ""
            if room is not None or most is None:
                return None if room is not None or fewer is None else (dialect, fewer, "")
        if dialect.api == "completions" and not dialect.takes_text and refusals.wants_text(refusal):
            note = f"takes prompts as text alone, and splits them into tokens itself: {words}"
            return replace(dialect, takes_text=True), max_tokens, note
        if refusals.is_no_system_turn(refusal) and not dialect.folds_system:
            note = f"takes no system turn: its text stands at the start of the first user turn ({words})"
            return replace(dialect, folds_system=True), max_tokens, note
        if most is not None:
            note = f"allows at most {most:,} tokens an answer: {words}"
            return replace(dialect, most_tokens=most), most, note
        name = dialect.renamed.get("max_tokens", "max_tokens")
        sent = [name, *(other for other in OPTIONAL if other not in dialect.dropped)]
        refused = refusals.refused_parameter(refusal, sent)
        if refused == "max_tokens":
            renamed = {**dialect.renamed, "max_tokens": "max_completion_tokens"}
            note = f"takes max_completion_tokens for max_tokens: {words}"
            return replace(dialect, renamed=renamed), max_tokens, note
        if refused is None or refused == name:
            return None
        loses_marks = refused == _SKIPPING and self._reasoning.name in SPECIAL
        unsaid = refused in _UNSAID or (is_neutral(refused, sampling) and refusals.is_unknown(refusal))
        note = "" if unsaid and not loses_marks else f"does not take {refused}, which is left out: {words}"
        if loses_marks:
            note += (
                f". The marks of {self._reasoning.name} are special tokens, so its texts may lack them, and reasoning "
                "counts as answer then: give the server a reasoning parser"
            )
        return replace(dialect, dropped=dialect.dropped | {refused}), max_tokens, note

    def _learn(self, server: Server, dialect: Dialect, changes: list[str]) -> None:
        """Ask the server so from now on, and note what that leaves out."""
        server.dialect = Dialect(
            server.dialect.dropped | dialect.dropped,
            server.dialect.renamed | dialect.renamed,
            dialect.most_tokens or server.dialect.most_tokens,
            dialect.api,
            server.dialect.folds_system or dialect.folds_system,
            server.dialect.takes_text or dialect.takes_text,
        )
        for change in changes:
            if change:
                self._notes.add(NoteKind.SERVER, f"{server.url} {change}")


def _fewer(server: Server, request: Request, max_tokens: int) -> int | None:
    """Return fewer tokens that may fit: what the server's context has room for in any case, else half of them."""
    fewer = max_tokens // 2 if server.context is None else server.context - at_most(request)
    return fewer if _FEWEST <= fewer < max_tokens else None


def at_most(request: Request) -> int:
    """Return an upper bound on the prompt's length in tokens: one per byte of UTF-8, and room for the template."""
    return sum(len(turn.content.encode(errors="replace")) + 32 for turn in request.messages) + 512
