from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import pytest

from k2eval.engines import Engine, EngineInfo, ScriptedEngine, WarmEngines
from k2eval.errors import EngineError
from k2eval.records import Generation, Request


class Swappable:
    """An engine that can take over another one, unless it says why not."""

    capacity = 4
    start_s = 7.0

    def __init__(self, name: str, log: list[str], obstacle: str | None = None, error: str = "") -> None:
        self.name, self.log, self.reason, self.error = name, log, obstacle, error
        self.is_dead = False
        self.progress = 0
        self.swapped_from: str | None = None

    async def __aenter__(self) -> Self:
        self.log.append(f"start {self.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.append(f"end {self.name}")

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name=self.name, fingerprint="f", engine="e", honours_seeds=True, swapped_from=self.swapped_from
        )

    async def generate(self, request: Request) -> Generation:
        raise NotImplementedError

    def obstacle(self, running: Engine) -> str | None:
        return self.reason

    async def take_over(self, running: Any) -> None:
        if self.error:
            raise EngineError(self.error)
        self.log.append(f"swap {running.name} {self.name}")
        self.swapped_from = running.name


@contextlib.contextmanager
def starting(engine: Engine) -> Iterator[None]:
    yield


async def hold(warm: WarmEngines, told: list[str], *engines: Engine) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for engine in engines:
            await stack.enter_async_context(warm.hold(engine, starting, told.append))


async def test_the_next_run_takes_the_engine_over() -> None:
    log: list[str] = []
    told: list[str] = []
    warm = WarmEngines()
    for name in "abc":
        await hold(warm, told, Swappable(name, log))
    await warm.close()
    assert log == ["start a", "swap a b", "swap b c", "end c"]
    assert told[0].startswith(
        "swapped the weights of a for these in 0.0 s; starting the engine had taken 7.0 s"
    )


async def test_an_obstacle_means_a_new_start_and_is_told() -> None:
    log: list[str] = []
    told: list[str] = []
    warm = WarmEngines()
    await hold(warm, told, Swappable("a", log))
    await hold(warm, told, Swappable("b", log, obstacle="another config.json (hidden_size)"))
    await warm.close()
    assert log == ["start a", "end a", "start b", "end b"]
    assert told == ["the engine starts anew: another config.json (hidden_size)."]


async def test_an_engine_whose_swap_failed_answers_nothing_more() -> None:
    log: list[str] = []
    told: list[str] = []
    warm = WarmEngines()
    await hold(warm, told, Swappable("a", log))
    await hold(warm, told, Swappable("b", log, error="half of it was loaded"))
    assert log == ["start a", "end a", "start b"]
    assert told == ["the engine starts anew: half of it was loaded."]


async def test_each_engine_of_a_run_meets_its_predecessor() -> None:
    log: list[str] = []
    warm = WarmEngines()
    for number in (1, 2):
        await hold(warm, [], Swappable(f"solver{number}", log), Swappable(f"judge{number}", log))
    await warm.close()
    assert log == [
        "start solver1", "start judge1", "swap solver1 solver2", "swap judge1 judge2", "end judge2", "end solver2",
    ]  # fmt: skip


async def test_engines_behind_one_that_starts_anew_end_first() -> None:
    """The new one needs the room that they take."""
    log: list[str] = []
    warm = WarmEngines()
    await hold(warm, [], Swappable("solver1", log), Swappable("judge1", log))
    await hold(warm, [], Swappable("solver2", log, obstacle="x"), Swappable("judge2", log))
    assert log[2:] == ["end judge1", "end solver1", "start solver2", "start judge2"]


async def test_after_an_error_no_engine_is_kept() -> None:
    log: list[str] = []
    warm = WarmEngines()
    with pytest.raises(EngineError):
        async with warm.hold(Swappable("a", log), starting, print):
            raise EngineError("it died")
    assert log == ["start a", "end a"]
    await hold(warm, [], Swappable("b", log))
    assert log[2:] == ["start b"]


async def test_a_dead_engine_is_not_kept() -> None:
    log: list[str] = []
    warm = WarmEngines()
    engine = Swappable("a", log)
    async with warm.hold(engine, starting, print):
        engine.is_dead = True
    assert log == ["start a", "end a"]


async def test_an_engine_that_cannot_be_taken_over_ends_with_its_run() -> None:
    log: list[str] = []
    told: list[str] = []
    warm = WarmEngines()
    await hold(warm, told, Swappable("a", log))
    await hold(warm, told, ScriptedEngine(lambda request: "x"))
    assert log == ["start a", "end a"]
    assert told == []
