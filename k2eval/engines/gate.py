"""The gate before several replicas or servers: requests wait here, never there, and go where there is most room."""

from __future__ import annotations

import asyncio
import heapq
from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, Protocol, TypeVar

from k2eval.errors import EngineError


class HasRequests(Protocol):
    """Something that answers requests."""

    in_flight: int
    """Number of requests that it works on."""


T = TypeVar("T", bound=HasRequests)


class _Rank(NamedTuple):
    is_new: bool
    priority: int
    number: int


class Gate(ABC, Generic[T]):
    """A queue of requests: the smallest priority first, and first in, first out among equal ones.

    Those that left a place without an answer wait in front.

    Only the count of requests that passed here decides who gets the next one. So a slow place gets few, one that
    joins is filled at once, and one that goes costs only its unfinished requests.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[_Rank, asyncio.Future[T]]] = []
        """A heap."""
        self._cancelled = 0
        """Requests that were cancelled since the heap was last made anew."""
        self._entered = 0
        self._closed: EngineError | None = None

    @abstractmethod
    def roomiest(self) -> T | None:
        """Return the place with the most room; None if all are full."""

    @property
    def waiting(self) -> int:
        """Number of requests without a place."""
        return sum(not turn.done() for _, turn in self._waiting)

    async def enter(self, again: bool = False, priority: int = 0) -> T:
        """Return a place with room, once there is one; it counts one more in flight.

        Args:
            again: Whether the request had a place before that did not answer it.
            priority: The priority of the request; see `k2eval.records.Request`.

        Raises:
            EngineError: If the gate is closed.
        """
        if self._closed:
            raise self._closed
        place = None if self._waiting else self.roomiest()
        if place is not None:
            place.in_flight += 1
            return place
        turn: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._entered += 1
        heapq.heappush(self._waiting, (_Rank(not again, priority, self._entered), turn))
        self.let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget_cancelled()
            elif turn.done() and turn.exception() is None:
                self.leave(turn.result())
            raise

    def _forget_cancelled(self) -> None:
        """Make the heap anew once half of it may be cancelled, lest these pile up while all places are full."""
        self._cancelled += 1
        if 2 * self._cancelled > len(self._waiting):
            self._waiting = [entry for entry in self._waiting if not entry[1].done()]
            heapq.heapify(self._waiting)
            self._cancelled = 0

    def leave(self, place: T) -> None:
        """Record that a request is no longer in flight."""
        place.in_flight -= 1
        self.let_in()

    def let_in(self) -> None:
        """Give room to those that wait, the first ones first."""
        while self._waiting:
            _, turn = self._waiting[0]
            if turn.done():  # cancelled
                heapq.heappop(self._waiting)
                continue
            place = self.roomiest()
            if place is None:
                return
            place.in_flight += 1
            heapq.heappop(self._waiting)
            turn.set_result(place)

    def close(self, error: EngineError) -> None:
        """End with an error for all that wait and all that come."""
        self._closed = error
        while self._waiting:
            _, turn = self._waiting.pop()
            if not turn.done():
                turn.set_exception(error)
