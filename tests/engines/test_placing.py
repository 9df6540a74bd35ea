"""Engines that live side by side in one process have cards of their own."""

import os
from pathlib import Path
from typing import Any

import pytest

from k2eval.config import RunConfig
from k2eval.engines import cards_of_configs, open_engines
from k2eval.engines.placing import Need, place_engines
from k2eval.engines.ray import plan as planning
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.running import RunningVllm
from k2eval.errors import ConfigError

NANO = Path(__file__).resolve().parents[2] / "models" / "nano"


@pytest.fixture
def four_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple((str(number), f"GPU-{number}", "81559") for number in range(4))
    monkeypatch.setattr(planning, "_visible_here", lambda: rows)


def config(folder: Path, **fields: Any) -> RunConfig:
    return RunConfig.model_validate({"model": str(NANO / "rl"), "tasks": ["smoke"], "out": folder} | fields)


def test_each_engine_has_cards_of_its_own_where_there_are_enough() -> None:
    needs = [Need("a", 1, 0.9), Need("b", 2, 0.9), Need("c", 1, 0.9)]
    placed = place_engines(needs, ["0", "1", "2", "3"])
    assert [len(cards) for cards in placed] == [1, 2, 1]
    assert sorted(card for cards in placed for card in cards) == ["0", "1", "2", "3"]


def test_engines_that_take_a_part_spread_before_they_share() -> None:
    needs = [Need(name, 1, 0.45) for name in "abc"]
    assert place_engines(needs, ["5", "7"]) == [("5",), ("7",), ("5",)]


def test_engines_without_room_are_told_before_they_start() -> None:
    with pytest.raises(ConfigError, match=r"on 1 card, got none for b.*gpu_memory_utilization=0\.45"):
        place_engines([Need("a", 1, 0.9), Need("b", 1, 0.9)], ["0"])


def test_the_engines_of_a_race_start_on_different_cards(tmp_path: Path, four_cards: None) -> None:
    configs = [config(tmp_path), None, config(tmp_path, engine={"arguments": {"tensor_parallel_size": 2}})]
    cards = cards_of_configs(configs)
    assert [len(own) for own in cards] == [1, 0, 2]
    assert not set(cards[0]) & set(cards[2])
    engine = open_engines(config(tmp_path), cards=cards[0])["solver"]
    assert isinstance(engine, VllmEngine)
    assert engine.cards == cards[0]
    assert engine.info.plan == f"on card {cards[0][0]}"


def test_one_engine_and_servers_find_their_own_cards(tmp_path: Path, four_cards: None) -> None:
    server = config(tmp_path, engine={"kind": "endpoint", "arguments": {"base_url": "http://127.0.0.1:1/v1"}})
    replicas = config(tmp_path, fleet={"replicas": 2})
    assert cards_of_configs([config(tmp_path), server, replicas]) == [(), (), ()]


async def test_an_engine_starts_with_its_own_cards_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def start(self: RunningVllm, prepare: Any) -> None:
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])

    monkeypatch.setattr(RunningVllm, "_start_alone", start)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    await RunningVllm(None).start(dict, ("2", "3"))
    assert seen == ["2,3"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
