from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.engines.kinds import open_engine
from k2eval.engines.opening import open_engines
from k2eval.errors import ConfigError
from tests.scripted_runs import config

NANO = Path(__file__).parents[2] / "models/nano/rl"
SERVED = {"kind": "endpoint", "arguments": {"base_url": "http://localhost:1/v1"}}


def opened(folder: Path, **roles: dict[str, Any]) -> dict[str, Any]:
    return dict(open_engines(config(folder, engine=SERVED, roles=roles)))  # type: ignore[arg-type]


def test_a_role_with_sampling_alone_stays_with_the_solver(tmp_path: Path) -> None:
    assert list(opened(tmp_path, planner={"sampling": {"max_tokens": 5}}, answer_judge={})) == ["solver"]


def test_a_role_can_be_another_model_behind_another_server(tmp_path: Path) -> None:
    judge = {"kind": "endpoint", "model": "verifier", "base_url": "http://localhost:2/v1"}
    engines = opened(tmp_path, judge=judge)
    assert isinstance(engines["judge"], EndpointEngine)
    assert engines["judge"].info.name == "verifier"
    assert engines["judge"].info.fingerprint != engines["solver"].info.fingerprint


def test_roles_of_one_engine_share_it(tmp_path: Path) -> None:
    other = {"kind": "endpoint", "model": "other", "base_url": "http://localhost:2/v1"}
    engines = opened(tmp_path, planner=other, judge={**other, "sampling": {"max_tokens": 5}})
    assert engines["planner"] is engines["judge"] is not engines["solver"]


def test_a_role_that_names_the_checkpoint_of_the_solver_shares_its_engine(tmp_path: Path) -> None:
    settings = config(
        tmp_path, model=str(NANO), engine={"kind": "vllm"}, roles={"answer_judge": {"model": str(NANO)}}
    )
    assert list(open_engines(settings)) == ["solver"]


def test_a_setting_of_its_own_gives_a_role_an_engine_of_its_own(tmp_path: Path) -> None:
    judge = {"model": str(NANO), "max_num_seqs": 8}
    settings = config(tmp_path, model=str(NANO), engine={"kind": "vllm"}, roles={"answer_judge": judge})
    assert list(open_engines(settings)) == ["solver", "answer_judge"]


def test_each_engine_is_told_its_reasoning_format(tmp_path: Path) -> None:
    judge = {
        "kind": "endpoint",
        "model": "other",
        "base_url": "http://localhost:2/v1",
        "reasoning": "mistral",
    }
    engines = open_engines(config(tmp_path, engine=SERVED, roles={"judge": judge}, reasoning="harmony"))
    assert {role: engine.info.reasoning.name for role, engine in engines.items()} == {
        "solver": "harmony",
        "judge": "mistral",
    }


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"judge": {"reasoning": "think"}}, "a model of the role's own"),
        (
            {"judge": {"kind": "endpoint", "base_url": "http://h/v1", "reasoning": "thikn"}},
            "Did you mean think",
        ),
        ({"juge": {}}, "Unknown role 'juge'. Did you mean judge"),
        ({"judge": {"sampling": {"temprature": 1}}}, "Did you mean temperature"),
        ({"judge": {"sampling": {"top_p": 3}}}, "top_p"),
        ({"judge": {"kind": "endpoint", "base_url": "http://h/v1", "api_key": "sk"}}, "environment"),
        ({"judge": {"kind": "endpint"}}, "Did you mean endpoint"),
        (
            {"judge": {"kind": "endpoint", "base_url": "http://h/v1", "replicas": 2}},
            "expected none for an endpoint",
        ),
    ],
)
def test_wrong_roles(tmp_path: Path, roles: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        opened(tmp_path, **roles)


def test_only_vllm_speculates(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="for the vllm engine only"):
        open_engine("scripted", str(tmp_path / "x"), {}, {"method": "ngram"})
