"""What a load asks of whatever answers it, piece by piece: the seam between engines and measurements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from k2eval.records import Message, SpeculativeCounts


class Piece(NamedTuple):
    """What arrived at once."""

    tokens: int
    """New output tokens; 0 for a piece that only closes the answer."""
    prompt_tokens: int = 0
    """Length of the prompt, where the piece tells."""
    total: int | None = None
    """Output tokens in all, where a server counts them only at the end."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of ``tokens`` random tokens, or real ``messages``."""

    tokens: int = 0
    messages: tuple[Message, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """How requests come, and what each of them asks.

    Exactly one of ``concurrency`` and ``rate`` is set.
    """

    requests: int
    output_tokens: int
    input_tokens: int = 0
    """Of random prompts; 0 where prompts are a task's questions."""
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
    """What a load can be put on."""

    def stream(self, prompt: Prompt, load: Load) -> AsyncIterator[Piece]:
        """Answer one prompt, piece by piece."""
        ...

    async def refresh(self) -> None:
        """Forget cached prefixes, where that can be asked for."""
        ...

    async def speculation(self) -> SpeculativeCounts | None:
        """What was drafted and accepted since the start."""
        ...
