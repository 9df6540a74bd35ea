"""A connection to Ray: to a cluster of this run's own on this host, or to one that is there already."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary

import psutil

from k2eval.engines.ray.closed import bind_to_loopback, private_folder, safe_variables
from k2eval.engines.vllm.children import Children
from k2eval.errors import ConfigError, EngineStopped
from k2eval.system import finished, variables

T = TypeVar("T")

PLACE = "k2eval_place"
"""The resource that a replica without a card takes on a cluster of the run's own."""
_PLACES = 100_000
_STORE_BYTES = 128 << 20
"""Requests and answers travel inline; Ray wants a store nevertheless."""
_CONNECT_S = 10.0
_JOIN_S = 50.0
"""Longest wait for a cluster's word. A server that is no head of Ray keeps Ray waiting for ever."""
_HEAD_S = 30.0
"""A head that does not answer for so long is given up. After 60 s Ray itself ends this process, without a word."""
_LAST_PORT = 65_535
_STARTS = 4
"""Starts of a cluster of the run's own, of which Ray gives each 30 s."""
_LATE = "timed out during startup"
"""Ray's words for a start that took longer."""
_END_S = 10.0
"""Longest wait for the end of an actor, or of the connection."""
_opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Held while a connection opens or ends. Contestants of a race start side by side."""
INSTALL = "pip install 'k2eval[cluster]'"


def is_installed() -> bool:
    """Return whether Ray can be imported."""
    return importlib.util.find_spec("ray") is not None


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """A node of the cluster that lives."""

    id: str
    address: str
    cpus: float
    gpus: float
    leaving: bool
    """Whether it drains, so that nothing new may be placed there."""


class Cluster:
    """A connection, shared by all fleets of this process that name the same address.

    A cluster of the run's own listens on loopback only, asks each connection for a token, and keeps its files in a
    folder that only this user can open. It ends with this process, even after ``kill -9``.

    Args:
        address: ``host:port`` of a cluster, ``auto`` for the one that this host belongs to, or None for an own one.
    """

    _shared: ClassVar[dict[str | None, tuple[Cluster, int]]] = {}

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._stack = ExitStack()
        # Linux ends Ray's processes with the thread that started them, so one thread stays for all of Ray.
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.is_stuck = False
        """Whether its head does not answer, so that functions of Ray may block."""
        self.own_node = ""
        """Id of the driver's node."""
        # Not of a pool, whose threads are waited for when Python ends: a function may block for ever.
        threading.Thread(target=self._work, name="k2eval-ray", daemon=True).start()

    @classmethod
    async def join(cls, address: str | None) -> Cluster:
        """Return the connection, opened if this process has none yet; give it back with `leave`.

        Raises:
            ConfigError: If Ray is not installed, or there is no such cluster.
        """
        async with _lock():
            if address not in cls._shared:
                if cls._shared:
                    raise ConfigError(
                        "Expected one cluster for all roles, got several. Give all of them the same one."
                    )
                cluster = cls(address)
                cls._shared[address] = cluster, 0
                try:
                    await cluster._joined()
                except BaseException:
                    del cls._shared[address]
                    await cluster._close()
                    raise
                _take_back_sigterm()
            cluster, users = cls._shared[address]
            cls._shared[address] = cluster, users + 1
            return cluster

    async def _joined(self) -> None:
        connecting = asyncio.ensure_future(self.call(self._connect))
        await asyncio.wait([connecting], timeout=None if self.address is None else _JOIN_S)
        if connecting.done():
            return connecting.result()
        connecting.cancel()
        self.is_stuck = True
        reason = f"nothing there has answered as the head of a Ray cluster in {_JOIN_S:g} s"
        raise ConfigError(self._cannot_connect(TimeoutError(reason)))

    async def leave(self) -> None:
        """End the connection, if no other fleet uses it."""
        await finished(self._leave())

    async def _leave(self) -> None:
        async with _lock():
            _, users = self._shared[self.address]
            if users > 1:
                self._shared[self.address] = self, users - 1
                return
            del self._shared[self.address]
            await self._close()

    async def _close(self) -> None:
        # Also if the run is cancelled right now, for Ray's folder would stay.
        await finished(self._close_now())

    async def _close_now(self) -> None:
        try:
            if not self.is_stuck:
                await self.end(self._stack.close)
            if self.is_stuck:
                await asyncio.to_thread(self._stack.close)
        finally:
            self._jobs.put(None)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of Ray that takes its time, in Ray's thread."""
        result: Future[T] = Future()

        def job() -> None:
            if result.set_running_or_notify_cancel():
                try:
                    result.set_result(function(*arguments))
                except BaseException as error:
                    result.set_exception(error)

        self._jobs.put(job)
        return await asyncio.wrap_future(result)

    async def end(self, function: Callable[[], None]) -> None:
        """Call a function of Ray that ends something; it would block if the cluster's head is gone.

        It is waited for in vain once only. If the head answers again, it is called then, and so are those behind it.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def job() -> None:
            try:
                function()
            finally:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(done.set)

        self._jobs.put(job)
        if not self.is_stuck:
            try:
                async with asyncio.timeout(_END_S):
                    await done.wait()
            except TimeoutError:
                self.is_stuck = True

    def _work(self) -> None:
        while job := self._jobs.get():
            with contextlib.suppress(Exception):  # of what ends; the others keep their errors
                job()
            self.is_stuck = False

    def _connect(self) -> None:
        if not is_installed():
            raise ConfigError(f"Several replicas run on Ray, which is not installed here: {INSTALL}.")
        own = self.address is None
        self._check_address()
        folder = self._stack.enter_context(private_folder()) if own else Path()
        self._stack.enter_context(variables(safe_variables() if own else {"RAY_USAGE_STATS_ENABLED": "0"}))
        if own:
            # Some of Ray's processes outlive a driver that is killed; the guard of engines ends them.
            children = Children()
            self._stack.callback(children.close)
        is_new = "ray" not in sys.modules
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)
        if ray.is_initialized():
            raise ConfigError(
                "Expected no connection to Ray in this process, got one. End it with ray.shutdown()."
            )
        settings: dict[str, Any] = {
            "configure_logging": False,
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        if own:
            if not is_new:
                bind_to_loopback()
            settings |= {
                "address": "local", "num_cpus": 0, "resources": {PLACE: _PLACES}, "include_dashboard": False,
                "object_store_memory": _STORE_BYTES, "_temp_dir": str(folder / "ray"), "_node_ip_address": "127.0.0.1",
            }  # fmt: skip
        else:
            settings["address"] = self.address
        _silence()
        try:
            _init(settings, str(folder) if own else None)
        except Exception as error:  # of many kinds, a bare one among them
            raise ConfigError(self._cannot_connect(error)) from error
        if own:
            children.note()
        self._stack.callback(self._disconnect)
        if own:  # before it: agents and actors that were started since, which would write into the folder
            self._stack.callback(children.note)
        self.own_node = ray.get_runtime_context().get_node_id()
        listens = ray.util.get_node_ip_address()
        if own and not listens.startswith("127."):
            raise ConfigError(
                f"Expected Ray to listen on loopback only, got {listens}: Ray was imported before k2eval could say so. "
                "Start the run in a process of its own: `k2eval run …`."
            )

    def _check_address(self) -> None:
        """Try the address first: Ray itself would try for minutes, and then end this process."""
        is_auto = self.address == "auto"
        address = os.environ.get("RAY_ADDRESS") or "auto" if is_auto else self.address
        if address in (None, "auto"):
            return
        host, separator, port = address.rpartition(":")
        if not separator or not port.isdigit() or int(port) > _LAST_PORT or "/" in host:
            # ``local`` would be a cluster of Ray's own kind, which listens to the network without a token.
            place = " in RAY_ADDRESS" if is_auto else ""
            raise ConfigError(
                f"Expected a cluster as host:port, such as head:6379, or auto; got {address!r:.200}{place}. Without "
                "--cluster, replicas run on a cluster of the run's own on this host."
            )
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise ConfigError(self._cannot_connect(error)) from error

    def _disconnect(self) -> None:
        import ray

        if self.is_stuck:
            atexit.unregister(ray.shutdown)
        else:
            ray.shutdown()

    def _cannot_connect(self, error: Exception) -> str:
        reason = " ".join(str(error).split())[:300]
        if self.address is None:
            busy = (
                " The machine is busy: run the same command again when it has time."
                if _LATE in reason
                else ""
            )
            return f"Ray could not start on this host: {reason}{busy}"
        return (
            f"Cannot connect to the Ray cluster {self.address!r}: {reason.rstrip('.')}. Start Ray on this host, too: "
            "`ray start --head`, or `ray start --address=HOST:6379`; docs/cluster.md has all steps."
        )

    async def nodes(self) -> list[NodeRoom]:
        """Return the nodes that live.

        Raises:
            EngineStopped: If the cluster's head cannot be reached.
        """
        looking = asyncio.ensure_future(self.call(_nodes))
        await asyncio.wait([looking], timeout=_HEAD_S)
        if looking.done():
            return looking.result()
        looking.cancel()
        self.is_stuck = True
        raise EngineStopped(
            f"The head of the Ray cluster has not answered for {_HEAD_S:.0f} s. What is finished is kept; start the "
            "cluster again, and run the same command to go on."
        )


def _lock() -> asyncio.Lock:
    return _opening.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _init(settings: Mapping[str, Any], folder: str | None) -> None:
    """Start Ray, or connect to it. Ray's own limit for a start is too short where other programs keep a machine busy.

    Args:
        settings: Of ``ray.init``.
        folder: Folder of the files of a cluster of the run's own; None for another cluster.
    """
    import ray

    for left in reversed(range(_STARTS)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(**settings)
            return
        except Exception as error:  # Ray has no kind of its own for a start that is late
            if not left or folder is None or _LATE not in str(error):
                raise
        ray.shutdown()
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if folder in " ".join(process.cmdline()):
                    process.kill()


def run_on(node: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of a node; return Ray's promise of its result."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return task.remote(*arguments)


def _take_back_sigterm() -> None:
    """Install Python's handler again: Ray's prints a stack in its place, and may abort the process."""
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _nodes() -> list[NodeRoom]:
    import ray

    try:
        leaving = _leaving_nodes()
        return [
            NodeRoom(
                node["NodeID"],
                node["NodeManagerAddress"],
                node["Resources"].get("CPU", 0.0),
                node["Resources"].get("GPU", 0.0),
                node["NodeID"] in leaving,
            )
            for node in ray.nodes()
            if node["Alive"]
        ]
    except (ray.exceptions.RayError, RuntimeError, OSError) as error:
        raise EngineStopped(f"Ray's head cannot be reached: {' '.join(str(error).split())[:300]}.") from error


def _leaving_nodes() -> frozenset[str]:
    """Return the nodes that drain: by `ray drain-node`, or because their provider takes them back."""
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.state import state

        return frozenset(state.get_draining_nodes())
    return frozenset()


def _silence() -> None:
    """Keep Ray from printing each death of an actor: the fleet tells it in one line."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None
