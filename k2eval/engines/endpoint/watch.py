"""Detection of servers that hang, although an answer that is not streamed shows no progress before it is complete."""

from __future__ import annotations

import asyncio

from k2eval.engines.endpoint.metrics import Activity, parse_activity
from k2eval.engines.endpoint.servers import Server, ServerGate
from k2eval.engines.endpoint.trouble import Trouble
from k2eval.errors import EngineStopped

_LOOKS_EVERY_S = 2.0
_FIRST_LOOK_S = 0.25
"""Seconds between the first looks; they are short, so that a large server is soon full."""
_SILENT_S = 20.0
"""Seconds without an answer after which a server's health is asked."""
_ASSUMED_SPEED = 5.0
"""Lowest tokens per second assumed until an answer has come."""
_SLOWER = 4.0
"""Factor by which an answer may be slower than the slowest before."""
FEWEST_TOKENS = 64
"""Tokens below which an answer is not used to judge speed."""


class Watch:
    """Watch over the requests in flight, which gives up those that will not be answered.

    A request is given up

    - if its server gave no sign of life for ``timeout_s``: no answer to any request, no progress in its metrics, or,
      if it has no such page, no good word about its health,
    - if pieces of its answer came and then none for ``timeout_s``, and
    - after `longest_s`, in any case.

    Args:
        gate: Knows the servers; woken if one of them can take more.
        timeout_s: Seconds without a sign of life.
        adaptive: True if the number of requests in flight follows what the servers say that they hold.
        ceiling: The most requests in flight that a server may get.
    """

    def __init__(self, gate: ServerGate, timeout_s: float, adaptive: bool, ceiling: int) -> None:
        self._gate = gate
        self._timeout_s = timeout_s
        self._adaptive = adaptive
        self._ceiling = ceiling

    async def run(self) -> None:
        """Look at all servers again and again until cancelled."""
        pause = _FIRST_LOOK_S
        while True:
            await asyncio.sleep(min(pause, self._timeout_s / 4))
            pause = min(_LOOKS_EVERY_S, 1.5 * pause)
            await asyncio.gather(*(self._look(server) for server in self._gate.all if server.in_flight))

    def longest_s(self, server: Server, max_tokens: int) -> float:
        """Return how long one answer may take: ``timeout_s``, and max_tokens at a quarter of the slowest speed seen."""
        speed = _ASSUMED_SPEED if server.slowest is None else server.slowest / _SLOWER
        return self._timeout_s + max_tokens / speed

    async def _look(self, server: Server) -> None:
        now = asyncio.get_running_loop().time()
        silent = now - server.last_sign
        if server.counts_work and (self._adaptive or silent > min(_SILENT_S, self._timeout_s / 4)):
            activity = await self._activity(server)
            if activity is not None:
                self._take(server, activity)
        if not server.counts_work and silent > min(_SILENT_S, self._timeout_s / 4) and await _is_well(server):
            server.last_sign = asyncio.get_running_loop().time()
        now = asyncio.get_running_loop().time()
        for asked in list(server.asked):
            if self._is_hopeless(server, asked.since, asked.last_text, asked.max_tokens, now):
                asked.give_up()

    def _is_hopeless(
        self, server: Server, since: float, last_text: float | None, max_tokens: int, now: float
    ) -> bool:
        if now - since > self.longest_s(server, max_tokens):
            return True
        if now - since <= self._timeout_s:
            return False
        if last_text is not None:
            return now - last_text > self._timeout_s
        return now - server.last_sign > self._timeout_s

    async def _activity(self, server: Server) -> Activity | None:
        try:
            status, page = await server.client.page(f"{server.client.root}/metrics")
        except Trouble:  # is it away, or busy? the next look will tell
            return None
        activity = parse_activity(page.decode(errors="replace")) if status == 200 else None
        if activity is None and status < 500:
            server.counts_work = False
        return activity

    def _take(self, server: Server, activity: Activity) -> None:
        if server.progress is None or activity.progress != server.progress:
            server.last_sign = asyncio.get_running_loop().time()
        server.progress = activity.progress
        server.held = max(server.held, activity.running)
        if self._adaptive and server.held:
            self._fit(server, activity)

    def _fit(self, server: Server, activity: Activity) -> None:
        """Raise the limit of a server without a queue, to at most twice the requests that it works on."""
        if activity.waiting:
            server.limit = max(1, min(server.limit, 2 * server.held))
        elif server.in_flight >= server.limit:
            grown = min(self._ceiling, 2 * server.limit, max(server.limit, 2 * server.held))
            if grown > server.limit:
                server.limit = grown
                self._gate.let_in()


def stop_if_failed(task: asyncio.Task[None], gate: ServerGate) -> None:
    """End all requests if a task that looks after servers has failed: nobody shall wait for them in vain."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    if not isinstance(error, EngineStopped):
        advice = "What is finished is kept; run the same command again to go on."
        error = EngineStopped(f"The watch over servers has failed: {error!r}. {advice}")
    gate.close(error)
    for server in gate.all:
        for asked in list(server.asked):
            asked.give_up()


async def _is_well(server: Server) -> bool:
    for address in (f"{server.client.root}/health", f"{server.client.url}/models"):
        try:
            status, _ = await server.client.page(address)
        except Trouble:
            return False
        if status not in (404, 405):
            return status < 500
    return True  # it answers, though it knows neither page
