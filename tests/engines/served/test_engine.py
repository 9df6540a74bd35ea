import asyncio
import gc
import io
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.engines.served import ServedEngine, engine as module
from k2eval.engines.served.states import path_of, write_state
from k2eval.errors import EngineStopped, PromptTooLong
from k2eval.journal import read_run
from k2eval.records import Request
from k2eval.run.runner import Runner
from tests.engines.served.conftest import Served, request, scripted, state_of
from tests.scripted_runs import carry_out, config, generations, right, verdicts


async def test_an_answer_is_that_of_the_engine_itself(served: Served) -> None:
    async with served(scripted()) as state, ServedEngine(scripted(), state) as engine:
        answer = await engine.generate(request())
        assert answer.model_copy(update={"duration_s": 0.0}) == await scripted().generate(request())
        assert (engine.capacity, engine.info.engine) == (8, "scripted, served")


async def test_a_run_has_the_keys_seeds_and_verdicts_of_one_in_process(
    served: Served, tmp_path: Path
) -> None:
    own, other = (config(tmp_path / name, limit=3) for name in ("own", "served"))
    await carry_out(own, right)
    async with served(scripted(right)) as state:
        engine = ServedEngine(scripted(right), state)
        await Runner(other, {"solver": engine}, Console(file=io.StringIO())).run()

    def drawn(out: Path) -> set[tuple[str, int, str]]:
        return {(each.question_id, each.seed, each.text) for each in generations(out)}

    assert len(drawn(other.out)) == 6
    assert drawn(own.out) == drawn(other.out)
    outcomes = [{each.sample_key: each.outcome for each in verdicts(run.out)} for run in (own, other)]
    assert outcomes[0] == outcomes[1]
    assert read_run(other.out).model.engine == "scripted, served"


async def test_errors_of_the_engine_arrive_as_they_are(served: Served) -> None:
    def refuse(asked: Request) -> str:
        raise PromptTooLong("the prompt has 9 tokens")

    async with served(scripted(refuse)) as state, ServedEngine(scripted(), state) as engine:
        with pytest.raises(PromptTooLong, match="9 tokens"):
            await engine.generate(request())


async def test_a_server_that_has_ended_is_replaced_by_the_engine_of_this_process() -> None:
    state = state_of(scripted(), began=1.0)
    write_state(state)
    told: list[str] = []
    engine = ServedEngine(scripted(lambda asked: "own"), state)
    engine.listen(told.append)
    async with engine:
        assert (await engine.generate(request())).text == "own"
    assert "has ended" in told[0]
    assert not path_of(state.pid).exists()


async def test_a_server_that_does_not_answer_is_replaced(unused_tcp_port: int) -> None:
    state = state_of(scripted(), url=f"http://127.0.0.1:{unused_tcp_port}/v1")
    async with ServedEngine(scripted(lambda asked: "own"), state) as engine:
        assert (await engine.generate(request())).text == "own"
        assert engine.info.engine == "scripted"


async def test_a_run_that_ends_while_it_meets_the_server_leaves_no_connection() -> None:
    met = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set()
        await reader.read()  # until the client has left
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        engine = ServedEngine(scripted(), state_of(scripted(), url=f"http://127.0.0.1:{port}/v1"))
        starting = asyncio.create_task(engine.__aenter__())
        await met.wait()
        starting.cancel()
        await asyncio.wait([starting])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            del engine, starting
            gc.collect()
    assert [str(warning.message) for warning in told if "session" in str(warning.message)] == []


async def test_a_server_that_wants_another_key_is_replaced(served: Served) -> None:
    async with served(scripted()) as state:
        wrong = state.model_copy(update={"key": "wrong"})
        async with ServedEngine(scripted(lambda asked: "own"), wrong) as engine:
            assert (await engine.generate(request())).text == "own"


async def test_a_server_that_still_starts_is_waited_for(served: Served) -> None:
    async with served(scripted()) as state:
        starting = state.model_copy(update={"phase": "starting"})
        async with ServedEngine(scripted(lambda asked: "own"), starting) as engine:
            assert (await engine.generate(request())).text == "35"


async def test_a_server_that_dies_ends_all_waiting(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.05)
    async with (
        served(scripted(delay_s=60.0)) as state,
        ServedEngine(scripted(), state) as engine,
    ):
        waiting = asyncio.create_task(engine.generate(request()))
        await asyncio.sleep(0.1)
        engine._state = state.model_copy(update={"began": 1.0})
        with pytest.raises(EngineStopped, match="has ended"):
            await waiting
        assert engine.is_dead
        with pytest.raises(EngineStopped):
            await engine.generate(request())


async def test_a_request_that_is_given_up_ends_at_the_server(served: Served) -> None:
    ended = asyncio.Event()

    class Slow:
        capacity, info = 1, scripted().info

        async def generate(self, asked: Request) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

    async with served(Slow()) as state, ServedEngine(scripted(), state) as engine:
        waiting = asyncio.create_task(engine.generate(request()))
        await asyncio.sleep(0.1)
        waiting.cancel()
        async with asyncio.timeout(50):
            await ended.wait()
