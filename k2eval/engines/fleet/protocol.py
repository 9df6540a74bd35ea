"""The contracts of a fleet: its replicas, and the supply that makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError
from k2eval.records import Generation, Request


class ReplicaLost(EngineError):
    """A replica has died or cannot be reached; its requests can be asked elsewhere."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a replica that answers for itself."""

    info: EngineInfo
    """Its engine as it is now: notes and counts of speculation grow."""
    progress: int | None = None
    """A number that grows while the replica works on requests; None if it counts its answers only."""
    leaving: str = ""
    """The reason for which it will end soon, such as ``SIGTERM``; empty if it stays."""


class Replica(Protocol):
    """One engine of a fleet, in a process of its own, here or elsewhere."""

    name: str
    """The name for people, such as ``replica 2``."""
    window: int
    """Most requests that it gets at once; final after its start."""
    is_placed: bool
    """Whether it has a place to run. A start waits for one as long as the fleet lets it."""

    async def start(self) -> EngineInfo:
        """Start, and return the identity of the engine.

        Raises:
            ConfigError: If a setting is wrong, so that no replica can start.
            EngineError: If it cannot start.
        """
        ...

    async def take_over(self, running: Replica) -> EngineInfo:
        """Go on with the engine of a running replica, with the weights of this one, instead of a start.

        If anything is raised, ``running`` must be closed: its weights may be half those of another checkpoint.

        Raises:
            ReplicaLost: If the running replica is gone.
            EngineError: If its weights cannot be replaced.
        """
        ...

    async def generate(self, request: Request) -> Generation:
        """Answer one request.

        Raises:
            ReplicaLost: If the replica is gone.
            EngineError: If the replica lives, but has no answer.
        """
        ...

    async def health(self) -> Health:
        """Return the state.

        Raises:
            ReplicaLost: If the replica is gone.
        """
        ...

    async def close(self) -> None:
        """End now, whatever it does; never raises an error of the replica's."""
        ...


class Supply(Protocol):
    """The maker of replicas, which knows how many there is room for."""

    async def open(self) -> None:
        """Prepare the place where replicas run.

        Raises:
            ConfigError: If there is no such place.
        """
        ...

    async def close(self) -> None:
        """Release the place."""
        ...

    def unlike(self, running: Supply) -> str | None:
        """Return in a few words why replicas of an open supply cannot become those of this one; None if they may."""
        ...

    def inherit(self, running: Supply) -> None:
        """Know, before it opens, what has left an open supply whose replicas become those of this one."""
        ...

    async def wanted(self, departed: int) -> int:
        """Return the number of replicas that there should be now.

        Args:
            departed: Number of replicas that left in order.
        """
        ...

    def has_grown(self) -> bool:
        """Return whether a place has come since the last call: numbers that were given up are worth another try."""
        ...

    def replica(self, number: int) -> Replica:
        """Return a replica that is not started yet.

        Args:
            number: Its number, from 0; that of its predecessor if it replaces one that was lost.
        """
        ...


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """The patience of a fleet, in seconds and counts."""

    restarts: int = 3
    """Most starts in a row of a replica that was lost, none of which served for ``steady_s``."""
    hang_s: float = 300.0
    """Without any progress for this time, a replica with requests counts as hanging."""
    drain_s: float = 120.0
    """Time for a replica that leaves to finish its requests; the others take what is left."""
    wait_s: float = 600.0
    """Time to wait for a place for a replica while none is up."""
    start_s: float = 3600.0
    """Longest start of one replica that has a place."""
    look_s: float = 2.0
    """Time between two looks at each replica, and at the number of replicas that there should be."""
    health_s: float = 30.0
    """Longest wait for a replica's word about itself."""
    backoff_s: float = 1.0
    """Pause before the first new start; it doubles with each one, up to five minutes."""
    steady_s: float = 600.0
    """A replica that served for so long has its restarts forgiven."""
    losses: int = 5
    """A request that was lost with so many replicas is given up; it may be what ends them."""
