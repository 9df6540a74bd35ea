"""An engine that asks a server of this user's, and starts in this process if that server cannot answer."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Coroutine
from types import TracebackType
from typing import Any, Self

import aiohttp

from k2eval.engines.protocol import Engine, EngineInfo, Previews, Reports, Supervised
from k2eval.engines.served.messages import GENERATE, LOOK, Look, pack_question, unpack_answer, unpack_look
from k2eval.engines.served.states import ServerState, forget, path_of, read_state
from k2eval.engines.vllm.stages import current_stage
from k2eval.errors import EngineError, EngineStopped
from k2eval.records import Generation, Request, SpeculativeCounts
from k2eval.statistics import subtract_counts

_LOOK_EVERY_S = 2.0
_ANSWER_S = 20.0
"""Longest wait for a server's state. Its event loop also takes vLLM's outputs, so it may be late."""
_LOOKS = 3
"""Looks in a row that may fail before a server counts as dead."""
_HANGS_S = 300.0
"""Longest time without a step of the engine while it has requests."""
_WAIT_S = 0.2


class ServedEngine:
    """Answers requests by a server that `k2eval serve` keeps up, with the settings of an engine of this process.

    Each run keeps its prefix cache apart from those of other runs, so its answers and counts are those of an engine
    that has just started.

    Args:
        own: The engine of this process, not started: it shows prompts, and answers if the server cannot.
        state: The server.
    """

    def __init__(self, own: Engine, state: ServerState) -> None:
        self._own = own
        self._state = state
        self._salt = secrets.token_hex(8)
        self._session: aiohttp.ClientSession | None = None
        self._listener: Callable[[str], None] = lambda line: None
        self._seen: Look | None = None
        self._spoken_before: SpeculativeCounts | None = None
        self._asking: set[asyncio.Task[Generation]] = set()
        self._trouble = ""
        self._fallen_back = False
        """Whether the engine of this process answers."""
        self._watch: asyncio.Task[None] | None = None

    @property
    def words(self) -> str:
        """One line for the user: who answers."""
        state = self._state
        if state.phase == "starting":
            return f"the server of `k2eval serve` (process {state.pid}) answers as soon as it has started"
        minutes = max(0.0, time.time() - state.ready) / 60
        since = f"{minutes / 60:.1f} h" if minutes >= 100 else f"{minutes:.0f} min"
        return (
            f"the server of `k2eval serve` answers (process {state.pid}, up for {since}; its start took "
            f"{state.start_s:.0f} s). --no-server starts another engine"
        )

    @property
    def capacity(self) -> int:
        """Number of requests in flight that keep the engine full."""
        return self._state.window if self._session else self._own.capacity

    @property
    def info(self) -> EngineInfo:
        """Identity and settings: the server's if it answers."""
        own, told = self._own.info, self._seen.info if self._seen else self._state.info
        if self._fallen_back:
            return own
        if told is None:
            log = self._state.log
            return own.model_copy(update={"log": log, "stage": current_stage(log, 0)})
        spoken, before = told.speculation, self._spoken_before
        return told.model_copy(
            update={
                "name": own.name,
                "engine": f"{told.engine}, served",
                # Those on prompts are this process's: the server has not seen all prompts of this run.
                "notes": tuple(dict.fromkeys([*told.notes, *own.notes])),
                "speculation": subtract_counts(spoken, before) if spoken and before else spoken,
                "log": self._state.log,
                "plan": "",
            }
        )

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Show a prompt before the run; see `k2eval.engines.protocol.Previews`."""
        return self._own.preview(request, switches) if isinstance(self._own, Previews) else None

    def listen(self, listener: Callable[[str], None]) -> None:
        """Tell what happens to the server; see `k2eval.engines.protocol.Reports`."""
        self._listener = listener
        if isinstance(self._own, Reports):
            self._own.listen(listener)

    @property
    def progress(self) -> int:
        """A number that grows while the engine works; see `k2eval.engines.protocol.Supervised`."""
        if self._seen:
            return self._seen.progress
        return self._own.progress if isinstance(self._own, Supervised) else 0

    @property
    def is_dead(self) -> bool:
        """Whether the server has died, or the engine that answers in its place."""
        if self._session or self._trouble:
            return bool(self._trouble)
        return isinstance(self._own, Supervised) and self._own.is_dead

    async def __aenter__(self) -> Self:
        """Meet the server; start the engine of this process if that fails.

        Raises:
            EngineError: If the engine of this process must start, and cannot.
        """
        obstacle = await self._meet()
        if obstacle:
            self._fallen_back = True
            self._listener(f"The server of process {self._state.pid} is not asked: {obstacle}.")
            await self._own.__aenter__()
        return self

    async def _meet(self) -> str | None:
        """Return why the server cannot answer; None if it does."""
        if getattr(self._own, "keeps_budgets", False):
            return "this run limits thinking, for which vLLM must be told where thinking ends when it starts"
        path = path_of(self._state.pid)
        while self._state.phase == "starting" and self._state.is_alive:
            await asyncio.sleep(_WAIT_S)
            self._state = read_state(path) or self._state.model_copy(update={"phase": "failed"})
        if self._state.phase != "ready" or not self._state.is_alive:
            forget(path)
            return self._state.error or "it has ended"
        self._session = aiohttp.ClientSession(
            self._state.url.removesuffix("/v1"),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=3.0),
            headers={"Authorization": f"Bearer {self._state.key}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER_S),
            trust_env=False,
            read_bufsize=1 << 18,
        )
        try:
            self._seen = await self._look()
        except BaseException as error:
            await self._session.close()
            self._session = None
            if isinstance(error, (EngineError, OSError, aiohttp.ClientError, TimeoutError)):
                return f"it does not answer ({type(error).__name__})"
            raise
        self._spoken_before = self._seen.info.speculation
        self._watch = asyncio.create_task(self._look_after())
        return None

    async def _look(self) -> Look:
        assert self._session is not None
        async with asyncio.timeout(_ANSWER_S), self._session.get(LOOK) as response:
            return unpack_look(await response.read())

    async def _look_after(self) -> None:
        """Notice that the server has died or hangs, and end all waiting then."""
        failed, moved = 0, time.monotonic()
        while not self._trouble:
            await asyncio.sleep(_LOOK_EVERY_S)
            before = self.progress
            try:
                self._seen = await self._look()
                failed = 0
            except (EngineError, OSError, aiohttp.ClientError, TimeoutError):
                failed += 1
            if self.progress != before or not self._asking:
                moved = time.monotonic()
            if not self._state.is_alive:
                self._end("has ended")
            elif failed >= _LOOKS:
                self._end("does not answer any more")
            elif time.monotonic() - moved > _HANGS_S and isinstance(self._own, Supervised):
                self._end(f"has not moved for {_HANGS_S:.0f} s")

    def _end(self, trouble: str) -> None:
        self._trouble = trouble
        if not self._state.is_alive:
            forget(path_of(self._state.pid))
        for task in self._asking:
            task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        if self._session:
            await self._session.close()
        elif self._fallen_back:
            await self._own.__aexit__(kind, error, trace)

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see `k2eval.engines.protocol.Engine`."""
        if self._session is None:
            return await self._own.generate(request)
        if self._trouble:
            raise self._stopped()
        asking = asyncio.create_task(_generation(self._ask(self._session, request)))
        self._asking.add(asking)
        try:
            return await asking
        except asyncio.CancelledError:
            if self._trouble and asking.cancelled():
                raise self._stopped() from None
            asking.cancel()
            raise
        except (OSError, aiohttp.ClientError) as error:
            if not self._state.is_alive:
                self._end("has ended")
                raise self._stopped() from error
            raise EngineError(f"The server broke off: {type(error).__name__}: {error}.") from error
        finally:
            self._asking.discard(asking)

    async def _ask(self, session: aiohttp.ClientSession, request: Request) -> Generation:
        async with session.post(GENERATE, data=pack_question(request, self._salt)) as response:
            generation = unpack_answer(await response.read())
        return generation.model_copy(update={"model": self._own.info.name})

    def _stopped(self) -> EngineStopped:
        remedy = "" if not self._state.is_alive else " End it with `k2eval serve --stop`."
        return EngineStopped(
            f"The server of `k2eval serve` (process {self._state.pid}) {self._trouble}. Its words are in "
            f"{self._state.log}.{remedy} What is finished is kept; run the same command again to go on."
        )


async def _generation(answer: Coroutine[Any, Any, Generation]) -> Generation:
    return await answer
