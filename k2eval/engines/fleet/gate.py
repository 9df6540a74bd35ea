"""The gate of a fleet."""

from __future__ import annotations

import asyncio

from k2eval.engines.fleet.member import Member
from k2eval.engines.gate import Gate
from k2eval.engines.protocol import EngineInfo


class ReplicaGate(Gate[Member]):
    """The gate before the replicas that are up."""

    def __init__(self) -> None:
        super().__init__()
        self.members: list[Member] = []
        """Replicas that are up, those that leave included."""
        self.occupied = asyncio.Event()
        """Set once the first replica is up."""
        self.most = 0
        """The most replicas that were up at once."""
        self._gone: list[EngineInfo] = []

    @property
    def was_up(self) -> bool:
        """Whether any replica was ever up."""
        return self.occupied.is_set()

    @property
    def infos(self) -> list[EngineInfo]:
        """The engines of all replicas, those that are gone with what they told last."""
        return [*self._gone, *(member.info for member in self.members)]

    @property
    def places(self) -> int:
        """Number of requests that the replicas hold at most."""
        return sum(member.replica.window for member in self.members if member.accepts)

    def roomiest(self) -> Member | None:
        """Return the replica with the smallest load, of those that do not rest if any does not; None if these are full.

        A replica that fails at once would be the emptiest, and get every request.
        """
        members = self.members
        for member in members:
            if member.failures:
                members = [member for member in members if member.accepts and member.is_ready] or members
                break
        chosen, smallest = None, 1.0
        for member in members:
            if member.accepts and member.load < smallest:
                chosen, smallest = member, member.load
        return chosen

    def fails_alone(self, member: Member) -> bool:
        """Return whether others answer, while a replica has no answer to anything."""
        return any(
            each.answered and each.accepts and not each.failures
            for each in self.members
            if each is not member
        )

    def leave(self, member: Member) -> None:
        """Record that a request is no longer in flight."""
        super().leave(member)
        if not member.accepts:
            member.changed.set()

    def leave_after(self, member: Member, task: asyncio.Task[None]) -> None:
        """Do as `leave`; a callback of a task that is done."""
        self.leave(member)

    def add(self, member: Member) -> None:
        """Let requests go to a replica."""
        self.members.append(member)
        self.most = max(self.most, len(self.members))
        self.occupied.set()
        self.let_in()

    def renew(self) -> None:
        """Forget the replicas that are gone: those that are up have the weights of another checkpoint now."""
        self._gone.clear()
        self.most = len(self.members)

    def discard(self, member: Member) -> None:
        """Forget a replica, and what it told of the checkpoint before."""
        member.accepts = False
        self.members.remove(member)

    def remove(self, member: Member) -> None:
        """Forget a replica."""
        member.accepts = False
        if member in self.members:
            self.members.remove(member)
            self._gone.append(member.info)
