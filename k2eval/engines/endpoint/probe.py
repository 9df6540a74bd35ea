"""An OpenAI-compatible server under measurement: chat completions, streamed."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

from k2eval.engines.endpoint.answers import Expectation, StreamedAnswer
from k2eval.engines.endpoint.client import Client
from k2eval.engines.endpoint.jsons import count, dumps, loads
from k2eval.engines.endpoint.metrics import parse_metrics
from k2eval.engines.endpoint.trouble import BadAnswer, OtherModel, Refusal, Silence, Trouble
from k2eval.engines.measured import Load, Piece, Prompt
from k2eval.errors import EngineError
from k2eval.records import Json, SpeculativeCounts

_WORDS = (
    "time", "people", "way", "water", "words", "day", "part", "number", "sound", "work", "place", "year",
)  # fmt: skip


class ServedProbe:
    """A measurement of one server. Entering finds its model and the number of tokens in a random word.

    Args:
        url: Base URL, such as ``http://localhost:8000/v1``.
        model: Name it serves; the first one it lists if None.
        key_variable: Environment variable with the API key.
        timeout_s: Seconds without a piece of an answer after which a request has failed.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        key_variable: str = "OPENAI_API_KEY",
        timeout_s: float = 600.0,
    ) -> None:
        self.url = url.rstrip("/")
        self.model = model or ""
        self._key = os.environ.get(key_variable, "").strip()
        self._timeout_s = timeout_s
        self._client: Client
        self._words_per_token, self._overhead = 1.0, 0.0

    async def __aenter__(self) -> Self:
        """Find the model, and how long prompts get.

        Raises:
            EngineError: If the server does not answer as an OpenAI-compatible one.
        """
        self._client = Client(self.url, self._key)
        try:
            self.model = self.model or await self._first_model()
            few, many = [await self._length(words) for words in (50, 250)]
        except (Trouble, OtherModel) as trouble:
            await self._client.close()
            words = f"{trouble}: {trouble.words[:300]}" if isinstance(trouble, Refusal) else str(trouble)
            if self._key:
                words = words.replace(self._key, "***")
            raise EngineError(
                f"The server at {self.url} does not answer as an OpenAI-compatible one: {words}. Give its base URL "
                "with /v1, the served model's name with --model, and the key in the environment."
            ) from None
        if many > few:
            self._words_per_token = 200 / (many - few)
            self._overhead = few - 50 / self._words_per_token
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def _first_model(self) -> str:
        status, page = await self._client.page(f"{self.url}/models")
        try:
            return str(loads(page)["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise BadAnswer(f"no list of models (HTTP {status})") from None

    async def _length(self, words: int) -> int:
        """Return the tokens of a prompt of so many words, by the server's own count."""
        turns = [{"role": "user", "content": _text(words, 0)}]
        lengths = [
            piece.prompt_tokens
            async for piece in self._ask(turns, Load(1, 1, concurrency=1, ignore_eos=False), 0)
        ]
        return max(lengths, default=0)

    async def stream(self, prompt: Prompt, load: Load) -> AsyncIterator[Piece]:
        """Answer one prompt of a load, piece by piece."""
        turns: list[dict[str, str]] = [
            {"role": turn.role, "content": turn.content} for turn in prompt.messages
        ]
        if not turns:
            words = round((prompt.tokens - self._overhead) * self._words_per_token)
            turns = [{"role": "user", "content": _text(max(1, words), prompt.seed)}]
        async for piece in self._ask(turns, load, prompt.seed):
            yield piece

    async def _ask(self, turns: list[dict[str, str]], load: Load, seed: int) -> AsyncIterator[Piece]:
        extra: Mapping[str, Any] = {"ignore_eos": True} if load.ignore_eos else {}
        body = dumps(
            {
                "model": self.model,
                "messages": turns,
                "max_tokens": load.output_tokens,
                "temperature": load.temperature,
                "seed": seed,
                "stream": True,
                "stream_options": {"include_usage": True},
                **extra,
            }
        )
        arrived: asyncio.Queue[int | None] = asyncio.Queue()
        expected = Expectation(None, load.output_tokens, hides_reasoning=True)
        streamed = StreamedAnswer(expected, arrived.put_nowait)
        asking = asyncio.ensure_future(
            self._client.ask("/chat/completions", body, streamed.most_bytes, streamed.feed)
        )
        asking.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while True:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        pieces = await arrived.get()
                except TimeoutError:
                    raise Silence from None
                if pieces is None:
                    break
                for _ in range(pieces):
                    yield Piece(1)
            await asking
            usage: Json = streamed.usage
            if isinstance(usage, dict):
                yield Piece(0, count(usage.get("prompt_tokens")) or 0, count(usage.get("completion_tokens")))
        finally:
            asking.cancel()

    async def refresh(self) -> None:
        """Do nothing: the server keeps its own cache, and random prompts never repeat."""

    async def speculation(self) -> SpeculativeCounts | None:
        """Return what a vLLM server's ``/metrics`` count; None of others."""
        try:
            status, page = await self._client.page(f"{self._client.root}/metrics")
        except Trouble:  # other servers have no such page
            return None
        return parse_metrics(page.decode(errors="replace")) if status == 200 else None


def _text(words: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choices(_WORDS, k=words))
