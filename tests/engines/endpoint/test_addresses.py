"""Lists of servers that change while a run goes on: a file, and a DNS name."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.endpoint import roster
from k2eval.engines.endpoint.addresses import Addresses
from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.engines.endpoint.settings import checked
from k2eval.errors import ConfigError, EngineError, EngineStopped
from tests.engines.endpoint.asked import engine_at, notes_of, request
from tests.engines.endpoint.fake_server import MODEL, FakeServer, Reply, seeded, well


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "_LOOKS_EVERY_S", 0.02)


async def test_a_file_names_a_server_on_each_line(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    path.write_text("# ours\nhttp://a:8000/v1\n\nhttp://b:8000/v1  # slow\n")
    addresses = Addresses(["http://z/v1", f"@{path}"])
    assert addresses.may_change
    assert await addresses.now() == ("http://z/v1", "http://a:8000/v1", "http://b:8000/v1")
    path.write_text("http://c:8000/v1\n")
    assert await addresses.now() == ("http://z/v1", "http://c:8000/v1")
    path.write_bytes(b"\xef\xbb\xbf# with a mark at its start\r\nhttp://c:8000/v1\r\n")
    assert await addresses.now() == ("http://z/v1", "http://c:8000/v1") and not addresses.problem
    path.write_text("nonsense\n")  # somebody writes it just now
    assert await addresses.now() == ("http://z/v1", "http://c:8000/v1")
    assert "expected http://host:port/v1" in addresses.problem


async def test_a_name_stands_for_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(0, 0, 0, "", (address, 8000)) for address in ("10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1")]

    async def resolve(*_: Any, **__: Any) -> Any:
        return answers

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    addresses = Addresses(["dns+http://replicas.svc:8000/v1"])
    assert await addresses.now() == (
        "http://10.0.0.1:8000/v1",
        "http://10.0.0.2:8000/v1",
        "http://[fd00::1]:8000/v1",
    )


async def test_a_name_that_was_never_resolved_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"cannot resolve no-such-name\.invalid"):
        await Addresses(["dns+http://no-such-name.invalid:8000/v1"]).now()


@pytest.mark.parametrize(
    "url", ["@/nowhere/servers.txt", "dns+https://a/v1", "dns+http://u:p@a/v1", "ftp://a"]
)
def test_what_is_no_address_is_refused_before_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match=r"engine\.base_url"):
        checked({"base_url": url})


async def test_servers_join_and_leave_while_requests_are_asked(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    async with FakeServer(lambda body: well()) as first, FakeServer(lambda body: well()) as second:
        path.write_text(first.url)
        settings = {"base_url": f"@{path}", "probe": False, "timeout_s": 5.0}
        async with EndpointEngine(MODEL, settings) as engine:
            alone = engine.capacity
            await engine.generate(request(1))
            path.write_text(f"{first.url}\n{second.url}\n")
            while engine.capacity == alone:
                await asyncio.sleep(0.01)
            assert engine.capacity == 2 * alone
            path.write_text(second.url)
            while engine.capacity > alone:
                await asyncio.sleep(0.01)
            asked = len(first.bodies)
            await asyncio.gather(*(engine.generate(request(number)) for number in range(5)))
            notes = notes_of(engine)
    assert len(first.bodies) == asked and len(second.bodies) >= 5
    assert f"{second.url} joined while the run went on" in notes and f"{first.url} left the list" in notes


async def test_a_server_that_does_not_answer_yet_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "_LOOKS_OF_REST", 1)
    path = tmp_path / "servers.txt"
    async with FakeServer(lambda body: well()) as first, FakeServer(lambda body: well()) as late:
        path.write_text(f"{first.url}\n")
        late.models = []
        late.behave = lambda body: well(model="other")
        settings = {"base_url": f"@{path}", "probe": False, "timeout_s": 5.0, "attempts": 1, "backoff_s": 0.0}
        async with EndpointEngine(MODEL, settings) as engine:
            alone = engine.capacity
            path.write_text(f"{first.url}\n{late.url}\n")
            while "left out" not in notes_of(engine):
                await asyncio.sleep(0.01)
            assert engine.capacity == alone
            late.models = [{"id": MODEL}]
            while engine.capacity == alone:
                await asyncio.sleep(0.01)


async def test_a_server_that_hangs_while_it_joins_holds_up_no_other(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    async with (
        FakeServer(lambda body: well()) as first,
        FakeServer(lambda body: Reply(body="{}", wait_s=60.0)) as hung,
        FakeServer(lambda body: well()) as late,
    ):
        path.write_text(first.url)
        settings = {"base_url": f"@{path}", "timeout_s": 1.0}
        async with EndpointEngine(MODEL, settings) as engine:
            path.write_text(f"{first.url}\n{hung.url}\n")
            while not hung.bodies:
                await asyncio.sleep(0.01)
            path.write_text(f"{first.url}\n{hung.url}\n{late.url}\n")
            while f"{late.url} joined" not in notes_of(engine):
                await asyncio.sleep(0.01)
            while f"left out: {hung.url} gave no answer in 1 s" not in notes_of(engine):
                await asyncio.sleep(0.01)


async def test_a_server_that_hangs_at_the_start_is_left_out() -> None:
    async with (
        FakeServer(lambda body: well()) as well_server,
        FakeServer(lambda body: Reply(body="{}", wait_s=60.0)) as hung,
        engine_at(well_server, hung, timeout_s=0.5, probe=True) as engine,
    ):
        await engine.generate(request(1))
        assert f"left out: {hung.url} gave no answer in 0.5 s" in notes_of(engine)


async def test_the_start_waits_no_longer_for_a_server_that_hangs_and_lets_it_join_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "_LATE_S", 0.2)
    wait_s = [60.0]
    async with (
        FakeServer(lambda body: Reply(body="{}", wait_s=wait_s[0]) if wait_s[0] else seeded(body)) as hung,
        FakeServer() as first,
        asyncio.timeout(20),
        engine_at(hung, first, probe=True, timeout_s=1.0) as engine,
    ):
        assert f"{hung.url} had not answered 0.2 s after another server" in notes_of(engine)
        assert (await engine.generate(request(1))).text == "1 0"
        alone = engine.capacity
        wait_s[0] = 0.0
        while engine.capacity == alone:
            await asyncio.sleep(0.01)
        assert f"{hung.url} joined while the run went on" in notes_of(engine)
        assert engine.info.honours_seeds


async def test_a_late_server_that_ignores_seeds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "_LATE_S", 0.0)
    seen = iter(range(1000))
    async with (
        FakeServer() as first,
        FakeServer(lambda body: Reply(events=well(f"{next(seen)}").events, wait_s=0.2)) as late,
        engine_at(late, first, probe=True) as engine,
    ):
        assert engine.info.honours_seeds
        async with asyncio.timeout(20):
            while f"{late.url} joined" not in notes_of(engine):
                await asyncio.sleep(0.01)
        assert not engine.info.honours_seeds


async def test_a_server_of_a_fixed_list_that_does_not_answer_yet_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "_LOOKS_OF_REST", 1)
    async with FakeServer(lambda body: well()) as first, FakeServer(lambda body: well(model="other")) as late:
        late.models = []
        async with asyncio.timeout(20), engine_at(first, late, attempts=1) as engine:
            assert f"left out: {late.url}" in notes_of(engine)
            alone = engine.capacity
            late.models, late.behave = [{"id": MODEL}], lambda body: well()
            while engine.capacity == alone:
                await asyncio.sleep(0.01)
            answers = await asyncio.gather(*(engine.generate(request(number)) for number in range(8)))
    assert len(answers) == 8 and len(late.bodies) > 1


async def test_a_list_that_is_empty_for_a_while_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    async with FakeServer(lambda body: well()) as server:
        path.write_text(server.url)
        settings = {"base_url": f"@{path}", "probe": False, "timeout_s": 60.0}
        async with asyncio.timeout(20), EndpointEngine(MODEL, settings) as engine:
            path.write_text("# all are away\n")
            while "left the list" not in notes_of(engine):
                await asyncio.sleep(0.01)
            asking = asyncio.create_task(engine.generate(request(1)))
            await asyncio.sleep(0.1)
            assert not asking.done()
            path.write_text(server.url)
            assert (await asking).text == "fine"


async def test_a_server_that_hangs_after_it_has_left_the_list_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    async with (
        FakeServer(lambda body: Reply(body="{}", wait_s=600.0)) as hung,
        FakeServer(lambda body: well()) as other,
    ):
        path.write_text(hung.url)
        settings = {"base_url": f"@{path}", "probe": False, "timeout_s": 1.0, "backoff_s": 0.001}
        async with asyncio.timeout(60), EndpointEngine(MODEL, settings) as engine:
            engine._roster.servers[0].slowest = 10_000.0
            asking = asyncio.create_task(engine.generate(request(1)))
            while not hung.bodies:
                await asyncio.sleep(0.01)
            path.write_text(other.url)
            assert (await asking).text == "fine"


async def test_a_list_that_stays_empty_ends_the_run_in_order(tmp_path: Path) -> None:
    path = tmp_path / "servers.txt"
    async with FakeServer(lambda body: well()) as server:
        path.write_text(server.url)
        settings = {"base_url": f"@{path}", "probe": False, "timeout_s": 0.5}
        async with asyncio.timeout(20), EndpointEngine(MODEL, settings) as engine:
            path.write_text("")
            while "left the list" not in notes_of(engine):
                await asyncio.sleep(0.01)
            with pytest.raises(
                EngineStopped, match=r"No server of the list @.* for 0\.5 s.*same command again"
            ):
                await engine.generate(request(1))


@pytest.mark.parametrize("kind", ["pipe", "large", "folder"])
async def test_a_list_that_is_no_text_file_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "servers.txt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigError, match="cannot read the list of servers"):
        await Addresses([f"@{path}"]).now()


async def test_an_empty_list_at_the_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "servers.txt").write_text("# none yet\n")
    with pytest.raises(EngineError, match="No server is listed in @"):
        async with EndpointEngine(MODEL, {"base_url": f"@{tmp_path / 'servers.txt'}"}):
            pass
