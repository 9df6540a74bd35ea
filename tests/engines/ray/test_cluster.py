"""The connection to Ray when Ray's functions block, as they do once the cluster's head is gone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from k2eval.engines.ray import NodeProgram, Program, cluster
from k2eval.engines.ray.cluster import Cluster, NodeRoom
from k2eval.errors import ConfigError, EngineStopped


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A head that is gone: functions block until the event is set."""
    back = threading.Event()
    monkeypatch.setattr(cluster, "_HEAD_S", 0.05)
    monkeypatch.setattr(cluster, "_END_S", 0.05)
    monkeypatch.setattr(cluster, "_nodes", back.wait)
    yield back
    back.set()


async def test_a_head_that_does_not_answer_ends_the_fleet_with_what_to_do(gone: threading.Event) -> None:
    with pytest.raises(EngineStopped, match=r"has not answered for .* run the same command to go on"):
        await Cluster("head:6379").nodes()


async def test_an_end_that_blocks_is_waited_for_once(gone: threading.Event) -> None:
    called: list[str] = []

    def end() -> None:
        called.append("end")
        gone.wait()

    connection = Cluster("head:6379")
    await connection.end(end)
    await connection.end(end)
    assert called == ["end"]


async def test_what_could_not_end_while_the_head_was_busy_ends_later(gone: threading.Event) -> None:
    """Else the card of a replica that was lost meanwhile would stay taken, and its successor wait for ever."""
    called: list[str] = []
    connection = Cluster("head:6379")
    busy = asyncio.create_task(connection.call(gone.wait))
    await asyncio.sleep(0)
    for name in ("first", "second"):
        await connection.end(lambda name=name: called.append(name))  # type: ignore[misc]
    assert connection.is_stuck and not called
    gone.set()
    await busy
    while connection.is_stuck:
        await asyncio.sleep(0.01)
    await connection.end(lambda: called.append("third"))
    assert called == ["first", "second", "third"]


async def test_the_end_of_a_program_on_another_node_does_not_block_the_loop(
    gone: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = NodeRoom("a1", "10.0.0.2", 4.0, 0.0, leaving=False)
    program = NodeProgram("node", Cluster("head:6379"), node, 1, Program("module", [], ".", {}))
    monkeypatch.setattr(program, "_make_actor", lambda: None)
    monkeypatch.setattr(program, "_kill", gone.wait)
    monkeypatch.setattr(program, "_actor", _Hanging())
    received: list[bytes] = []
    program.open(received.append)
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await program.ended()
    assert (received, program.is_closed) == ([b""], True)


class _Hanging:
    """An actor whose node gives no sign."""

    class start:
        @staticmethod
        async def remote(*arguments: object) -> int:
            await asyncio.sleep(1e6)
            return 0


async def test_connections_that_open_side_by_side_fail_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(connection: Cluster) -> None:
        time.sleep(0.05)
        raise ConfigError("no Ray here")

    monkeypatch.setattr(Cluster, "_connect", connect)
    errors = await asyncio.gather(Cluster.join(None), Cluster.join(None), return_exceptions=True)
    assert [str(error) for error in errors] == ["no Ray here"] * 2
    assert not Cluster._shared


async def test_a_call_returns_its_result_and_its_error() -> None:
    connection = Cluster("head:6379")
    assert await connection.call(sum, [1, 2]) == 3
    with pytest.raises(ZeroDivisionError):
        await connection.call(divmod, 1, 0)


async def test_a_call_that_nobody_waits_for_is_not_made(gone: threading.Event) -> None:
    called: list[str] = []
    connection = Cluster("head:6379")
    blocked = asyncio.create_task(connection.call(gone.wait))
    given_up = asyncio.create_task(connection.call(called.append, "given up"))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    gone.set()
    await blocked
    await connection.call(called.append, "later")
    assert called == ["later"]


async def test_a_server_that_is_no_head_of_ray_is_given_up_with_what_to_do(
    gone: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_JOIN_S", 0.05)
    monkeypatch.setattr(Cluster, "_connect", lambda self: gone.wait())
    with pytest.raises(ConfigError, match=r"nothing there has answered as the head .* `ray start --head`"):
        await Cluster.join("web:80")
    assert not Cluster._shared


@pytest.mark.parametrize("address", ["head", "http://head:6379", "head:99999", "head:", ":6379x", "local"])
async def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ConfigError, match=r"Expected a cluster as host:port, such as head:6379"):
        await Cluster.join(address)


async def test_ray_is_not_started_openly_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    with pytest.raises(ConfigError, match="got 'local' in RAY_ADDRESS"):
        await Cluster.join("auto")


async def test_a_connection_that_is_cancelled_while_it_closes_closes() -> None:
    connection, closed = Cluster("head:6379"), threading.Event()

    def close() -> None:
        time.sleep(0.05)
        closed.set()

    connection._stack.callback(close)
    closing = asyncio.create_task(connection._close())
    await asyncio.sleep(0.01)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert closed.is_set()


def test_a_cluster_that_is_late_on_a_busy_machine_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    starts: list[str] = []

    def init(**settings: object) -> None:
        starts.append("start")
        if len(starts) < 3:
            raise Exception("The current node timed out during startup. This could happen because …")

    monkeypatch.setattr(ray, "init", init)
    cluster._init({}, "/a/folder")
    assert len(starts) == 3


def test_another_fault_of_a_start_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def init(**settings: object) -> None:
        raise ValueError("no such address")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ValueError, match="no such address"):
        cluster._init({}, "/a/folder")
