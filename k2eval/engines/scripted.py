"""An engine that answers from a script, for tests and for rehearsals without a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from k2eval.engines.begun import beginning
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import ConfigError
from k2eval.reasoning import AUTO, Detection
from k2eval.records import Generation, Request, digest

Script = Callable[[Request], str]
"""Answers a request with text. Raising an `EngineError` plays a failing engine."""


class ScriptedEngine:
    """Answers every request with what ``script`` returns, after ``delay_s`` seconds.

    A text longer than ``max_tokens`` words is cut and finishes with ``length``; one token is one word.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        delay_s: float = 0.0,
        capacity: int = 64,
        context: int | None = None,
        reasoning: Detection | None = None,
    ) -> None:
        self.capacity = capacity
        self.requests: list[Request] = []
        """All requests seen, in order of arrival."""
        self._script = script
        self._delay_s = delay_s
        self._info = EngineInfo(
            name=name,
            fingerprint=digest("scripted", name),
            engine="scripted",
            honours_seeds=True,
            context=context,
            reasoning=reasoning.form if reasoning else AUTO,
            reasoning_from=reasoning.place if reasoning else "",
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def info(self) -> EngineInfo:
        """Identity of the script: its name alone."""
        return self._info

    async def generate(self, request: Request) -> Generation:
        """Answer one request from the script."""
        self.requests.append(request)
        await asyncio.sleep(self._delay_s)
        text = self._script(request)
        if not isinstance(text, str):
            raise ConfigError(
                f"The script of the engine {self._info.name}: expected a text, got {type(text).__name__} for stage "
                f"{request.stage} of question {request.question_id!r:.100}. Return a str."
            )
        words = text.split(" ")
        cut = len(words) > request.sampling.max_tokens
        return Generation.answering(
            request,
            text=" ".join(words[: request.sampling.max_tokens]) if cut else text,
            finish_reason="length" if cut else "stop",
            prompt_tokens=sum(len(message.content.split()) for message in request.messages),
            output_tokens=min(len(words), request.sampling.max_tokens),
            queue_s=0.0,
            ttft_s=self._delay_s,
            duration_s=self._delay_s,
            model=self._info.name,
            **self._prefill(request),
        )

    def _prefill(self, request: Request) -> dict[str, str]:
        """Return the beginning of an answer that the script goes on with."""
        if request.begun is None:
            return {}
        return {"prefill": beginning(request, self._info.reasoning, lambda text: text.split(" "), " ".join)}


def from_file(
    path: Path, *, delay_s: float = 0.0, capacity: int = 64, reasoning: Detection | None = None
) -> ScriptedEngine:
    """Make a scripted engine that reads its answers from JSON lines.

    Each line is ``{"match": "text in the prompt", "responses": ["…", …]}``. The first line whose ``match`` occurs in
    the prompt answers. Its responses are taken in turn by repeat index. ``match`` may be empty.

    Raises:
        ConfigError: If the file cannot be read, a line has another form, or a setting is no number.
    """
    for name, value, least in (("delay_s", delay_s, 0), ("capacity", capacity, 1)):
        kinds = (int, float) if name == "delay_s" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < 1e9:
            raise ConfigError(f"engine.{name}: expected a number from {least}, got {value!r:.100}.")
    rules: list[tuple[str, Sequence[str]]] = []
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Cannot read the script {path}: {reason}. The scripted engine takes its answers from the file that "
            'model names, lines {"match": "…", "responses": ["…"]}.'
        ) from error
    for number, line in enumerate(lines, start=1):
        try:
            rule = json.loads(line)
            match, responses = rule["match"], rule["responses"]
            if not isinstance(match, str) or not isinstance(responses, list) or not responses:
                raise TypeError("another shape")
            if not all(isinstance(text, str) for text in responses):
                raise TypeError("a response that is no text")
            rules.append((match, responses))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(
                f'{path}:{number}: expected {{"match": "…", "responses": ["…"]}}, got {line[:80]!r}. Correct the line.'
            ) from error

    def script(request: Request) -> str:
        prompt = "\n".join(message.content for message in request.messages)
        for match, responses in rules:
            if match in prompt:
                return responses[request.repeat_index % len(responses)]
        return ""

    return ScriptedEngine(script, name=path.name, delay_s=delay_s, capacity=capacity, reasoning=reasoning)
