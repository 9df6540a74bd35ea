"""The plan of a fleet is made before anything starts, and Ray is never needed for one engine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from k2eval.config import FleetConfig
from k2eval.engines.fleet import FleetEngine
from k2eval.engines.opening import open_engines
from k2eval.engines.ray import plan as planning, plan_fleet
from k2eval.engines.ray.plan import FleetPlan
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import ConfigError
from tests.engines.test_sizing import GB, QWEN_32B
from tests.scripted_runs import config

Plan = Callable[..., FleetPlan]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Plan for a model of 32B on the given cards."""
    (tmp_path / "config.json").write_text(json.dumps(QWEN_32B))
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(65_528 * 10**6)

    def make(
        cards: int, memory: int = 141, alone: bool = True, *, kind: str = "vllm", **settings: Any
    ) -> FleetPlan:
        arguments = settings.pop("arguments", {})
        fleet = FleetConfig(**settings)
        return plan_fleet(fleet, kind, str(tmp_path), arguments, alone=alone, cards=[memory * GB] * cards)

    return make


@pytest.mark.parametrize("cards", [0, 1])
def test_one_card_has_one_engine_without_ray(plan: Plan, cards: int) -> None:
    assert plan(cards) == FleetPlan()


def test_each_card_has_a_replica_where_the_model_fits_into_it(plan: Plan) -> None:
    made = plan(4)
    assert (made.replicas, made.cards, made.arguments) == (4, 1, {})
    assert made.words == (
        "4 replicas of 1 card each: 61.0 GiB of weights, 8.0 GiB for a context of 32,768 tokens, 131 GiB a card"
    )


def test_a_larger_model_is_split_over_as_few_cards_as_hold_it(plan: Plan) -> None:
    made = plan(8, memory=80)
    assert (made.replicas, made.cards) == (4, 2)
    assert made.arguments == {"tensor_parallel_size": 2}


def test_a_model_that_takes_all_cards_is_one_engine_over_them(plan: Plan) -> None:
    made = plan(2, memory=80)
    assert made.replicas == 1 and made.arguments == {"tensor_parallel_size": 2}
    assert made.words.startswith("one engine over 2 cards: ")


def test_the_users_own_split_is_kept(plan: Plan) -> None:
    made = plan(8, arguments={"tensor_parallel_size": 4})
    assert (made.replicas, made.cards) == (2, 4)
    assert "tensor_parallel_size" not in made.arguments


def test_an_engine_over_more_cards_than_this_host_has_is_none_of_several(plan: Plan) -> None:
    assert plan(2, arguments={"tensor_parallel_size": 4}) == FleetPlan()
    with pytest.raises(ConfigError, match="Expected 4 cards for each replica, got the 2 of this host"):
        plan(2, arguments={"tensor_parallel_size": 4}, replicas="all")


def test_the_users_own_data_parallelism_is_one_engine(plan: Plan) -> None:
    assert plan(8, arguments={"data_parallel_size": 8}) == FleetPlan()
    with pytest.raises(ConfigError, match=r"either replicas or engine\.data_parallel_size"):
        plan(8, arguments={"data_parallel_size": 2}, replicas=4)


def test_other_roles_with_engines_leave_the_choice_to_the_user(plan: Plan) -> None:
    assert plan(4, alone=False) == FleetPlan()
    assert plan(4, alone=False, replicas=3).replicas == 3


def test_more_replicas_than_cards_are_refused(plan: Plan) -> None:
    with pytest.raises(
        ConfigError, match="at most 2 replicas of 2 cards each on the 4 cards of this host, got 3"
    ):
        plan(4, memory=80, replicas=3)


def test_a_model_that_does_not_fit_is_refused_with_its_sizes(plan: Plan) -> None:
    with pytest.raises(
        ConfigError, match=r"does not fit into the 2 cards of this host: 61\.0 GiB of weights"
    ):
        plan(2, memory=24, replicas="auto")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("tensor_parallel_size", "two", r"tensor_parallel_size: expected a whole number from 1, got 'two'"),
        ("pipeline_parallel_size", 0.5, "pipeline_parallel_size: expected a whole number"),
        ("data_parallel_size", -1, "data_parallel_size: expected a whole number"),
        ("gpu_memory_utilization", "lots", "gpu_memory_utilization: expected a number above 0, up to 1"),
        ("gpu_memory_utilization", 90, "gpu_memory_utilization: expected a number above 0, up to 1"),
    ],
)
def test_an_argument_that_is_no_number_is_told(plan: Plan, name: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=f"engine.{says}"):
        plan(2, arguments={name: value})


def test_without_ray_one_engine_runs_and_says_so(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "is_installed", lambda: False)
    made = plan(4)
    assert made.replicas == 1
    assert made.words == "one engine over 1 card of 4; 4 replicas need Ray: pip install 'k2eval[cluster]'"
    with pytest.raises(ConfigError, match=r"pip install 'k2eval\[cluster\]'"):
        plan(4, replicas=2)


def test_a_cluster_takes_as_many_as_there_is_room_for(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "computes_on_cards", lambda: True)
    made = plan(0, cluster="head:6379", arguments={"tensor_parallel_size": 2})
    assert (made.replicas, made.cards) == ("all", 2)
    assert made.words == "as many replicas as there is room for on the cluster head:6379, 2 cards each"
    assert plan(0, cluster="auto", replicas=3).replicas == 3


def test_servers_have_no_replicas(plan: Plan) -> None:
    assert plan(0, kind="endpoint") == FleetPlan()
    with pytest.raises(ConfigError, match=r"Expected no replicas of an endpoint.*engine\.base_url"):
        plan(0, kind="endpoint", replicas=2)


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "script.jsonl"
    path.write_text('{"match": "", "responses": ["x"]}\n')
    return str(path)


def test_one_engine_is_no_fleet(tmp_path: Path, model: str) -> None:
    for replicas in ("auto", 1):
        run = config(tmp_path / "run", model=model, engine={"kind": "scripted"}, fleet={"replicas": replicas})
        assert isinstance(open_engines(run)["solver"], ScriptedEngine)


def test_a_role_has_replicas_of_its_own(tmp_path: Path, model: str) -> None:
    judge = {"model": model, "kind": "scripted", "replicas": 3}
    run = config(tmp_path / "run", model=model, engine={"kind": "scripted"}, roles={"judge": judge})
    engines = open_engines(run)
    assert isinstance(engines["solver"], ScriptedEngine) and isinstance(engines["judge"], FleetEngine)
    assert engines["judge"].info.plan == "3 replicas on this host"
    assert engines["judge"].info.log == tmp_path / "run" / "engine-judge-0.log"


def test_a_role_cannot_have_replicas_beside_a_solver_that_takes_all_room(tmp_path: Path, model: str) -> None:
    judge = {"model": model, "kind": "scripted", "replicas": 3}
    run = config(
        tmp_path / "run", model=model, engine={"kind": "scripted"}, roles={"judge": judge},
        fleet={"replicas": "all", "cluster": "auto"},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="Give the solver a number, too"):
        open_engines(run)


@pytest.mark.parametrize("number", [0, "many", True, 1.5])
def test_a_roles_replicas_are_a_number(tmp_path: Path, model: str, number: Any) -> None:
    roles = {"judge": {"model": model, "kind": "scripted", "replicas": number}}
    with pytest.raises(ConfigError, match=r"roles\.judge\.replicas: expected a number from 1"):
        open_engines(config(tmp_path / "run", model=model, engine={"kind": "scripted"}, roles=roles))
