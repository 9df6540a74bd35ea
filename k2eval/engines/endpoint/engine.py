"""OpenAI-compatible servers as one engine: vLLM, SGLang, llama.cpp, a provider's API …"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import openai
from openai import AsyncOpenAI

from k2eval.engines.endpoint.chat_stream import (
    ANSWERING_FAILED,
    THINK,
    Answer,
    BadAnswer,
    OtherModel,
    ask,
    body_of,
    transport,
)
from k2eval.engines.endpoint.servers import Server, introduce, least_loaded, measure, template_of
from k2eval.engines.endpoint.settings import checked
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError, EngineStopped, PromptTooLong
from k2eval.records import Generation, Message, Note, NoteKind, Request, Sampling, digest

_LONGEST_WAIT_S = 60.0
_LOOKS_AGAIN_S = 0.1
_BROKEN = (transport.RemoteProtocolError, transport.ReadError)
_CONTEXT_WORDS = ("context length", "context_length", "too long", "maximum context", "context window")


class EndpointEngine:
    """Answers requests by way of one or more servers that serve the same model.

    Each request goes to the server with the fewest in flight, one answer per request, streamed. Rate limits,
    server errors, time-outs and broken streams are tried again with growing pauses, on another server if there
    is one. Nothing of the kind ever becomes an answer.

    Args:
        model: Name the servers serve.
        arguments: ``base_url`` (one, several separated by commas, or a list); ``api_key_env``, name of the
            environment variable with the key; ``concurrency``, requests in flight per server; ``timeout_s``
            without a sign of life; ``attempts`` and ``backoff_s``; ``answers_as``, the name that answers carry
            where it is not ``model``; ``opens_think``, whether the chat template ends in ``<think>``, where the
            server cannot tell; ``probe``, whether to check seeds before the run.

    Raises:
        ConfigError: When an argument is unknown or has a wrong value.
    """

    def __init__(self, model: str, arguments: Mapping[str, Any] | None = None) -> None:
        self._model = model
        self._settings = checked(arguments or {})
        self._answers_as = self._settings.answers_as or model
        self._key = os.environ.get(self._settings.api_key_env, "").strip()
        self.capacity = self._settings.concurrency * len(self._settings.base_url)
        self._servers: list[Server] = []
        self._slots = asyncio.Semaphore(self.capacity)
        self._honours_seeds = False
        self._notes: dict[Note, None] = {}

    async def __aenter__(self) -> Self:
        limit = self._settings.concurrency
        self._servers = [Server(url, self._client(url), limit) for url in self._settings.base_url]
        try:
            await self._meet()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            await server.client.close()

    def _client(self, url: str) -> AsyncOpenAI:
        timeout = openai.Timeout(self._settings.timeout_s, connect=10.0, pool=None)
        # The client's own limit is 1,000 connections; requests would wait for one while their time runs.
        connections = transport.Limits(max_connections=None, max_keepalive_connections=100)
        return AsyncOpenAI(
            base_url=url,
            api_key=self._key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(limits=connections),
        )

    @property
    def info(self) -> EngineInfo:
        """Identity and settings; whether seeds are honoured is known once the engine has been entered."""
        contexts = [server.context for server in self._servers if server.context]
        troubles = [
            Note(
                kind=NoteKind.SERVER,
                text=f"{server.url}: asked again after {_listed(server.troubles)}",
            )
            for server in self._servers
            if server.troubles
        ]
        return EngineInfo(
            name=self._model,
            fingerprint=digest("endpoint", self._model, self._answers_as),
            engine="endpoint",
            honours_seeds=self._honours_seeds,
            context=min(contexts, default=None),
            settings=self._settings.model_dump(mode="json"),
            notes=(*self._notes, *troubles),
        )

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see :class:`k2eval.engines.protocol.Engine`."""
        arrived = time.perf_counter()
        async with self._slots:
            answer, server, sent = await self._persist(request)
        opens = self._settings.opens_think
        if opens is None:
            opens = server.opens_think.get(template_of(request), False)
        self._note_answer(answer)
        return Generation.answering(
            request,
            text=answer.text,
            finish_reason=answer.finish_reason,
            prefill=THINK[0] if opens and not answer.text.lstrip().startswith(THINK[0]) else "",
            prompt_tokens=answer.prompt_tokens,
            cached_tokens=answer.cached_tokens,
            output_tokens=answer.output_tokens,
            queue_s=round(sent - arrived, 6),
            ttft_s=answer.ttft_s,
            duration_s=round(time.perf_counter() - sent, 6),
            model=answer.model,
        )

    async def _persist(self, request: Request) -> tuple[Answer, Server, float]:
        """Ask until there is an answer or no attempt is left."""
        seen: Counter[str] = Counter()
        for attempt in range(self._settings.attempts):
            while (server := least_loaded(self._servers)) is None:
                await asyncio.sleep(_LOOKS_AGAIN_S)
            server.in_flight += 1
            sent = time.perf_counter()
            try:
                answer = await self._ask(server, request)
                server.answered()
                return answer, server, sent
            except OtherModel as other:
                raise self._stopped_by(other, server) from None
            except ANSWERING_FAILED as error:
                self._raise_if_final(error, server, request)
                what = _name_of(error)
                server.failed(what)
                seen[what] += 1
                pause = _pause(error, attempt, self._settings.backoff_s)
            finally:
                server.in_flight -= 1
            if attempt + 1 < self._settings.attempts:
                await asyncio.sleep(pause)
        if set(seen) == {"no connection"} and all(server.failures for server in self._servers):
            raise EngineStopped(
                f"No server can be reached: {', '.join(self._settings.base_url)}. What is finished is kept; start the "
                "server and run the same command again to go on."
            )
        raise EngineError(
            f"No usable answer to question {request.question_id!r} ({request.stage}) in "
            f"{self._settings.attempts} attempts: {_listed(seen)}."
        )

    async def _ask(self, server: Server, request: Request) -> Answer:
        max_tokens = request.sampling.max_tokens
        length: int | None = None
        if server.is_vllm and template_of(request) not in server.opens_think:
            length = await measure(server, self._model, request)
        if server.context and max_tokens + _at_most(request) > server.context:
            if length is None and server.is_vllm:
                length = await measure(server, self._model, request)
            if length is not None:
                max_tokens = min(max_tokens, server.context - length)
        if max_tokens < 1:
            raise PromptTooLong(
                f"Question {request.question_id!r} ({request.task}, {request.stage}): the prompt has {length} tokens, "
                f"the context of {server.url} {server.context}. Serve the model with a larger one, if it can."
            )
        body = body_of(request, self._model, server.is_vllm, max_tokens)
        answer = await ask(server.client, body, self._answers_as, self._settings.timeout_s)
        if answer.counted and answer.output_tokens > max_tokens:
            self._note(
                NoteKind.SERVER, f"{server.url} ignores max_tokens: some answers are longer than allowed"
            )
        return answer

    def _raise_if_final(self, error: Exception, server: Server, request: Request) -> None:
        """Raise what asking again cannot mend."""
        if not isinstance(error, openai.APIStatusError):
            return
        words = self._redacted(error.message)
        where = f"{server.url} answered HTTP {error.status_code}: {words[:300]}"
        if error.status_code in (401, 403) or getattr(error, "code", None) == "insufficient_quota":
            raise EngineStopped(
                f"{where}. The key in {self._settings.api_key_env} does not let this run go on; what is finished "
                "is kept."
            ) from None
        if error.status_code == 404:
            raise EngineStopped(
                f"{where}. Expected the model {self._model!r} there; see --model and engine.base_url."
            ) from None
        if error.status_code in (400, 413, 422):
            if any(word in words.lower() for word in _CONTEXT_WORDS):
                raise PromptTooLong(
                    f"Question {request.question_id!r} ({request.task}, {request.stage}): {where}. Lower "
                    "sampling.max_tokens, or serve the model with a larger context."
                ) from None
            raise EngineError(f"Question {request.question_id!r} ({request.stage}): {where}") from None

    def _stopped_by(self, other: OtherModel, server: Server) -> EngineStopped:
        return EngineStopped(
            f"{server.url} answered as {str(other)!r} where {self._answers_as!r} was expected, so its answers may be "
            f"another model's. If they are not, say so with --set engine.answers_as={other}."
        )

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _note(self, kind: NoteKind, text: str) -> None:
        """Add a note, unless it is there already."""
        self._notes[Note(kind=kind, text=text)] = None

    def _note_answer(self, answer: Answer) -> None:
        if not answer.counted:
            self._note(NoteKind.SERVER, "the server does not count tokens: pieces of its stream are counted")
        if answer.choices > 1:
            self._note(
                NoteKind.SERVER,
                "the server sends several answers where one is asked for: the first is taken",
            )

    async def _meet(self) -> None:
        """Learn what the servers are; one that does not answer is left out unless it is the last.

        Raises:
            EngineError: When no server serves the model.
        """
        met = await asyncio.gather(
            *(introduce(server, self._model) for server in self._servers), return_exceptions=True
        )
        fit = []
        for server, problem in zip(self._servers, met, strict=True):
            if problem is None:
                fit.append(server)
            elif not isinstance(problem, EngineError):
                raise problem
            else:
                self._note(NoteKind.SERVER, f"left out: {problem}")
        if not fit:
            raise next(problem for problem in met if problem is not None)
        for server in self._servers:
            if server not in fit:
                await server.client.close()
        self._servers = fit
        self._slots = asyncio.Semaphore(self._settings.concurrency * len(fit))
        if self._settings.probe:
            results = [await self._probe(server) for server in fit]
            self._honours_seeds = all(results)
        else:
            self._note(NoteKind.SEEDS, "whether the server honours seeds was not checked")

    async def _probe(self, server: Server) -> bool:
        """Ask the same with equal and unequal seeds, and for two answers at once; note what is ignored."""
        timeout_s = self._settings.timeout_s
        try:
            if server.is_vllm:
                await measure(server, self._model, _probe(1))
            bodies = [body_of(_probe(seed), self._model, server.is_vllm, 32) for seed in (1, 1, 2, 3)]
            bodies[3]["n"] = 2
            first, again, other, pair = await asyncio.gather(
                *(ask(server.client, body, self._answers_as, timeout_s) for body in bodies)
            )
        except OtherModel as other_model:
            raise self._stopped_by(other_model, server) from None
        except ANSWERING_FAILED as error:
            self._note(NoteKind.SEEDS, f"{server.url}: seeds could not be checked ({_name_of(error)})")
            return False
        if pair.choices < 2:
            self._note(
                NoteKind.SERVER,
                f"{server.url} ignores n: one answer where two were asked for (k2eval asks for one)",
            )
        if first.text == other.text:
            self._note(
                NoteKind.SEEDS,
                f"{server.url} gave the same answer to two seeds: repeats may be copies of each other",
            )
        if first.text != again.text:
            self._note(NoteKind.SEEDS, f"{server.url} ignores the seed: a repetition will differ")
        return first.text == again.text


def _probe(seed: int) -> Request:
    words = "Write down thirty lower-case letters at random, with spaces between them."
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=32, stop=())
    return Request(
        key=f"probe-{seed}",
        task="probe",
        question_id="probe",
        repeat_index=0,
        stage="probe",
        messages=(Message(role="user", content=words),),
        sampling=sampling,
        seed=seed,
    )


def _listed(troubles: Counter[str]) -> str:
    return ", ".join(f"{trouble} ({count}×)" for trouble, count in troubles.most_common())


def _at_most(request: Request) -> int:
    """Return an upper bound on the prompt's length in tokens: one per byte of UTF-8, and room for the template."""
    return sum(len(turn.content.encode(errors="replace")) + 32 for turn in request.messages) + 512


def _name_of(error: Exception) -> str:
    """A failure in a few words, without the server's own, which may repeat what it was sent."""
    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}"
    if isinstance(error, (openai.APITimeoutError, transport.TimeoutException, TimeoutError)):
        return "time-out"
    if isinstance(error, transport.HTTPError) or isinstance(error.__cause__, _BROKEN):
        return "broken stream"
    if isinstance(error, openai.APIConnectionError):
        return "no connection"
    if isinstance(error, BadAnswer):
        return str(error)
    return "invalid JSON" if isinstance(error, ValueError) else "an error in the stream"


def _pause(error: Exception, attempt: int, backoff_s: float) -> float:
    """Seconds until the next attempt: growing, spread out, and what the server asks for if that is longer."""
    pause: float = backoff_s * 2**attempt * (0.5 + random.random() / 2)
    if isinstance(error, openai.APIStatusError):
        with contextlib.suppress(ValueError):  # a date; the growing pause has to do
            pause = max(pause, float(error.response.headers.get("retry-after", 0)))
    return min(pause, _LONGEST_WAIT_S)
