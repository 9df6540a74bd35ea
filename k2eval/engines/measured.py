"""The protocol between engines and measurements: a load's requests, and their answers piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from k2eval.records import Message, SpeculativeCounts


class Piece(NamedTuple):
    """A part of an answer that arrived at once."""

    tokens: int
    """New output tokens; 0 for a piece that only closes the answer."""
    prompt_tokens: int = 0
    """Length of the prompt, if the piece tells."""
    total: int | None = None
    """Output tokens in all, if a server counts them only at the end."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of ``tokens`` random tokens, or real ``messages``."""

    tokens: int = 0
    messages: tuple[Message, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """The way in which requests come, and the content of each.

    Exactly one of ``concurrency`` and ``rate`` is set.
    """

    requests: int
    output_tokens: int
    input_tokens: int = 0
    """Tokens of random prompts; 0 if the prompts are a task's questions."""
    concurrency: int | None = None
    """Requests in flight at any time."""
    rate: float | None = None
    """Requests per second, arriving as a Poisson process."""
    temperature: float = 1.0
    ignore_eos: bool = True
    """Answers go on to ``output_tokens`` whatever the model says."""
    seed: int = 0

    @property
    def title(self) -> str:
        """Such as ``16 at a time`` or ``2.5 per second``."""
        return f"{self.concurrency} at a time" if self.concurrency else f"{self.rate:g} per second"


class Target(Protocol):
    """An engine or server that a load can be put on."""

    def stream(self, prompt: Prompt, load: Load) -> AsyncIterator[Piece]:
        """Answer one prompt, piece by piece."""
        ...

    async def refresh(self) -> None:
        """Forget cached prefixes, if that is possible."""
        ...

    async def speculation(self) -> SpeculativeCounts | None:
        """Return the counts of speculation since the start."""
        ...
