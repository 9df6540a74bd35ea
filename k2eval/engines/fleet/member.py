"""One replica as a fleet sees it: its requests, and the moment at which it is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from k2eval.engines.fleet.events import EventKind
from k2eval.engines.fleet.protocol import Replica, ReplicaLost
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError, EngineGaveUp, PromptTooLong
from k2eval.records import Generation, Request

_KEPT = 0.95
"""Weight of the answers before each answer in the pace."""
_RESTS_S = 10.0
"""Rest of a replica that had no answer, in which others are asked; it doubles after each trial in vain."""
_RESTS_AT_MOST_S = 300.0


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a replica, and its reason."""

    kind: EventKind
    reason: str


@dataclass(slots=True, eq=False)
class Flight:
    """A request that a replica works on."""

    request: Request
    since: float
    """Time on the loop's clock at which it was sent."""
    bound: asyncio.Timeout
    """Ends the wait for the replica's answer."""
    hedge: asyncio.Task[None] | None = None
    """Asks another replica for the same answer."""
    answer: Generation | None = None
    """The other one's answer."""

    def land(self, answer: Generation) -> None:
        """Take another replica's answer, and end the wait."""
        self.answer = answer
        self.release()

    def release(self) -> None:
        """End the wait with the next turn of the loop."""
        self.bound.reschedule(asyncio.get_running_loop().time())


@dataclass(slots=True, eq=False)
class Member:
    """A replica that is up.

    Only this count of requests decides who gets the next one, so nothing queues inside the replica beyond its window.
    """

    replica: Replica
    info: EngineInfo
    in_flight: int = 0
    answered: int = 0
    longest_s: float = 0.0
    """Longest time that an answer took."""
    accepts: bool = True
    """Whether it gets further requests."""
    ending: Ending | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once someone should look at the replica at once."""
    unfinished: int = 0
    """Number of requests that were unfinished when it was lost."""
    flights: set[Flight] = field(default_factory=set)
    """Requests that it works on."""
    failures: int = 0
    """Trials in a row to which its engine had no answer; those that fail during one rest are part of the one before."""
    failure: str = ""
    """The reason of the last one."""
    _rests_until: float = 0.0
    _tokens: float = 0.0
    _seconds: float = 0.0

    @property
    def name(self) -> str:
        """The replica's name."""
        return self.replica.name

    @property
    def room(self) -> int:
        """Number of requests that it takes now."""
        return self.replica.window - self.in_flight if self.accepts else 0

    @property
    def load(self) -> float:
        """Requests in flight as a share of the window."""
        return self.in_flight / self.replica.window

    @property
    def pace(self) -> float:
        """Tokens per second of one request, mean of the last answers; 0 if there are none."""
        return self._tokens / self._seconds if self._seconds else 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it does not rest; after a rest, a single request tries it."""
        if not self.failures:
            return True
        return not self.in_flight and asyncio.get_running_loop().time() >= self._rests_until

    async def ask(self, request: Request) -> Generation:
        """Answer one request.

        Raises:
            ReplicaLost: If the replica was lost before it had answered.
            EngineError: If the replica has no answer.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        if self.ending:  # lost between the dispatch and this call
            raise ReplicaLost(self.ending.reason)
        try:
            async with asyncio.timeout(None) as bound:
                flight = Flight(request, started, bound)
                self.flights.add(flight)
                try:
                    generation = await self.replica.generate(request)
                finally:
                    self.flights.discard(flight)
                    if flight.hedge:
                        flight.hedge.cancel()
        except TimeoutError:
            if flight.answer is not None:
                return flight.answer
            self.lose(Ending(EventKind.DIED, "a connection timed out"))  # unless it was lost already
            assert self.ending is not None
            raise ReplicaLost(self.ending.reason) from None
        except ReplicaLost as lost:
            self.lose(Ending(EventKind.DIED, str(lost)))
            raise
        except (EngineGaveUp, PromptTooLong):
            raise
        except EngineError as error:
            self._rest(str(error))
            raise
        fault = fault_of(generation, request)
        if fault:
            self.lose(Ending(EventKind.NONSENSE, fault))
            raise ReplicaLost(fault)
        seconds = loop.time() - started
        self.failures, self._rests_until = 0, 0.0
        self.answered += 1
        self.longest_s = max(self.longest_s, seconds)
        self._tokens = _KEPT * self._tokens + generation.output_tokens
        self._seconds = _KEPT * self._seconds + seconds
        return generation

    def _rest(self, failure: str) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._rests_until:
            self.failures += 1
            self._rests_until = now + min(_RESTS_S * 2 ** (self.failures - 1), _RESTS_AT_MOST_S)
        self.failure = failure

    def lose(self, ending: Ending) -> None:
        """Record why the replica is lost; the first reason counts. Its requests end with the next turn of the loop."""
        self.accepts = False
        if self.ending is None:
            self.ending = ending
            self.unfinished = self.in_flight
            self.release()
        self.changed.set()

    def release(self) -> None:
        """End all waits for its answers, so that others are asked."""
        for flight in self.flights:
            flight.release()

    def leave(self) -> None:
        """Ask it to finish its requests and to leave."""
        self.accepts = False
        self.changed.set()


def fault_of(generation: object, request: Request) -> str | None:
    """Return why an answer cannot be one to the request; None if it can."""
    if not isinstance(generation, Generation):
        return f"expected a generation, got {type(generation).__name__}"
    for name in ("key", "task", "question_id", "repeat_index", "stage", "seed"):
        asked, got = getattr(request, name), getattr(generation, name)
        if asked != got:
            return f"expected an answer with {name} {asked!r:.60}, got {got!r:.60}"
    if not 0 <= generation.output_tokens <= request.sampling.max_tokens:
        return f"expected at most {request.sampling.max_tokens} tokens, got {generation.output_tokens}"
    return None
