"""Replicas that follow a script, a supply of them, and a clock that needs no waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from k2eval.engines.fleet import FleetEngine, FleetSettings, Health, ReplicaLost
from k2eval.engines.protocol import EngineInfo
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineError, K2EvalError
from k2eval.records import Generation, Message, Request, Sampling

T = TypeVar("T")
Answer = Callable[[Request], str]


class _Jumping(selectors.SelectSelector):
    """Waits by moving the loop's clock."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for something that never comes"
            self.skipped += timeout
        return ready


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop in which a sleep of an hour takes no time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped


def in_no_time(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(work)


def request(number: int = 0, **sampling: Any) -> Request:
    return Request(
        key=f"key-{number}", task="t", question_id=str(number), repeat_index=0, stage="solve",
        messages=(Message(role="user", content=f"question {number}"),), sampling=Sampling(**sampling), seed=number,
    )  # fmt: skip


def text_of(request: Request) -> str:
    return f"{request.messages[0].content} with seed {request.seed}"


@dataclass(eq=False)
class ScriptedReplica:
    """A replica whose fate a test decides."""

    name: str
    window: int = 4
    delay_s: float = 1.0
    place_after_s: float = 0.0
    start_s: float = 1.0
    fails: K2EvalError | None = None
    """Raised by its start."""
    fingerprint: str = ScriptedEngine(text_of).info.fingerprint
    shows_progress: bool = False
    honours_seeds: bool = True
    answer: Callable[[Request], Any] | None = None
    close_s: float = 0.0
    swap_s: float = 1.0
    unswappable: str = ""
    """Raised by its swap."""
    swapped: ScriptedReplica | None = None
    """The replica that it took over."""
    is_placed: bool = False
    dead: str = ""
    hangs: bool = False
    """Answers nothing more, but lives."""
    deaf: bool = False
    """Does not even tell its health."""
    leaving: str = ""
    started: bool = False
    closed: bool = False
    asked: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def die(self, reason: str = "its process ended") -> None:
        self.dead = reason
        self._ended.set()

    async def start(self) -> EngineInfo:
        self.started = True
        await asyncio.sleep(self.place_after_s)
        self.is_placed = True
        await asyncio.sleep(self.start_s)
        if self.fails:
            raise self.fails
        return self._info

    @property
    def _info(self) -> EngineInfo:
        return ScriptedEngine(text_of).info.model_copy(
            update={"fingerprint": self.fingerprint, "honours_seeds": self.honours_seeds}
        )

    async def take_over(self, running: Any) -> EngineInfo:
        await asyncio.sleep(self.swap_s)
        if running.dead:
            raise ReplicaLost(running.dead)
        if self.unswappable:
            raise EngineError(self.unswappable)
        self.swapped = running
        self.is_placed = True
        return self._info

    async def generate(self, request: Request) -> Generation:
        self.asked.append(request.key)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            with_delay = 10**9 if self.hangs else self.delay_s
            try:
                await asyncio.wait_for(self._ended.wait(), with_delay)
            except TimeoutError:
                if self.hangs:
                    raise
            if self.dead:
                raise ReplicaLost(self.dead)
            if self.answer:
                return self.answer(request)  # type: ignore[no-any-return]
            return await ScriptedEngine(text_of).generate(request)
        finally:
            self._now -= 1

    async def health(self) -> Health:
        if self.deaf:
            await asyncio.sleep(10**9)
        if self.dead:
            raise ReplicaLost(self.dead)
        progress = 0 if self.hangs else int(asyncio.get_running_loop().time())
        return Health(self._info, progress if self.shows_progress else None, self.leaving)

    async def close(self) -> None:
        await asyncio.sleep(self.close_s)
        self.closed = True
        self._ended.set()


class ScriptedSupply:
    """A supply whose replicas a test has prepared.

    Args:
        wanted: Number of replicas.
        make: Returns the replica of a number; called with the number, and how many had that number before.
    """

    def __init__(self, wanted: int, make: Callable[[int, int], ScriptedReplica] | None = None) -> None:
        self.number = wanted
        self.made: list[ScriptedReplica] = []
        self.is_open = False
        self.grows = False
        """Whether a place has just come."""
        self.heir_of: ScriptedSupply | None = None
        self._make = make or (lambda number, before: ScriptedReplica(f"replica {number}"))
        self._before: dict[int, int] = {}

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    def unlike(self, running: Any) -> str | None:
        return None if self.number == running.number else "other replicas"

    def inherit(self, running: Any) -> None:
        self.heir_of = running

    async def wanted(self, departed: int) -> int:
        return self.number - departed

    def has_grown(self) -> bool:
        has_grown, self.grows = self.grows, False
        return has_grown

    def replica(self, number: int) -> ScriptedReplica:
        before = self._before.get(number, 0)
        self._before[number] = before + 1
        made = self._make(number, before)
        self.made.append(made)
        return made


class Checkpoint(ScriptedEngine):
    """A prototype that can tell whether another one could swap with it: if it is of the same kind."""

    def __init__(self, name: str = "scripted", kind: str = "") -> None:
        super().__init__(text_of, name=name)
        self.kind = kind
        self.described = False

    def describe(self) -> None:
        self.described = True

    def unlike(self, running: Any) -> str | None:
        assert running.described
        self.describe()
        return None if self.kind == running.kind else "another config.json"


def fleet(supply: ScriptedSupply, prototype: Checkpoint | None = None, **settings: Any) -> FleetEngine:
    return FleetEngine(prototype or Checkpoint(), supply, FleetSettings(**settings))


async def ask_all(engine: FleetEngine, count: int, first: int = 0) -> list[Generation]:
    return await asyncio.gather(*(engine.generate(request(number)) for number in range(first, first + count)))


def right(generations: list[Generation]) -> bool:
    """Whether each answers its request, in order, with the text that one engine would give."""
    return all(
        (generation.key, generation.text) == (request(number).key, text_of(request(number)))
        for number, generation in enumerate(generations)
    )
