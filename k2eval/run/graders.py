"""Crews on other nodes of a cluster, which grade if the driver's host falls behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from k2eval.errors import EngineStopped
from k2eval.grading import CREW, CrewSettings, GradingPool
from k2eval.system import cores

if TYPE_CHECKING:
    from k2eval.engines.ray import Cluster, NodeProgram, NodeRoom

_LOOK_S = 2.0
_LOOKS_BEHIND = 2
"""Looks in a row at which answers wait before another node is asked."""
_STARTS = 3
"""Starts on one node."""
_STALL_S = 60.0
_MOST = 32
"""Workers on one node."""
_PASSED = ("K2EVAL_DATA",)


def workers_here(workers: int | None, has_nodes: bool, answers: int) -> int:
    """Return the number of grading processes on the driver's host.

    >>> workers_here(None, False, answers=1)
    1

    Args:
        workers: Number that the user asks for; None leaves it to k2eval.
        has_nodes: Whether other nodes take those beyond the cores of this host.
        answers: Number of answers to grade; each process imports for a second or two, so that no more are started.
    """
    if workers is None:
        return max(1, min(cores.for_grading(), answers))
    return min(workers, cores.count()) if has_nodes else workers


class NodeGraders:
    """Crews on other nodes.

    If the user names a number of workers, nodes take those beyond the cores of this host. Else a node is asked when
    answers have waited for a while that no crew has room for, and another one later.

    Args:
        pool: The pool, made for nodes.
        address: The cluster.
        workers: Number of workers in all that the user asks for.
        graders: Graders that the run needs.
        tell: Takes a sentence for the user.
    """

    def __init__(
        self,
        pool: GradingPool,
        address: str,
        workers: int | None,
        graders: Iterable[str],
        tell: Callable[[str], None],
    ) -> None:
        self._pool = pool
        self._address = address
        self._wanted = workers
        self._graders = sorted(set(graders))
        self._tell = tell
        self._starts: Counter[str] = Counter()
        self._programs: dict[str, NodeProgram] = {}
        """Programs by the id of their node."""
        self._sizes: dict[str, int] = {}
        self._behind = 0
        self._cluster: Cluster
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        from k2eval.engines.ray import Cluster

        self._cluster = await Cluster.join(self._address)
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell = lambda line: None
        self._task.cancel()
        await asyncio.wait([self._task])
        for program in self._programs.values():
            await program.ended()
        await self._cluster.leave()

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(EngineStopped):  # the fleet tells that the head is gone
                await self._look()
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        self._programs = {node: program for node, program in self._programs.items() if not program.is_closed}
        self._behind = self._behind + 1 if self._pool.waiting else 0
        missing = self._missing()
        if missing <= 0:
            return
        from k2eval.engines.ray import free_cores

        free = await free_cores(self._cluster)
        for node, count in sorted(free.items(), key=lambda item: -item[1]):
            if count < 1 or node.id in self._programs or self._starts[node.id] >= _STARTS:
                continue
            size = min(count, missing, _MOST)
            self._starts[node.id] += 1
            self._start(node, size)
            missing -= size
            if self._wanted is None or missing <= 0:
                return

    def _missing(self) -> int:
        """Return the number of workers to start on other nodes."""
        if self._wanted is None:
            if self._behind < _LOOKS_BEHIND:
                return 0
            self._behind = 0
            return _MOST
        elsewhere = sum(self._sizes[node] for node in self._programs)
        return self._wanted - min(self._wanted, cores.count()) - elsewhere

    def _start(self, node: NodeRoom, size: int) -> None:
        from k2eval.engines.ray import NodeProgram, Program

        settings = CrewSettings(size, _STALL_S, self._graders, idle=False, proves=True)
        variables = {name: os.environ[name] for name in _PASSED if name in os.environ}
        program = Program(CREW, [json.dumps(settings)], str(Path.cwd()), variables)
        channel = NodeProgram(f"node {node.address} ({node.id[:6]})", self._cluster, node, size, program)
        self._programs[node.id], self._sizes[node.id] = channel, size
        loop = asyncio.get_running_loop()

        def tell(line: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lambda: self._tell(line))

        self._pool.join(channel, tell)
