"""The life of one place in a fleet: its replica starts, serves, is lost, and starts again, with a limit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from k2eval.engines.fleet.events import Event, EventKind, Events
from k2eval.engines.fleet.gate import ReplicaGate
from k2eval.engines.fleet.member import Ending, Member
from k2eval.engines.fleet.protocol import FleetSettings, Health, Replica, ReplicaLost, Supply
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import ConfigError, EngineError
from k2eval.system import finished

_SLOWER = 20
"""An answer may take this many times the longest one before the replica counts as hanging, if answers alone show
progress."""
_LONGEST_PAUSE_S = 300.0
"""Longest pause before a new start, however many there may be."""
_TRIALS = 6
"""Trials in a row after which a replica that has no answer is ended, if others have some; they take five minutes."""


class Slot:
    """One place of a fleet.

    Args:
        number: The number of its replicas.
        supply: Makes the replicas.
        gate: The gate that takes the replica while it is up.
        events: The events of the fleet.
        settings: The patience of the fleet.
        welcome: Raises ConfigError if an engine is not that of the fleet.
    """

    def __init__(
        self,
        number: int,
        supply: Supply,
        gate: ReplicaGate,
        events: Events,
        settings: FleetSettings,
        welcome: Callable[[EngineInfo], None],
    ) -> None:
        self.number = number
        self.replica = supply.replica(number)
        """The one that serves, starts, or was the last."""
        self.left = False
        """Whether the last replica left in order."""
        self.error: EngineError | ConfigError | None = None
        """The reason for which the last start failed."""
        self._member: Member | None = None
        self._start_s = 0.0
        self._swapping: Member | None = None
        self._is_unswapped = False
        self._supply = supply
        self._gate = gate
        self._events = events
        self._settings = settings
        self._welcome = welcome

    async def serve(self) -> None:
        """Start replicas one after the other, until one leaves in order or none may be started any more."""
        restarts = 0
        while True:
            served_s = await self._serve_once()
            if self.left or isinstance(self.error, ConfigError):
                return
            if self._is_unswapped:  # the next start is the first of these weights
                restarts, self._is_unswapped = 0, False
                self.replica = self._supply.replica(self.number)
                continue
            restarts = 1 if served_s >= self._settings.steady_s else restarts + 1
            if restarts > self._settings.restarts:
                reason = f"{self._settings.restarts} new starts did not help"
                self._events.add(Event(EventKind.GIVEN_UP, self.replica.name, reason))
                return
            await asyncio.sleep(min(self._settings.backoff_s * 2 ** (restarts - 1), _LONGEST_PAUSE_S))
            self.replica = self._supply.replica(self.number)

    @property
    def is_up(self) -> bool:
        """Whether its replica takes requests."""
        return self._member is not None and self._member.accepts

    @property
    def is_leaving(self) -> bool:
        """Whether its replica is on its way to leave in order."""
        return self._member is not None and not self._member.accepts and self._member.ending is None

    async def swap(
        self, supply: Supply, events: Events, settings: FleetSettings, welcome: Callable[[EngineInfo], None]
    ) -> str | None:
        """Let the replica that is up go on with the weights of another checkpoint.

        If it cannot, call `start_anew`, or end the slot. A swap may take as long as the start has taken, and the time
        after which a replica hangs.

        Args:
            supply: Makes the replicas from now on.
            events: The events from now on.
            settings: The patience from now on.
            welcome: Raises ConfigError if an engine is not that of the fleet.

        Returns:
            In words why it cannot; None if it has other weights now.
        """
        self._supply, self._events, self._settings, self._welcome = supply, events, settings, welcome
        self._swapping = member = self._member
        if member is None:
            return "it was lost meanwhile"
        successor = supply.replica(self.number)
        try:
            async with asyncio.timeout(self._start_s + settings.hang_s):
                info = await successor.take_over(member.replica)
            self.replica = member.replica = successor
            welcome(info)
        except TimeoutError:
            return f"not done in {self._start_s + settings.hang_s:.0f} s"
        except (EngineError, ConfigError) as error:
            return _first_line(error)
        member.info = info
        return None

    def start_anew(self, reason: str) -> None:
        """End the replica, which cannot swap its weights, and start another one with the new ones."""
        if self._member is not None and self._member is self._swapping:  # not lost meanwhile
            self._is_unswapped = True
            self._gate.discard(self._member)
            self._member.lose(Ending(EventKind.UNSWAPPED, reason))

    async def _serve_once(self) -> float:
        """Start one replica and look after it to its end; return the seconds that it served."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            info = await self._start()
            if info is None:
                return 0.0
            self._member = member = Member(self.replica, info)
            since = loop.time()
            self._start_s = since - began
            self._gate.add(member)
            self._events.add(Event(EventKind.JOINED, member.name))
            ending = Ending(EventKind.LEFT, "the fleet ends")
            try:
                ending = await self._watch(member)
            finally:
                self._member = None
                self._gate.remove(member)
                member.lose(ending)
            self.left = ending.kind is EventKind.LEFT
            self._events.add(Event(ending.kind, member.name, ending.reason, member.unfinished))
            return loop.time() - since
        finally:
            await finished(closed(self.replica, self._settings.health_s))  # else its room would stay taken

    async def _start(self) -> EngineInfo | None:
        self.error = None
        try:
            info = await self._started()
            self._welcome(info)
            return info
        except ConfigError as error:
            self.error = error
            self._events.add(Event(EventKind.REFUSED, self.replica.name, _first_line(error)))
        except EngineError as error:
            self.error = error
            self._events.add(Event(EventKind.FAILED, self.replica.name, _first_line(error)))
        return None

    async def _started(self) -> EngineInfo:
        """Start the replica. Time in which it waits for a place does not count."""
        starting = asyncio.ensure_future(self.replica.start())
        left_s = self._settings.start_s
        try:
            while not starting.done():
                if left_s <= 0:
                    raise EngineError(f"{self.replica.name} has not started in {self._settings.start_s:g} s.")
                await asyncio.wait([starting], timeout=self._settings.look_s)
                left_s -= self._settings.look_s if self.replica.is_placed else 0
            return starting.result()
        finally:
            starting.cancel()

    async def _watch(self, member: Member) -> Ending:
        """Look after a replica until it is lost or has left."""
        signs = _Signs(member, self._gate, self._settings.look_s + self._settings.health_s)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.look_s):
                    await member.changed.wait()
            member.changed.clear()
            if member.ending:
                return member.ending
            if not member.accepts:
                return await self._drain(member, "asked to leave")
            try:
                async with asyncio.timeout(self._settings.health_s):
                    health = await member.replica.health()
            except TimeoutError:
                health = None
            except ReplicaLost as lost:
                return member.ending or Ending(EventKind.DIED, str(lost))
            if health is not None:
                member.info = health.info
                if health.leaving:
                    member.leave()
                    return await self._drain(member, health.leaving)
            if member.failures:
                self._gate.let_in()  # its rest may be over
                if member.failures >= _TRIALS and self._gate.fails_alone(member):
                    return Ending(EventKind.USELESS, member.failure)
            silent_s = signs.silence_after(health)
            if silent_s >= signs.patience_s(self._settings.hang_s, health):
                many = f"{member.in_flight} request{'' if member.in_flight == 1 else 's'}"
                return Ending(EventKind.HUNG, f"{many} without progress for {silent_s:.0f} s")

    async def _drain(self, member: Member, reason: str) -> Ending:
        """Wait until a replica has finished its requests, for a time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.drain_s
        while member.in_flight and not member.ending and loop.time() < end:
            try:
                async with asyncio.timeout_at(end):
                    await member.changed.wait()
            except TimeoutError:
                break
            member.changed.clear()
        if not member.ending:
            await self._last_look(member)
        return member.ending or Ending(EventKind.LEFT, reason)

    async def _last_look(self, member: Member) -> None:
        """Learn its last notes and counts."""
        try:
            async with asyncio.timeout(self._settings.health_s):
                member.info = (await member.replica.health()).info
        except (TimeoutError, ReplicaLost):
            return


class _Signs:
    """The signs of life of a replica that has requests."""

    def __init__(self, member: Member, gate: ReplicaGate, most_s: float) -> None:
        self._most_s = most_s  # between two looks; more have passed if this process did not run
        self._member = member
        self._gate = gate
        self._last: tuple[int, int | None] | None = None
        self._looked = asyncio.get_running_loop().time()
        self._silent_s = 0.0
        self._progress: int | None = None

    def silence_after(self, health: Health | None) -> float:
        """Return the seconds without a sign; those in which it had nothing to do do not count.

        So a replica that hangs is found although idle ones answer its requests.
        """
        now = asyncio.get_running_loop().time()
        passed_s, self._looked = min(now - self._looked, self._most_s), now
        if health is not None:
            self._progress = health.progress
        sign = (self._member.answered, self._progress)
        if sign != self._last:
            self._last, self._silent_s = sign, 0.0
        elif health is None or self._member.in_flight:
            self._silent_s += passed_s
        return self._silent_s

    def patience_s(self, hang_s: float, health: Health | None) -> float:
        """Return the silence after which it hangs.

        A replica whose answers alone show progress may be a slow one, so the longest answers of all count, too.
        """
        if health is None or health.progress is not None:
            return hang_s
        longest = max((member.longest_s for member in self._gate.members), default=0.0)
        return max(hang_s, _SLOWER * longest)


async def closed(replica: Replica, limit_s: float) -> None:
    """End a replica; one that cannot be ended in time is left to its own machine."""
    closing: Awaitable[None] = replica.close()
    try:
        async with asyncio.timeout(limit_s):
            await closing
    except TimeoutError:
        return


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
