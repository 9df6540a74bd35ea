"""The room of replicas on the nodes of a cluster, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from k2eval.engines.ray import Blueprint, NodeRoom, RaySupply
from k2eval.engines.ray.replica import RayReplica


def node(name: str, gpus: float = 0, cpus: float = 8, leaving: bool = False) -> NodeRoom:
    return NodeRoom(name, f"10.0.0.{name}", cpus, gpus, leaving)


class Still:
    """A cluster whose nodes a test has written down."""

    def __init__(self, nodes: list[NodeRoom]) -> None:
        self.listed = nodes

    async def nodes(self) -> list[NodeRoom]:
        return self.listed


def supply(nodes: list[NodeRoom], replicas: Any, cards: int = 0, **options: Any) -> RaySupply:
    blueprint = Blueprint(kind="vllm", model="m", arguments=options.pop("arguments", {}))
    made = RaySupply(lambda: blueprint, replicas, cards, **{"address": "head:6379", **options})
    made._cluster = Still(nodes)  # type: ignore[assignment]
    return made


async def replica_of(made: RaySupply) -> RayReplica:
    await made.wanted(0)
    return made.replica(0)


@pytest.mark.parametrize(
    ("nodes", "cards", "wanted"),
    [
        ([node("1", 8), node("2", 8)], 1, 16),
        ([node("1", 8), node("2", 8)], 2, 8),
        ([node("1", 8), node("2", 8, leaving=True)], 2, 4),
        ([node("1", 3), node("2", 3)], 2, 2),
        ([node("1", 8), node("2", 8), node("3", 0)], 16, 1),
        ([node("1", 0)], 2, 1),
        ([node("1"), node("2"), node("3", cpus=0)], 0, 2),
    ],
)
async def test_all_is_as_many_as_nodes_have_room_for(nodes: list[NodeRoom], cards: int, wanted: int) -> None:
    assert await supply(nodes, "all", cards).wanted(0) == wanted


async def test_a_number_stays_on_a_cluster_and_shrinks_on_one_host() -> None:
    assert await supply([node("1", 8)], 4, 1).wanted(1) == 4
    assert await supply([node("1", 8)], 4, 1, address=None).wanted(1) == 3


@pytest.mark.parametrize(("replicas", "left"), [("all", 15), (4, 3)])
async def test_nothing_starts_where_a_replica_was_sent_away_until_its_node_is_gone(
    replicas: Any, left: int
) -> None:
    made = supply([node("1", 8), node("2", 8)], replicas, 1)
    made._departures.sent_away["a replica"] = "2"
    assert await made.wanted(1) == left
    made._cluster = Still([node("1", 8), node("3", 8)])  # type: ignore[assignment]
    assert await made.wanted(1) == left + 1


async def test_a_cluster_whose_only_replica_was_sent_away_wants_none() -> None:
    made = supply([node("1", 1)], "all", 1)
    made._departures.sent_away["a replica"] = "1"
    assert await made.wanted(1) == 0


async def test_the_cards_of_a_replica_are_together_on_a_node() -> None:
    replica = await replica_of(supply([node("1", 8)], 2, 4))
    assert replica._placement.bundles == [{"GPU": 4.0}] and replica._placement.gpus == 4
    assert replica._blueprint.arguments["distributed_executor_backend"] == "mp"


async def test_a_replica_that_is_larger_than_a_node_takes_cards_of_several() -> None:
    replica = await replica_of(supply([node("1", 8), node("2", 8)], 1, 16))
    assert replica._placement.bundles == [{"GPU": 1.0}] * 16 and replica._placement.strategy == "PACK"
    assert replica._blueprint.arguments["distributed_executor_backend"] == "ray"


async def test_the_users_own_executor_is_kept() -> None:
    replica = await replica_of(supply([node("1", 8)], 2, 4, arguments={"distributed_executor_backend": "x"}))
    assert replica._blueprint.arguments["distributed_executor_backend"] == "x"


async def test_nodes_that_drain_are_known_to_their_replicas() -> None:
    made = supply([node("1", 8), node("2", 8, leaving=True)], 2, 1)
    replica = await replica_of(made)
    assert replica._nodes.draining == {"2"}
    assert isinstance(made._cluster, Still)
    made._cluster.listed = [node("1", 8)]
    await made.wanted(0)
    assert replica._nodes.draining == set()


async def test_replicas_on_one_host_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    made = supply([node("1")], 2, address=None)
    await made.wanted(0)
    assert [made.replica(number)._placement.cores for number in (0, 1)] == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"replicas": 3}, "other replicas"),
        ({"cards": 2}, "other replicas"),
        ({"address": None}, "other replicas"),
        ({"arguments": {"max_model_len": 8}}, "other settings: engine.max_model_len"),
    ],
)
def test_replicas_of_other_cards_or_settings_cannot_be_taken_over(
    change: dict[str, Any], words: str | None
) -> None:
    usual: dict[str, Any] = {"replicas": 2, "cards": 1}
    assert supply([], **usual | change).unlike(supply([], **usual)) == words


async def test_who_was_sent_away_is_known_to_the_supply_that_takes_over() -> None:
    running, successor = (supply([node("1", 8), node("2", 8)], 4, 1) for _ in "12")
    running._departures.sent_away["a replica"] = "2"
    successor.inherit(running)
    assert await successor.wanted(0) == 3
