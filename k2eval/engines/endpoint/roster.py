"""The servers that answer: those of a list that have been met, as they come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from k2eval.engines.endpoint.addresses import Addresses
from k2eval.engines.endpoint.asking import Notes
from k2eval.engines.endpoint.newcomers import Newcomers
from k2eval.engines.endpoint.servers import Server, ServerGate, notes_on
from k2eval.errors import EngineError, EngineStopped
from k2eval.records import Note, NoteKind

_LATE_S = 10.0
"""Longest wait for the other servers at the start, once one has been met; those that need longer join later."""
_LOOKS_EVERY_S = 5.0
"""Time between two looks at a list of servers that may change, or has servers that were not met yet."""
_LOOKS_OF_REST = 6
"""Looks for which a server that did not answer is left alone."""


class Roster:
    """The servers that answer for a model.

    Args:
        addresses: The list.
        make: Returns the server of an address, not met yet.
        meet: Meets a server, and returns whether it honours seeds; raises EngineError if it does not answer for the
            model.
        notes: Takes what the readers of the scores must know.
        patience_s: Longest time without any server.
    """

    def __init__(
        self,
        addresses: Addresses,
        make: Callable[[str], Server],
        meet: Callable[[Server], Coroutine[Any, Any, bool]],
        notes: Notes,
        patience_s: float,
    ) -> None:
        self.servers: list[Server] = []
        """Those that have been met and are on the list."""
        self.gate = ServerGate(self.servers)
        self._ignore_seeds: set[bool] = set()
        """Whether servers ignore seeds; of all that were ever met."""
        self._addresses = addresses
        self._make = make
        self._meet = meet
        self._notes = notes
        self._patience_s = patience_s
        self._newcomers = Newcomers(self._join, _LOOKS_OF_REST)
        self._problem: EngineError | None = None
        self._is_open = False

    @property
    def honours_seeds(self) -> bool:
        """Whether all servers that were ever met do."""
        return self._ignore_seeds == {False}

    @property
    def places(self) -> int | None:
        """Requests in flight that keep all servers full; None before any was met."""
        return sum(server.places for server in self.servers) if self._is_open else None

    async def open(self) -> None:
        """Meet the servers of the list. Once one has been met, the others have a little time, and join later.

        Raises:
            EngineError: If no server answers for the model.
        """
        urls = await self._addresses.now()
        if not urls:
            raise EngineError(f"No server is listed in {self._addresses}. List one, and start again.")
        self._newcomers.look(urls)
        loop = asyncio.get_running_loop()
        late_from: float | None = None
        while waiting := self._newcomers.joining:
            left_s = None if late_from is None else late_from - loop.time()
            if left_s is not None and left_s <= 0:
                break
            await asyncio.wait(waiting.values(), timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            self._newcomers.settle()
            if self.servers and late_from is None:
                late_from = loop.time() + _LATE_S
        if not self.servers:
            assert self._problem is not None
            raise self._problem
        for url in self._newcomers.joining:
            text = f"{url} had not answered {_LATE_S:g} s after another server: the run began without it"
            self._notes.add(NoteKind.SERVER, text)
        self.servers.sort(key=lambda server: urls.index(server.url))
        self._is_open = True

    async def close(self) -> None:
        """Close all connections."""
        await self._newcomers.close()
        for server in self.gate.all:
            await server.client.close()

    async def follow(self) -> None:
        """Let servers join and leave as the list changes, as long as it may. Requests of one that leaves are finished.

        Raises:
            EngineStopped: If there has been no server for too long.
        """
        loop = asyncio.get_running_loop()
        since: float | None = None
        while True:
            urls = await self._addresses.now()
            if self._addresses.problem:
                self._notes.add(NoteKind.SERVER, self._addresses.problem)
            for server in [server for server in self.servers if server.url not in urls]:
                self._dismiss(server)
            await self._close_idle()
            known = {server.url for server in self.servers}
            missing = [url for url in urls if url not in known]
            self._newcomers.look(missing)
            if not missing and not self._addresses.may_change:
                return
            since = None if self.gate.all else since or loop.time()
            if since is not None and loop.time() - since >= self._patience_s:
                raise EngineStopped(
                    f"No server of the list {self._addresses} has answered for {self._patience_s:g} s. What is "
                    "finished is kept; list servers that answer, and run the same command again to go on."
                )
            await asyncio.sleep(_LOOKS_EVERY_S)

    def _dismiss(self, server: Server) -> None:
        self.servers.remove(server)
        self.gate.leaving.append(server)
        left = Note(kind=NoteKind.SERVER, text=f"{server.url} left the list")
        for note in (*notes_on(server), left):
            self._notes.add(note.kind, note.text)

    async def _close_idle(self) -> None:
        for server in [server for server in self.gate.leaving if not server.in_flight]:
            self.gate.leaving.remove(server)
            await server.client.close()

    async def _join(self, url: str) -> bool:
        """Meet a server, and let requests go to it; return whether it answers for the model."""
        server = self._make(url)
        try:
            honours_seeds = await self._meet(server)
        except BaseException as error:
            await server.client.close()
            if not isinstance(error, EngineError):
                raise
            self._problem = self._problem or error
            self._notes.add(NoteKind.SERVER, f"left out: {error}")
            return False
        self._ignore_seeds.add(not honours_seeds)
        self.servers.append(server)
        if self._is_open:
            self._notes.add(NoteKind.SERVER, f"{server.url} joined while the run went on")
        self.gate.let_in()
        return True
