"""The gate of a fleet: requests wait here, never in a replica, and go to the replica with the most room."""

from __future__ import annotations

import asyncio
from collections import deque

from k2eval.engines.fleet.member import Member
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError


class Gate:
    """A first-in, first-out queue of requests before the replicas that are up."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        """Replicas that are up, those that leave included."""
        self.occupied = asyncio.Event()
        """Set once the first replica is up."""
        self.most = 0
        """The most replicas that were up at once."""
        self._gone: list[EngineInfo] = []
        self._waiting: deque[asyncio.Future[Member]] = deque()
        self._closed: EngineError | None = None

    @property
    def was_up(self) -> bool:
        """Whether any replica was ever up."""
        return self.occupied.is_set()

    @property
    def infos(self) -> list[EngineInfo]:
        """The engines of all replicas, those that are gone with what they told last."""
        return [*self._gone, *(member.info for member in self.members)]

    @property
    def waiting(self) -> int:
        """Number of requests without a replica."""
        return len(self._waiting)

    @property
    def places(self) -> int:
        """Number of requests that the replicas hold at most."""
        return sum(member.replica.window for member in self.members if member.accepts)

    async def enter(self, again: bool = False) -> Member:
        """Return a replica with room, once there is one; it counts one more in flight.

        Args:
            again: Whether the request had a replica before that was lost. It waits in front.

        Raises:
            EngineError: If the gate is closed.
        """
        if self._closed:
            raise self._closed
        member = None if self._waiting else self._roomiest()
        if member is not None:
            member.in_flight += 1
            return member
        turn: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if again else self._waiting.append)(turn)
        self.let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(turn.result())
            raise

    def leave(self, member: Member) -> None:
        """Record that a request is no longer in flight."""
        member.in_flight -= 1
        if not member.accepts:
            member.changed.set()
        self.let_in()

    def let_in(self) -> None:
        """Give room to those that wait, the first ones first."""
        while self._waiting:
            if self._waiting[0].done():  # cancelled
                self._waiting.popleft()
                continue
            member = self._roomiest()
            if member is None:
                return
            member.in_flight += 1
            self._waiting.popleft().set_result(member)

    def _roomiest(self) -> Member | None:
        chosen, smallest = None, 1.0
        for member in self.members:
            if member.accepts and member.load < smallest:
                chosen, smallest = member, member.load
        return chosen

    def add(self, member: Member) -> None:
        """Let requests go to a replica."""
        self.members.append(member)
        self.most = max(self.most, len(self.members))
        self.occupied.set()
        self.let_in()

    def remove(self, member: Member) -> None:
        """Forget a replica."""
        member.accepts = False
        if member in self.members:
            self.members.remove(member)
            self._gone.append(member.info)

    def close(self, error: EngineError) -> None:
        """End with an error for all that wait and all that come."""
        self._closed = error
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error)
