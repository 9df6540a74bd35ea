"""One chat completion as a stream: what is sent, and what is made of the pieces that come back."""

from __future__ import annotations

import asyncio
import importlib
import time
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import AsyncOpenAI

from k2eval.records import FinishReason, Json, Request

THINK = ("<think>", "</think>")

transport: Any = importlib.import_module(
    openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]
)
"""The HTTP library under the client: httpx, or what newer clients have in its place."""


class BadAnswer(Exception):
    """A server's answer that cannot be used; asking again may help."""


ANSWERING_FAILED = (openai.OpenAIError, transport.HTTPError, BadAnswer, ValueError, TimeoutError)
"""What can go wrong while a server answers."""

_PIECES_PER_TOKEN = 8
"""Servers may cut a token into several pieces, yet not endlessly."""


class OtherModel(Exception):
    """A server answered under another model's name."""


@dataclass(slots=True)
class Answer:
    """What one server said."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    counted: bool
    """Whether the server gave the number of output tokens; the number of pieces stands in where not."""
    ttft_s: float | None
    model: str
    choices: int
    """How many answers came; one was asked for."""


def body_of(request: Request, model: str, is_vllm: bool, max_tokens: int) -> dict[str, Any]:
    """The arguments of ``chat.completions.create`` for one request."""
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": max_tokens,
        "seed": request.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.json_schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": sampling.json_schema, "strict": True},
        }
    extra: dict[str, Json] = {}
    if sampling.top_k > 0:
        extra["top_k"] = sampling.top_k
    if sampling.min_p > 0:
        extra["min_p"] = sampling.min_p
    if is_vllm:
        extra["include_stop_str_in_output"] = True
        if sampling.chat_template:
            extra["chat_template_kwargs"] = sampling.chat_template
    return body | ({"extra_body": extra} if extra else {})


async def ask(client: AsyncOpenAI, body: dict[str, Any], accepted: str, timeout_s: float) -> Answer:
    """Send one request and read its stream to the end.

    Args:
        client: Of the server.
        body: As :func:`body_of` makes it.
        accepted: The model's name that the server must answer under.
        timeout_s: Seconds that may pass until the next piece; a server that only says it is alive gives none.

    Raises:
        OtherModel: When it answers under another.
        BadAnswer: When the stream ends early or never, is no chat completion, or is empty.
        openai.OpenAIError, transport.HTTPError, ValueError, TimeoutError: Whatever the transport has to say.
    """
    pieces = _Pieces(started=time.perf_counter())
    now = asyncio.get_running_loop().time
    async with asyncio.timeout(timeout_s) as patience:
        stream = await client.chat.completions.create(**body)
        try:
            async for chunk in stream:
                pieces.add(chunk)
                if pieces.model not in ("", accepted):
                    raise OtherModel(pieces.model)
                if getattr(chunk, "choices", None):
                    patience.reschedule(now() + timeout_s)
                if pieces.count > _PIECES_PER_TOKEN * (body["max_tokens"] + 128) * body.get("n", 1):
                    raise BadAnswer("the stream goes on far beyond max_tokens")
            return pieces.answer(body.get("stop", []))
        except (AttributeError, TypeError, KeyError) as error:
            raise BadAnswer("the stream is no chat completion") from error
        finally:
            await stream.close()


@dataclass(slots=True)
class _Pieces:
    started: float
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    stop_reason: Any = None
    usage: Any = None
    ttft_s: float | None = None
    model: str = ""
    indices: set[int] = field(default_factory=set)
    count: int = 0

    def add(self, chunk: Any) -> None:
        self.count += 1
        self.usage = getattr(chunk, "usage", None) or self.usage
        for choice in getattr(chunk, "choices", None) or []:
            self.model = str(getattr(chunk, "model", None) or self.model)
            self.indices.add(choice.index or 0)
            if choice.index:
                continue
            delta = choice.delta
            thought = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
            said = getattr(delta, "content", None)
            if (thought or said) and self.ttft_s is None:
                self.ttft_s = round(time.perf_counter() - self.started, 6)
            if thought:
                self.reasoning.append(str(thought))
            if said:
                self.content.append(said)
            self.finish_reason = choice.finish_reason or self.finish_reason
            self.stop_reason = getattr(choice, "stop_reason", None) or self.stop_reason

    def answer(self, stops: list[str]) -> Answer:
        if self.finish_reason is None:
            cut = "broke off" if self.content or self.reasoning else "held no answer"
            raise BadAnswer(f"the stream {cut}")
        if self.finish_reason not in ("stop", "length"):
            raise BadAnswer(f"finish_reason {self.finish_reason!r} where stop or length was expected")
        counted = _count(getattr(self.usage, "completion_tokens", None))
        details = getattr(self.usage, "prompt_tokens_details", None)
        return Answer(
            text=self._text(stops),
            finish_reason="length" if self.finish_reason == "length" else "stop",
            prompt_tokens=_count(getattr(self.usage, "prompt_tokens", None)) or 0,
            cached_tokens=_count(getattr(details, "cached_tokens", None)) or 0,
            output_tokens=len(self.content) + len(self.reasoning) if counted is None else counted,
            counted=counted is not None,
            ttft_s=self.ttft_s,
            model=self.model,
            choices=len(self.indices),
        )

    def _text(self, stops: list[str]) -> str:
        """Raw text as the model wrote it: reasoning that came apart goes back between its tags."""
        content = _whole("".join(self.content))
        if isinstance(self.stop_reason, str) and self.stop_reason in stops:
            content += "" if content.endswith(self.stop_reason) else self.stop_reason
        if not self.reasoning:
            return content
        reasoning = _whole("".join(self.reasoning))
        if not content and self.finish_reason == "length":
            return THINK[0] + reasoning
        return f"{THINK[0]}{reasoning}{THINK[1]}{content}"


def _whole(text: str) -> str:
    """``text`` with characters that were cut in two joined; a half without the other cannot be sent on."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _count(value: Any) -> int | None:
    """A number of tokens; None where a server sends anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
