"""OpenAI-compatible servers as one engine: vLLM, SGLang, llama.cpp, a provider's API …"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from k2eval.engines.endpoint import refusals
from k2eval.engines.endpoint.addresses import Addresses
from k2eval.engines.endpoint.answers import Answer
from k2eval.engines.endpoint.asking import CANNOT_GO_ON, Asker, Notes, Reply
from k2eval.engines.endpoint.bodies import Dialect, has_switches
from k2eval.engines.endpoint.checks import ask_once, check_template, honours_seeds, note_oddities
from k2eval.engines.endpoint.client import Client
from k2eval.engines.endpoint.endings import without_end_of_turn
from k2eval.engines.endpoint.meeting import introduce, learn_limits, template_of
from k2eval.engines.endpoint.openings import Openings
from k2eval.engines.endpoint.prompts import Renderer
from k2eval.engines.endpoint.roster import Roster
from k2eval.engines.endpoint.servers import Server, listed, notes_on
from k2eval.engines.endpoint.settings import Secrets, checked
from k2eval.engines.endpoint.trouble import NoConnection, OtherModel, Refusal, Trouble, pause_s
from k2eval.engines.endpoint.watch import Watch, stop_if_failed
from k2eval.engines.hub import pinned_tokenizer
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import ConfigError, EngineError, EngineGaveUp, EngineStopped, PromptTooLong
from k2eval.reasoning import AUTO, Detection, marks_of, pairs_of, stop_place
from k2eval.records import Generation, NoteKind, Request

_CONCURRENCY = 64
"""Requests in flight for each server that does not tell how many it works on."""
_CEILING = 1024
"""Most requests that are sent to one server, unless ``concurrency`` is larger."""


class EndpointEngine:
    """An engine that answers requests by one or more servers of the same model.

    Each request goes to the server with the smallest load, one answer per request. After rate limits, server errors,
    hangs and broken connections the request is sent again with growing pauses, to another server if there is one. None
    of these ever becomes an answer.

    Args:
        model: The servers' name for the model.
        arguments: The fields of `EndpointSettings`; ``base_url`` is needed.
        reasoning: The marks of the model's reasoning. Servers get stop strings only if the model does not reason.

    Raises:
        ConfigError: If an argument is unknown or has a wrong value.
    """

    def __init__(
        self, model: str, arguments: Mapping[str, Any] | None = None, reasoning: Detection | None = None
    ) -> None:
        self._model = model
        self._reasoning = reasoning or Detection(AUTO, "each response tells")
        self._settings = checked(pinned_tokenizer(arguments or {}))
        self._fingerprint = self._settings.fingerprint(model)
        self._secrets = Secrets(self._settings)
        self._notes = Notes()
        self._roster = Roster(
            Addresses(self._settings.base_url),
            self._server,
            self._meet_one,
            self._notes,
            self._settings.timeout_s,
        )
        form = self._reasoning.form
        self._ends = tuple(end for _, end in (*pairs_of(form), marks_of(form)))
        self._openings = Openings(form, self._settings)
        self._set_by_user: set[str] = set()
        self._set_by_recipe: set[str] = set()
        self._checked: set[tuple[int, str]] = set()
        self._asker: Asker
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Meet the servers.

        Raises:
            ConfigError: If a tokenizer that is set cannot be used.
            EngineError: If no server answers for the model.
        """
        name, commit = self._settings.tokenizer, self._settings.tokenizer_revision
        renderer = await asyncio.to_thread(Renderer, name, commit) if name else None
        form = self._reasoning.form
        self._asker = Asker(self._model, self._settings, self._secrets, self._notes, renderer, form)
        try:
            await self._roster.open()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        if not self._settings.probe:
            self._notes.add(NoteKind.SEEDS, "whether the server honours seeds was not checked")
        adaptive = self._settings.concurrency is None
        watch = Watch(self._roster.gate, self._settings.timeout_s, adaptive, _CEILING)
        self._keep(watch.run())
        self._keep(self._roster.follow())
        # Full collections, each over all that has been imported, would cost a tenth of the time that answers take.
        gc.freeze()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.unfreeze()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._roster.close()

    def _server(self, url: str) -> Server:
        limit = self._settings.concurrency or _CONCURRENCY
        return Server(url, self._client(url), limit, Dialect.of(self._settings))

    def _client(self, url: str) -> Client:
        return Client(url, self._secrets.key, self._secrets.headers, self._secrets.query)

    def _keep(self, work: Any) -> None:
        """Run something beside the requests."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: stop_if_failed(task, self._roster.gate))

    @property
    def capacity(self) -> int:
        """Number of requests in flight that keep all servers full; it changes as they come and go."""
        places = self._roster.places
        if places is None:
            return (self._settings.concurrency or _CONCURRENCY) * len(self._settings.base_url)
        return max(1, places)

    @property
    def info(self) -> EngineInfo:
        """Identity and settings; whether seeds are honoured is known once the engine has been entered."""
        servers = self._roster.servers
        contexts = [server.context for server in servers if server.context]
        return EngineInfo(
            name=self._model,
            fingerprint=self._fingerprint,
            engine="endpoint",
            honours_seeds=self._roster.honours_seeds,
            context=min(contexts, default=None),
            reasoning=self._reasoning.form,
            reasoning_from=self._reasoning.place,
            settings=self._settings.model_dump(mode="json"),
            notes=(
                *self._notes,
                *(note for server in servers for note in notes_on(server)),
                *self._openings.notes(),
            ),
        )

    def preview(self, request: Request, switches: Collection[str] = ()) -> None:
        """Note which switches a recipe sets of itself; see `k2eval.engines.protocol.Previews`.

        A planner, for example, need not think. If a server has no switch for that, nobody needs to know.
        """
        if request.begun and (self._settings.api != "completions" or not self._settings.tokenizer):
            raise ConfigError(CANNOT_GO_ON)
        template = template_of(request)
        if switches or request.sampling.chat_template:
            self._set_by_user.add(template)
        else:
            self._set_by_recipe.add(template)
        self._set_by_recipe -= self._set_by_user

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see `k2eval.engines.protocol.Engine`."""
        arrived = time.perf_counter()
        (answer, sent), asked = await self._persist(request)
        text, finish_reason, start = answer.text, answer.finish_reason, answer.answer_start
        if sent.shows_special_tokens:
            text = text[: start or 0] + without_end_of_turn(text[start or 0 :], self._ends)
        form, prefill = self._reasoning.form, "" if start is not None else sent.prefill
        opens = text.lstrip().startswith(tuple(start for start, _ in pairs_of(form)))
        if opens and request.begun is None:
            prefill = ""  # the server has put it back
        stops = request.sampling.stop
        if any(
            stop in text and (finish_reason != "stop" or text.find(stop) + len(stop) < len(text))
            for stop in stops
        ):
            end = stop_place(text, form, stops, prefill, start)
            if end is not None:
                text, finish_reason = text[:end], "stop"
        return Generation.answering(
            request,
            text=text,
            finish_reason=finish_reason,
            prefill=prefill,
            answer_start=start,
            prompt_tokens=answer.prompt_tokens,
            cached_tokens=answer.cached_tokens,
            output_tokens=answer.output_tokens,
            queue_s=round(asked - arrived, 6),
            ttft_s=answer.ttft_s,
            duration_s=round(time.perf_counter() - asked, 6),
            model=answer.model,
        )

    async def _persist(self, request: Request) -> tuple[Reply, float]:
        """Ask until there is an answer or no attempt is left."""
        seen: Counter[str] = Counter()
        stops = 0  # a slip of a proxy between good answers looks like the end of the run
        for attempt in range(self._settings.attempts):
            server = await self._roster.gate.enter(priority=request.priority)
            asked = time.perf_counter()
            try:
                answer, sent = await self._asker.ask(server, request)
                server.answered()
                self._look_at(server, request, (answer, sent))
                if request.begun is None:
                    sent.prefill = await self._openings.prefill_of(
                        server, request, answer, sent.prefill, partial(self._ask_besides, server)
                    )
                return (answer, sent), asked
            except OtherModel as other:
                raise self._stopped_by(other, server) from None
            except Trouble as trouble:
                self._raise_if_final(trouble, server, request)
                stop = self._end_of_the_run(trouble, server)
                stops += stop is not None
                if stop and (not server.has_answered or stops == self._settings.attempts):
                    raise stop from None
                name = self._secrets.redacted(str(trouble))
                seen[name] += 1
                self._roster.gate.let_in_later(server.failed(name))
                pause = pause_s(trouble, attempt, self._settings.backoff_s)
            finally:
                self._roster.gate.leave(server)
            if attempt + 1 < self._settings.attempts:
                await asyncio.sleep(pause)
        servers = self._roster.servers
        if set(seen) == {str(NoConnection(""))} and servers and all(server.failures for server in servers):
            raise EngineStopped(
                f"No server can be reached: {', '.join(self._settings.base_url)}. What is finished is kept; start the "
                "server and run the same command again to go on."
            )
        raise EngineGaveUp(
            f"No usable answer to question {request.question_id!r} ({request.stage}) in "
            f"{self._settings.attempts} attempts: {listed(seen)}."
        )

    async def _ask_besides(self, server: Server, request: Request) -> Answer:
        answer, _ = await self._asker.ask_patiently(server, request)
        return answer

    def _look_at(self, server: Server, request: Request, reply: Reply) -> None:
        """Note what is odd about an answer."""
        note_oddities(reply, server, self._notes, self._settings.stream)
        if has_switches(request.sampling):
            key = id(server), template_of(request)
            if key not in self._checked and key[1] not in self._set_by_recipe:
                self._checked.add(key)
                self._keep(check_template(server, self._model, request, self._asker, self._notes))

    def _end_of_the_run(self, trouble: Trouble, server: Server) -> EngineStopped | None:
        if not isinstance(trouble, Refusal) or not refusals.is_end_of_the_run(trouble):
            return None
        advice = ""
        if refusals.is_of_the_key(trouble):
            advice = f" The key in {self._settings.api_key_env} does not let this run go on; what is finished is kept."
        elif trouble.status >= 400:
            advice = f" Expected the model {self._model!r} there; see --model and engine.base_url."
        return EngineStopped(f"{self._where(trouble, server)}.{advice}")

    def _where(self, trouble: Refusal, server: Server) -> str:
        return f"{server.url} answered HTTP {trouble.status}: {self._secrets.redacted(trouble.words)[:300]}"

    def _raise_if_final(self, trouble: Trouble, server: Server, request: Request) -> None:
        """Raise an error that asking again for this question cannot remove."""
        if not isinstance(trouble, Refusal) or refusals.is_end_of_the_run(trouble):
            return
        where, overflows = self._where(trouble, server), refusals.is_overflow(trouble)
        if trouble.status in refusals.BAD_REQUEST or overflows or refusals.is_flagged(trouble):
            if overflows or refusals.is_beyond_context(trouble):
                raise PromptTooLong(
                    f"Question {request.question_id!r} ({request.task}, {request.stage}): {where}. Lower "
                    "sampling.max_tokens, or serve the model with a larger context."
                ) from None
            raise EngineGaveUp(f"Question {request.question_id!r} ({request.stage}): {where}") from None

    def _stopped_by(self, other: OtherModel, server: Server) -> EngineStopped:
        return EngineStopped(
            f"{server.url} answered as {str(other)!r} where {self._settings.answers_as or self._model!r} was expected, "
            f"so its answers may be another model's. If they are not, say so with --set engine.answers_as={other}."
        )

    async def _meet_one(self, server: Server) -> bool:
        """Meet one server, and return whether it honours seeds.

        Raises:
            EngineError: If it does not answer for the model.
        """
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._met(server)
        except TimeoutError:
            raise EngineError(
                f"{server.url} gave no answer in {self._settings.timeout_s:g} s. Look at that server, or wait longer "
                "with --set engine.timeout_s=N."
            ) from None

    async def _met(self, server: Server) -> bool:
        settings = self._settings
        told = await introduce(server, self._model, settings.attempts, settings.backoff_s)
        holds = await learn_limits(server)
        if holds and settings.concurrency is None:
            server.held, server.limit = holds, min(2 * holds, _CEILING)
        grows = settings.concurrency is None and server.counts_work and not server.held
        server.places = _CEILING if grows else server.limit
        if told.trouble:
            words = self._secrets.redacted(told.trouble)
            self._notes.add(NoteKind.SERVER, f"{server.url} does not list its models: {words}")
        elif not told.is_listed:
            self._notes.add(NoteKind.SERVER, f"{server.url} does not list {self._model!r} among its models")
        try:
            if not told.is_listed:
                await ask_once(server, self._model, told, self._asker, self._secrets)
            return settings.probe and await honours_seeds(server, self._asker, self._notes)
        except OtherModel as other:
            raise self._stopped_by(other, server) from None
