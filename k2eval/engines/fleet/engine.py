"""Several replicas as one engine, which replicas join and leave while it answers."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from k2eval.engines.fleet.events import EventKind, Events
from k2eval.engines.fleet.gate import ReplicaGate
from k2eval.engines.fleet.hedging import hedges
from k2eval.engines.fleet.member import Flight, Member
from k2eval.engines.fleet.protocol import FleetSettings, ReplicaLost, Supply
from k2eval.engines.fleet.slot import Slot
from k2eval.engines.protocol import Demand, Described, Engine, EngineInfo, Previews
from k2eval.errors import ConfigError, EngineError, EngineGaveUp, EngineStopped, K2EvalError
from k2eval.records import Generation, Json, Request, SpeculativeCounts
from k2eval.statistics import add_counts
from k2eval.system import finished

_AHEAD = 17 / 16
"""Requests for each place, so that one that gets free is taken again at once. More would be ordered too early."""
_SAME = ("dtype", "quantization", "max_model_len", "speculative_config")
"""Settings that must be the same for all replicas, since they change what a checkpoint says."""


class FleetEngine:
    """An engine that answers by the replicas of a supply.

    A request goes to the replica with the most room. If the replica dies, hangs or answers nonsense, others are asked
    with the same request, and the replica starts again. The fleet stops once no replica is left.

    Args:
        prototype: The engine that the replicas run, not started; it tells the identity and shows prompts.
        supply: Makes the replicas.
        settings: The patience of the fleet.
        plan: The number of replicas and its reason, in words.
        log: The file for the output of the first replica.
    """

    def __init__(
        self,
        prototype: Engine,
        supply: Supply,
        settings: FleetSettings | None = None,
        plan: str = "",
        log: Path | None = None,
    ) -> None:
        self.events = Events()
        """All that happened to replicas."""
        self.demand: Demand | None = None
        """All that will be asked of the fleet, if that is known."""
        self._prototype = prototype
        self._supply = supply
        self._settings = settings or FleetSettings()
        self._plan = plan
        self._log = log
        self._gate = ReplicaGate()
        self._slots: dict[asyncio.Task[None], Slot] = {}
        self._numbers: set[int] = set()
        """Numbers of replicas that serve, start, or were given up."""
        self._departed = 0
        self._first: EngineInfo | None = None
        self._problem: K2EvalError | None = None
        self._unplaced_since: float | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._start_s = 0.0
        self._swapped_from: str | None = None

    @property
    def capacity(self) -> int:
        """Number of requests that keep all replicas full; it changes as they come and go."""
        return max(1, math.ceil(_AHEAD * self._gate.places))

    @property
    def replicas(self) -> int:
        """Number of replicas that are up."""
        return len(self._gate.members)

    @property
    def occupancy(self) -> float:
        """The share of places that requests hold now."""
        held = sum(member.in_flight for member in self._gate.members if member.accepts)
        return held / self._gate.places if self._gate.places else 0.0

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with a line for each event; see `k2eval.engines.protocol.Reports`."""
        self.events.listener = listener

    def anticipate(self, demand: Demand) -> None:
        """Take notice of all that will be asked; see `k2eval.engines.protocol.Anticipates`."""
        self.demand = demand

    async def __aenter__(self) -> Self:
        """Start the replicas, and return as soon as the first one is up.

        Raises:
            ConfigError: If a setting is wrong, or there is no place for replicas.
            EngineError: If no replica can start.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if isinstance(self._prototype, Described):
                self._prototype.describe()
            await self._supply.open()
            self._keeper = asyncio.create_task(self._keep())
            waiting = asyncio.create_task(self._gate.occupied.wait())
            try:
                await asyncio.wait([waiting, self._keeper], return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
            if not self._gate.was_up:
                await self._keeper  # raises the reason
            self._start_s = loop.time() - began
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await finished(self._leave(in_order=kind is None))

    async def _leave(self, in_order: bool) -> None:
        if in_order:
            await asyncio.gather(*(self._take_leave(member) for member in self._gate.members))
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._end_slots()
        await self._supply.close()

    async def _take_leave(self, member: Member) -> None:
        """Learn the last notes and counts of a replica."""
        with contextlib.suppress(TimeoutError, ReplicaLost):
            async with asyncio.timeout(self._settings.look_s):
                member.info = (await member.replica.health()).info

    @property
    def start_s(self) -> float:
        """Seconds until the first replica was up; see `k2eval.engines.protocol.Succeeds`."""
        return self._start_s

    def obstacle(self, running: Engine) -> str | None:
        """Return why these replicas cannot go on with those of another fleet; see `k2eval.engines.protocol.Succeeds`.

        Each replica looks once more, on its own node.
        """
        if not isinstance(running, FleetEngine):
            return "the engine before was another one"
        if running._keeper is None or running._keeper.done() or not running._gate.places:
            return "no replica is left"
        if not isinstance(self._prototype, Described):
            return "such engines cannot swap their weights"
        return self._supply.unlike(running._supply) or self._prototype.unlike(running._prototype)

    async def take_over(self, running: Engine) -> None:
        """Go on with the replicas of another fleet; see `k2eval.engines.protocol.Succeeds`.

        A replica that cannot swap its weights starts anew.

        Raises:
            EngineError: If no replica can swap its weights.
        """
        assert isinstance(running, FleetEngine)
        self._supply.inherit(running._supply)
        await self._supply.open()
        try:
            await running._rest()
            arguments = (self._supply, self.events, self._settings, self._welcome)
            slots = [*running._slots.values()]
            faults = await asyncio.gather(*(slot.swap(*arguments) for slot in slots))
            if None not in faults:
                raise EngineError(faults[0] if faults else "no replica is left")
            for slot, fault in zip(slots, faults, strict=True):
                if fault is not None:
                    slot.start_anew(fault)
        except BaseException:
            await running._end_slots()
            await self._supply.close()
            raise
        if running.info.fingerprint != self._prototype.info.fingerprint:
            self._swapped_from = running.info.name
        self._gate, self._slots, self._numbers = running._gate, running._slots, running._numbers
        self._departed, self._log, self._start_s = running._departed, running._log, running._start_s
        self._gate.renew()
        running._gate, running._slots, running._keeper = ReplicaGate(), {}, None
        await running._supply.close()
        self._keeper = asyncio.create_task(self._keep())

    async def _rest(self) -> None:
        """Start and withdraw nothing more; only replicas that are up stay."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        while ending := [task for task, slot in self._slots.items() if not slot.is_up]:
            for task in ending:
                slot = self._slots.pop(task)
                self._departed += slot.is_leaving or slot.left
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)  # others may be lost meanwhile
        self._numbers = {slot.number for slot in self._slots.values()}

    async def _end_slots(self) -> None:
        for task in self._slots:
            task.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        self._slots.clear()

    @property
    def info(self) -> EngineInfo:
        """Identity of the checkpoint, and the settings of the first replica."""
        info = self._first or self._prototype.info
        gate, of_all = self._gate, self._gate.infos
        notes = dict.fromkeys(note for known in (self._prototype.info, *of_all) for note in known.notes)
        speculation: SpeculativeCounts | None = None
        for known in of_all:
            if known.speculation:
                speculation = add_counts(speculation, known.speculation)
        return info.model_copy(
            update={
                "honours_seeds": all(known.honours_seeds for known in (info, *of_all)),
                "settings": info.settings | ({"replicas": gate.most} if gate.was_up else {}),
                "notes": (*notes, *self.events.notes()),
                "speculation": speculation,
                "stage": f"{len(gate.members)} of {len(self._slots)} replicas are up" if self._slots else "",
                "plan": self._plan,
                "log": self._log,
                "swapped_from": self._swapped_from,
            }
        )

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Show the prompt of a request; see `k2eval.engines.protocol.Previews`."""
        return self._prototype.preview(request, switches) if isinstance(self._prototype, Previews) else None

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see `k2eval.engines.protocol.Engine`.

        Raises:
            EngineStopped: If no replica is left.
            EngineGaveUp: If the request was lost with too many replicas.
        """
        losses: list[str] = []
        again = False
        while True:
            member = await self._gate.enter(again, request.priority)
            try:
                return await member.ask(request)
            except ReplicaLost as lost:
                again = True
                if member.ending and member.ending.kind is not EventKind.LEFT:
                    losses.append(str(lost))
            finally:
                self._gate.leave(member)
            if len(losses) >= self._settings.losses:
                raise EngineGaveUp(
                    f"Question {request.question_id!r} ({request.task}, {request.stage}) was asked of {len(losses)} "
                    f"replicas, and each was lost meanwhile: {losses[-1]}. The request itself may end them."
                )

    def _hedge(self) -> None:
        """Let idle replicas ask the last requests of slow ones, too."""
        if self._gate.waiting or not all(known.honours_seeds for known in self._gate.infos):
            return
        for owner, flight, helper in hedges(self._gate.members, asyncio.get_running_loop().time()):
            helper.in_flight += 1
            flight.hedge = asyncio.create_task(self._take_over(owner, flight, helper))
            # Not within the task, which may be cancelled before it begins.
            flight.hedge.add_done_callback(partial(self._gate.leave_after, helper))

    async def _take_over(self, owner: Member, flight: Flight, helper: Member) -> None:
        try:
            answer = await helper.ask(flight.request)
        except EngineError:  # the first replica goes on
            return
        if flight in owner.flights:
            self.events.taken_over += 1
            flight.land(answer)

    def drain(self, name: str) -> None:
        """Let a replica finish its requests and leave.

        Raises:
            ConfigError: If no replica of this name is up.
        """
        for member in self._gate.members:
            if member.name == name:
                member.leave()
                return
        known = ", ".join(member.name for member in self._gate.members) or "none"
        raise ConfigError(f"Expected a replica that is up, got {name!r}. Up: {known}.")

    async def _keep(self) -> None:
        """Keep as many replicas as there should be; close the gate when there is none and can be none."""
        try:
            while True:
                wanted = await self._supply.wanted(self._departed)
                if self._supply.has_grown():
                    self._numbers = {slot.number for slot in self._slots.values()}
                for _ in range(wanted - len(self._numbers)):
                    self._open_slot()
                self._withdraw(len(self._numbers) - wanted)
                if not self._slots or self._has_waited_too_long():
                    raise self._end()
                await asyncio.wait(
                    self._slots, timeout=self._settings.look_s, return_when=asyncio.FIRST_COMPLETED
                )
                for task in [task for task in self._slots if task.done()]:
                    self._close_slot(task)
                self._hedge()
                if isinstance(self._problem, ConfigError) and not self._may_start:
                    raise self._problem  # no replica can start with such a setting
        except K2EvalError as error:
            self._gate.close(error if isinstance(error, EngineStopped) else EngineStopped(str(error)))
            raise
        except Exception as error:  # a fault of ours; nobody shall wait for replicas that nobody looks after
            self._gate.close(EngineStopped(f"The fleet has failed: {error!r}. What is finished is kept."))
            raise

    def _open_slot(self) -> None:
        number = next(number for number in range(len(self._numbers) + 1) if number not in self._numbers)
        slot = Slot(number, self._supply, self._gate, self.events, self._settings, self._welcome)
        self._numbers.add(number)
        self._slots[asyncio.create_task(slot.serve())] = slot

    def _withdraw(self, count: int) -> None:
        """Forget replicas that were given up, and end those that wait for a place that is no longer there.

        The last ones go first. A place that comes later gets a replica again, though another one was given up before.
        """
        given_up = self._numbers - {slot.number for slot in self._slots.values()}
        for number in sorted(given_up)[::-1][: max(0, count)]:
            self._numbers.discard(number)
            count -= 1
        for task, slot in [*self._slots.items()][::-1]:
            if count > 0 and not slot.replica.is_placed:
                count -= 1
                self._numbers.discard(slot.number)
                task.cancel()

    def _close_slot(self, task: asyncio.Task[None]) -> None:
        slot = self._slots.pop(task)
        self._problem = self._problem or slot.error
        if not task.cancelled():
            task.result()  # raises what is a fault of ours
            if slot.left:
                self._departed += 1
                self._numbers.discard(slot.number)

    @property
    def _may_start(self) -> bool:
        """Whether a replica was ever up, or one that has a place is about to start."""
        return self._first is not None or any(slot.replica.is_placed for slot in self._slots.values())

    def _has_waited_too_long(self) -> bool:
        """Return whether all replicas have waited for a place for longer than they may."""
        now = asyncio.get_running_loop().time()
        if any(slot.replica.is_placed for slot in self._slots.values()):
            self._unplaced_since = None
            return False
        self._unplaced_since = self._unplaced_since or now
        return now - self._unplaced_since >= self._settings.wait_s

    def _welcome(self, info: EngineInfo) -> None:
        """Accept the first engine of the fleet, and later ones if they give the same answers.

        Raises:
            ConfigError: If an engine has another checkpoint, version or setting.
        """
        first = self._first or self._prototype.info
        pairs: list[tuple[str, Json, Json]] = [("checkpoint", first.fingerprint, info.fingerprint)]
        if self._first:
            pairs += [("engine", first.engine, info.engine), ("context", first.context, info.context)]
            pairs += [(name, first.settings.get(name), info.settings.get(name)) for name in _SAME]
        for name, expected, got in pairs:
            if expected != got:
                raise ConfigError(f"expected the {name} {expected!r:.100} as in the others, got {got!r:.100}")
        self._first = self._first or info

    def _end(self) -> K2EvalError:
        """Return the error that ends the fleet."""
        if self._gate.was_up:
            return EngineStopped(
                f"No replica is left. {'; '.join(note.text for note in self.events.notes())}. What is finished is "
                "kept; run the same command again to go on."
            )
        if self._problem is not None:
            return self._problem
        return EngineStopped(
            f"No replica found a place in {self._settings.wait_s:g} s. {self._plan} Start more nodes, ask for fewer "
            "replicas, or wait longer with --set fleet.wait_s=N."
        )
