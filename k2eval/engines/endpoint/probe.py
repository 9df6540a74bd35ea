"""An OpenAI-compatible server under measurement: chat completions, streamed."""

from __future__ import annotations

import os
import random
import re
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

from k2eval.engines.measured import Load, Piece, Prompt
from k2eval.errors import EngineError
from k2eval.records import SpeculativeCounts

_WORDS = (
    "time",
    "people",
    "way",
    "water",
    "words",
    "day",
    "part",
    "number",
    "sound",
    "work",
    "place",
    "year",
)
_COUNTER = re.compile(r"^vllm:spec_decode_num_(\w+?)_total(\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


class ServedProbe:
    """Measures a server. Entering finds its model and how many tokens a random word takes.

    Args:
        url: Base URL, such as ``http://localhost:8000/v1``.
        model: Name it serves; the first one it lists where None.
        key_variable: Environment variable with the API key.
        timeout_s: Seconds without an answer after which a request has failed.
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
        self._key = os.environ.get(key_variable) or "none"
        self._timeout_s = timeout_s
        self._client: Any = None
        self._words_per_token, self._overhead = 1.0, 0.0

    async def __aenter__(self) -> Self:
        import openai

        self._client = openai.AsyncOpenAI(
            base_url=self.url, api_key=self._key, max_retries=0, timeout=self._timeout_s
        )
        try:
            if not self.model:
                self.model = (await self._client.models.list()).data[0].id
            few, many = [await self._length(count) for count in (50, 250)]
        except (openai.OpenAIError, IndexError) as error:
            await self._client.close()
            raise EngineError(
                f"The server at {self.url} does not answer as an OpenAI-compatible one: {error}. "
                "Give its base URL with /v1, the served model's name with --model, and the key in the environment."
            ) from error
        if many > few:
            self._words_per_token = 200 / (many - few)
            self._overhead = few - 50 / self._words_per_token
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def _length(self, words: int) -> int:
        """Tokens of a prompt of so many words, by the server's own count."""
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
        chunks = await self._client.chat.completions.create(
            model=self.model,
            messages=turns,
            max_tokens=load.output_tokens,
            temperature=load.temperature,
            seed=seed,
            stream=True,
            stream_options={"include_usage": True},
            extra_body=extra,
        )
        async for chunk in chunks:
            if chunk.choices and _has_text(chunk.choices[0].delta):
                yield Piece(1)
            if chunk.usage:
                yield Piece(0, chunk.usage.prompt_tokens, chunk.usage.completion_tokens)

    async def refresh(self) -> None:
        """Nothing: a server's cache is its own; random prompts never repeat."""

    async def speculation(self) -> SpeculativeCounts | None:
        """What a vLLM server's ``/metrics`` count; None of others."""
        import asyncio

        return await asyncio.to_thread(self._scrape)

    def _scrape(self) -> SpeculativeCounts | None:
        root = self.url.removesuffix("/v1")
        if not root.startswith(("http://", "https://")):
            return None
        try:
            with urlopen(f"{root}/metrics", timeout=5) as answer:
                return parse_metrics(answer.read().decode())
        except (OSError, ValueError):  # other servers have no such page
            return None


def parse_metrics(page: str) -> SpeculativeCounts | None:
    """Speculation in a Prometheus page of vLLM, summed over its engines; None where there is none."""
    sums: dict[str, int] = {}
    positions: dict[int, int] = {}
    for name, labels, value in _COUNTER.findall(page):
        if name == "accepted_tokens_per_pos":
            place = int(re.search(r'position="(\d+)"', labels)[1])  # type: ignore[index]
            positions[place] = positions.get(place, 0) + int(float(value))
        else:
            sums[name] = sums.get(name, 0) + int(float(value))
    if not sums.get("drafts"):
        return None
    return SpeculativeCounts(
        drafts=sums["drafts"],
        drafted_tokens=sums.get("draft_tokens", 0),
        accepted_tokens=sums.get("accepted_tokens", 0),
        accepted_per_position=tuple(positions[place] for place in sorted(positions)),
    )


def _has_text(delta: Any) -> bool:
    return any(getattr(delta, name, None) for name in ("content", "reasoning_content", "reasoning"))


def _text(words: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choices(_WORDS, k=words))
