"""A module of k2eval's as a program on another node, whose input and output are carried to the driver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from k2eval.engines.fleet import ReplicaLost
from k2eval.engines.ray.cluster import Cluster, NodeRoom
from k2eval.engines.ray.replica import reason_of
from k2eval.errors import EngineStopped
from k2eval.system import finished, module_command

_CHUNK = 1 << 20
_START_S = 120.0
"""Longest wait for the program's process."""
_CALLS = 16
_THREADS_OF_RAY = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Program:
    """A module, and the surroundings in which it runs."""

    module: str
    arguments: Sequence[str]
    folder: str
    """Where it runs, if the node has this folder."""
    environment: Mapping[str, str]
    """Variables that are set if the node has not set them itself."""


class ProgramActor:
    """A program in a process of its own, started by an actor. The kernel ends it with the actor."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process

    async def start(self, module: str, arguments: list[str], folder: str, environment: dict[str, str]) -> int:
        """Start the program; return its process id."""
        os.environ.pop(_THREADS_OF_RAY, None)
        for name, value in environment.items():
            os.environ.setdefault(name, value)
        with contextlib.suppress(OSError):
            os.chdir(folder)
        command, variables = module_command(module, *arguments)
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=variables,
            start_new_session=True,
        )
        return self._process.pid

    async def write(self, data: bytes) -> None:
        """Write to the program."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended; `read` tells
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    async def read(self) -> bytes:
        """Return what the program has written; nothing at its end."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(_CHUNK)

    async def ending(self) -> str:
        """Return how the program ended."""
        code = await self._process.wait()
        return f"it ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}"


class NodeProgram:
    """A program on a node, seen from the driver. It takes and gives bytes, in the order of the program's pipes.

    Make it, and open it, in the event loop of the run; send and close from any thread.

    Args:
        name: The node for people.
        cluster: The cluster.
        node: The node.
        cpus: Processors that Ray keeps for it.
        program: The program.
    """

    def __init__(self, name: str, cluster: Cluster, node: NodeRoom, cpus: int, program: Program) -> None:
        self.name = name
        self.end = "it was ended"
        """The reason of its end, once it has ended."""
        self.pid = 0
        self._cluster = cluster
        self._node = node
        self._cpus = cpus
        self._program = program
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._changed = asyncio.Event()
        self._actor: Any = None
        self._task: asyncio.Task[None] | None = None
        self.is_closed = False

    def open(self, receive: Callable[[bytes], None]) -> None:
        """Start the program.

        Args:
            receive: Takes what it writes, in the event loop; nothing once at its end.
        """
        self._task = self._loop.create_task(self._run(receive))

    async def _run(self, receive: Callable[[bytes], None]) -> None:
        from ray.exceptions import RayError

        try:
            async with asyncio.timeout(_START_S):
                await self._cluster.call(self._make_actor)
                program = self._program
                self.pid = await self._actor.start.remote(
                    program.module, list(program.arguments), program.folder, dict(program.environment)
                )
            writer = self._loop.create_task(self._write())
            try:
                while data := await self._actor.read.remote():
                    receive(data)
                self.end = await self._actor.ending.remote()
            finally:
                writer.cancel()
        except TimeoutError:
            self.end = f"it did not start within {_START_S:g} s"
        except (RayError, ReplicaLost, ValueError, RuntimeError) as error:
            self.end = reason_of(error)
        finally:
            try:
                await finished(self._cluster.end(self._kill))
            finally:
                self.is_closed = True
                receive(b"")

    def _make_actor(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(self._node.id, soft=False)
        self._actor = (
            ray.remote(ProgramActor)
            .options(
                num_cpus=self._cpus, scheduling_strategy=strategy, max_concurrency=_CALLS, max_restarts=0,
                max_task_retries=0,
            )
            .remote()
        )  # fmt: skip

    async def _write(self) -> None:
        from ray.exceptions import RayError

        with contextlib.suppress(RayError):  # the reader tells
            while True:
                await self._changed.wait()
                self._changed.clear()
                parts, self._unsent = self._unsent, []
                await self._actor.write.remote(b"".join(parts))

    def send(self, data: bytes) -> None:
        """Send bytes, after all that was sent before."""
        self._unsent.append(data)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._changed.set)

    def waited_s(self) -> float:
        """Return 0: the clocks of another node are not read."""
        return 0.0

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the cluster's connection with it
            self._loop.call_soon_threadsafe(self._cancel)

    async def ended(self) -> None:
        """End the program, and wait for its end."""
        self._cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _kill(self) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError, RuntimeError):
            if self._actor is not None:
                ray.kill(self._actor, no_restart=True)


async def free_cores(cluster: Cluster) -> dict[NodeRoom, int]:
    """Return the other nodes that stay, and the cores of each that programs may take now.

    A card's engine needs about two cores of its own, and a node needs one.
    """
    here, free = await cluster.call(_free)
    return {
        node: int(min(free.get(node.id, 0.0), node.cpus - 1 - 2 * node.gpus))
        for node in await cluster.nodes()
        if node.id != here and not node.leaving
    }


def _free() -> tuple[str, dict[str, float]]:
    import ray
    from ray._private.state import available_resources_per_node

    try:
        free = {node: resources.get("CPU", 0.0) for node, resources in available_resources_per_node().items()}
        return ray.get_runtime_context().get_node_id(), free
    except (ray.exceptions.RayError, RuntimeError, OSError) as error:
        raise EngineStopped(f"Ray's head cannot be reached: {' '.join(str(error).split())[:300]}.") from error
