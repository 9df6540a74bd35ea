"""A started vLLM, and all that ends with it: its processes, log, temporary folder and counts."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from k2eval.engines.vllm import cpu_repair, suffix
from k2eval.engines.vllm.children import Children
from k2eval.engines.vllm.counters import EngineCounters, without_histograms
from k2eval.engines.vllm.setup import keep_variables, own_temporary_folder, redirected
from k2eval.engines.vllm.spare import Spare, take_spare
from k2eval.engines.vllm.waiting import PRELOADED, Wait, Waiting
from k2eval.errors import EngineError
from k2eval.records import Note, NoteKind
from k2eval.system import load, no_collections, variables

_NOTICE_EVERY_S = 1.0

_starts: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""For each event loop the lock of a start: its variables and its output are those of the whole process."""

cache_salt: ContextVar[str | None] = ContextVar("cache_salt", default=None)
"""Keeps the prefix cache of one run apart from those of others that ask the same vLLM; None for the engine's own."""

Prepare = Callable[[], Mapping[str, Any]]
"""Imports vLLM and returns its engine arguments; called in a thread."""


class RunningVllm:
    """One vLLM from its start to its end. Several checkpoints in turn may answer through it.

    Args:
        log: File for the output of this process and of vLLM's while vLLM lives; the terminal if None.
    """

    def __init__(self, log: Path | None) -> None:
        self.log = log
        self.log_start: int | None = None
        """Where the log of a start that goes on begins; None before and after."""
        self.llm: Any = None
        """The ``AsyncLLM``."""
        self.tokenizer: Any = None
        self.counters = EngineCounters()
        self.waiting: Waiting | None = None
        self.repaired = False
        """Whether a function of vLLM was replaced; see `cpu_repair`."""
        self.start_s = 0.0
        """Duration of the start in seconds."""
        self.salt: str | None = None
        """Keeps the prefix cache of the checkpoint that answers apart from those of earlier ones."""
        self.moments: dict[str, float] = {}
        """``time.monotonic()`` at which vLLM was imported, and at which a spare became its process, if one did."""
        self._of_threads: Mapping[str, str] = {}
        self._abandoned = False
        self._others_at_start = 0.0
        self._stack = contextlib.AsyncExitStack()
        self._children: Children

    def choose_waiting(self, of_threads: Mapping[str, str] | None) -> None:
        """Let vLLM's threads on the CPU wait asleep while other programs need the cores.

        Args:
            of_threads: Variables by which they wait awake at first; None to leave all to the environment.
        """
        if of_threads is not None:
            self._of_threads = of_threads
            self.waiting = Waiting(self._let_wait)

    async def _let_wait(self, how: Wait) -> bool:
        try:
            return all(await self.llm.collective_rpc("let_wait", args=(how.value,)))
        except Exception:  # vLLM has died, which those who asked it learn by themselves
            return False

    @property
    def notes(self) -> list[Note]:
        """What a reader must know of the load on this machine."""
        text = self.waiting.note if self.waiting else None
        return [Note(kind=NoteKind.LOAD, text=text)] if text else []

    def forget_load(self) -> None:
        """Begin that note anew."""
        if self.waiting:
            self.waiting.forget()

    async def start(self, prepare: Prepare, cards: Sequence[str] = ()) -> None:
        """Start vLLM, in a thread, so that Ctrl-C is heard meanwhile; wait for the start of another one to end.

        Args:
            prepare: Returns the engine arguments of vLLM.
            cards: The cards to start on; all that vLLM finds if empty.
        """
        async with _starts.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            # VLLM's processes see what this one's environment says while they start.
            with variables({"CUDA_VISIBLE_DEVICES": ",".join(cards)} if cards else {}):
                await self._start_alone(prepare)

    async def _start_alone(self, prepare: Prepare) -> None:
        began = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            self.log_start = self.log.stat().st_size if self.log and self.log.exists() else 0
            stack.enter_context(redirected(self.log))
            own_folder = stack.enter_context(own_temporary_folder())
            spare = take_spare()
            if spare:
                stack.callback(spare.close)
            self._children = children = Children(spare.pid if spare else None)
            stack.callback(children.close)
            arguments: Mapping[str, Any] = {}

            def start() -> None:
                nonlocal arguments
                arguments = self._start(prepare, spare)

            with own_folder:
                starting = asyncio.ensure_future(asyncio.to_thread(start))
                try:
                    while not starting.done():
                        await asyncio.wait([starting], timeout=_NOTICE_EVERY_S)
                        children.note()
                    starting.result()
                    await self._look_after(arguments)
                except asyncio.CancelledError:
                    await self._give_up(starting, children)
                    raise
            if self.waiting:
                watch = asyncio.create_task(self.waiting.watch())
                stack.callback(watch.cancel)
            self.log_start = None
            self._stack = stack.pop_all()
        self.start_s = time.monotonic() - began

    async def _look_after(self, arguments: Mapping[str, Any]) -> None:
        self.tokenizer = await _maybe_await(self.llm.get_tokenizer())
        if arguments.get("worker_extension_cls") == cpu_repair.EXTENSION:
            self.repaired = any(await self.llm.collective_rpc("repair"))
            if suffix.drafts(arguments.get("speculative_config")):
                await self.llm.collective_rpc("let_suffix_follow")
        if self.waiting:
            await self.waiting.look(self._others_at_start)

    def _start(self, prepare: Prepare, spare: Spare | None) -> Mapping[str, Any]:
        # Into a log of its own vLLM may write what it does, which is then shown; a terminal is for k2eval's words.
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO" if self.log else "ERROR")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        # This process has threads, open journals and locks by now; forked, vLLM's processes would take them along.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        # vLLM's processes inherit the mask of the thread that starts them: a Ctrl-C on the terminal then reaches
        # this process alone, which ends them in order. Starting Python's tracker would lift the mask.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        before = load.sample()
        with no_collections():  # nothing of what is imported is garbage
            keep_variables(False)
            arguments = prepare()
            from vllm import AsyncEngineArgs
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.async_llm import AsyncLLM
        self.moments["imported"] = time.monotonic()
        self._others_at_start = load.others_since(before)
        if self._abandoned:
            raise EngineError("The start was given up.")
        # Keep the engine on self, do not return it. A reference in the future or its frame would survive until
        # interpreter shutdown, where vLLM's teardown prints errors.
        of_threads = variables(self._of_threads, also=[PRELOADED])  # which vLLM sets, too
        with of_threads, spare.takes_next() if spare else contextlib.nullcontext():
            self.llm = AsyncLLM.from_engine_args(
                AsyncEngineArgs(**arguments),
                # Without a word on its use vLLM takes half as many requests at once, on large GPUs an eighth.
                usage_context=UsageContext.LLM_CLASS,
                stat_loggers=[self.counters.logger],
            )
        without_histograms(self.llm)
        keep_variables(True)
        if spare and spare.has_become:
            self.moments["spare"] = time.monotonic()
        return arguments

    async def _give_up(self, starting: asyncio.Future[None], children: Children) -> None:
        """End a start that nobody waits for any more; importing vLLM cannot be cut short."""
        self._abandoned = True
        while not starting.done():
            children.note()
            children.kill()
            await asyncio.wait([starting], timeout=0.2)
        starting.exception()  # looked at, so that nobody complains about it
        self._stop()

    async def close(self) -> None:
        """End vLLM and its processes; do nothing if it does not run."""
        async with self._stack:
            if self.llm is None:
                return
            if self.log:  # which takes their complaints; their own way to an end takes seconds
                self._children.note()
                self._children.kill()
            self._stop()
            await asyncio.sleep(0)  # lets its tasks see that they are cancelled
            with warnings.catch_warnings():  # about sockets that vLLM leaves open
                warnings.simplefilter("ignore")
                gc.collect()  # else vLLM's engine is torn down, with complaints, when Python ends

    def _stop(self) -> None:
        if self.llm is not None:
            self.llm.shutdown()
            self.llm = None
            keep_variables(False)


async def _maybe_await(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value
