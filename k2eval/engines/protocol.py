"""The contract of engines, which turn requests into generations."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self, runtime_checkable

from pydantic import Field

from k2eval.journal import WeightsRecord
from k2eval.records import Generation, Json, Note, ReasoningFormat, Record, Request, SpeculativeCounts


class EngineInfo(Record):
    """Identity and settings of an engine, as a run directory keeps them."""

    name: str
    """The model's name as the user gave it."""
    fingerprint: str
    """Changes when the checkpoint changes; part of every generation's key."""
    commit: str | None = None
    """The commit of a model on the hub."""
    engine: str
    """Engine, version and device, such as ``vllm 0.32.0 (cpu)``."""
    honours_seeds: bool
    """Whether the same request with the same seed gives the same tokens, independent of other requests."""
    device: str = ""
    """The cards or the processor that compute, such as ``2 × NVIDIA H200``; empty if unknown."""
    weights: WeightsRecord | None = None
    """The kind and the size of the checkpoint's weights; None if unknown."""
    context: int | None = None
    """Longest prompt plus answer in tokens; None if unknown."""
    reasoning: ReasoningFormat = ReasoningFormat()
    """The marks around the checkpoint's reasoning."""
    reasoning_from: str = ""
    """How that was found, such as ``found in the chat template``."""
    settings: dict[str, Json] = Field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    """A missing chat template, a server that was left out …"""
    speculation: SpeculativeCounts | None = None
    """All that the engine drafted and accepted since it started; None if it does not count that."""
    stage: str = ""
    """The engine's activity while it starts, such as ``loading weights``; empty if it does not tell."""
    log: Path | None = None
    """The file that takes what the engine prints."""
    swapped_from: str | None = None
    """The checkpoint that answered before through the same running engine, if its weights were replaced in place."""
    plan: str = ""
    """The number of replicas and its reason, of an engine that has several."""


class Engine(Protocol):
    """Turns requests into generations. Entering starts it, leaving stops it.

    ``generate`` may be awaited many times at once; the engine batches as it sees fit. It raises
    `PromptTooLong` for a prompt that can never fit and
    `EngineError` when it has given up on a request.
    """

    @property
    def capacity(self) -> int:
        """Number of requests in flight that keep the engine full; it may change while the engine answers."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def info(self) -> EngineInfo:
        """Identity and settings; complete once the engine has been entered."""
        ...

    async def generate(self, request: Request) -> Generation:
        """Answer one request."""
        ...


class Demand(NamedTuple):
    """All that an engine will be asked before it ends."""

    requests: int
    """All requests, and so the most that can be in flight at any time."""
    tokens: float
    """Output tokens of all requests together."""
    basis: str
    """The basis of ``tokens`` in words, such as ``at most``."""
    eager: bool | None = None
    """Whether an earlier start of the run answered without compilation and graphs; None if none answered anything."""


@runtime_checkable
class Anticipates(Protocol):
    """An engine whose start depends on what it will be asked."""

    def anticipate(self, demand: Demand) -> None:
        """Take notice of the demand; call it before the engine starts, and only if nothing else will be asked."""
        ...


@runtime_checkable
class Reports(Protocol):
    """An engine to which things happen that the user should see at once."""

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with one line for each of them."""
        ...


@runtime_checkable
class Supervised(Protocol):
    """An engine that shows whether it works."""

    @property
    def progress(self) -> int:
        """A number that grows while the engine works on requests."""
        ...

    @property
    def is_dead(self) -> bool:
        """Whether it has died, so that it answers nothing more."""
        ...


@runtime_checkable
class Succeeds(Engine, Protocol):
    """An engine, not started yet, that can go on with a running one: with the weights of its own checkpoint."""

    @property
    def start_s(self) -> float:
        """Duration of the start of the running engine in seconds."""
        ...

    def obstacle(self, running: Engine) -> str | None:
        """Return in a few words why this engine cannot take over ``running``; None if it can."""
        ...

    async def take_over(self, running: Engine) -> None:
        """Become the running engine in place of ``running``, which answers nothing more.

        Nobody may wait for an answer of ``running``. If anything is raised, ``running`` must be left: its weights may
        be half those of another checkpoint.

        Raises:
            EngineError: If the weights cannot be replaced.
        """
        ...


@runtime_checkable
class Described(Protocol):
    """An engine whose files tell, before it starts, whether one that runs could take its weights."""

    def describe(self) -> None:
        """Read the files; they may be removed while the engine answers."""
        ...

    def unlike(self, running: Engine) -> str | None:
        """Return in a few words in what this engine differs from one that runs, or runs elsewhere; None if in nothing.

        The weights of both may differ.
        """
        ...


@runtime_checkable
class Previews(Protocol):
    """An engine that can show its prompts before it starts."""

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Return the prompt of a request as text; None if only the loaded checkpoint knows it.

        Args:
            request: The request.
            switches: Fields of its sampling that the user set and that must have an effect.

        Raises:
            ConfigError: If the prompt cannot be written, or a switch has no effect.
        """
        ...


@runtime_checkable
class Outlives(Protocol):
    """An engine that may answer several runs, and keeps notes of the one that it answers."""

    def begin_run(self) -> None:
        """Forget what was noted of the runs before."""
        ...


@runtime_checkable
class SharesProcessors(Protocol):
    """An engine that computes on the processors on which answers are graded."""

    async def leave_time(self, wanted: bool) -> None:
        """Leave time to the graders while ``wanted``, even if the engine itself becomes a little slower."""
        ...
