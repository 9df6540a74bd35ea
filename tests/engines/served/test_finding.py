import re

import pytest

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.engines.served import ServedEngine, with_servers
from k2eval.engines.served.finding import asked_of
from k2eval.engines.served.states import write_state
from tests.engines.served.conftest import scripted, state_of


def test_a_server_that_matches_answers_for_all_its_roles() -> None:
    write_state(state_of(scripted()))
    own = scripted()
    engines, [words] = with_servers({"solver": own, "judge": own})
    assert isinstance(engines["solver"], ServedEngine)
    assert engines["judge"] is engines["solver"]
    assert "answers" in words


def test_without_a_server_nothing_is_said() -> None:
    own = scripted()
    assert with_servers({"solver": own}) == ({"solver": own}, [])


def test_a_server_of_another_checkpoint_is_none_of_ours() -> None:
    state = state_of(scripted())
    write_state(state.model_copy(update={"asked": {**state.asked, "checkpoint": "other"}}))
    own = scripted()
    assert with_servers({"solver": own}) == ({"solver": own}, [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k2eval": "0.0.1"}, "another version of k2eval"),
        ({"settings": {"dtype": "half"}}, r"other settings \(dtype\)"),
        ({"environment": {"VLLM_USE_X": "1"}}, r"other environment variables \(.*VLLM_USE_X.*\)"),
    ],
)
def test_a_server_with_other_settings_is_not_asked_and_the_reason_is_told(
    change: dict[str, object], words: str
) -> None:
    state = state_of(scripted())
    write_state(state.model_copy(update={"asked": {**state.asked, **change}}))
    own = scripted()
    engines, [line] = with_servers({"solver": own})
    assert engines["solver"] is own
    assert re.search(f"is not asked, since it has {words}", line)


def test_variables_that_shape_an_engine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = asked_of(scripted())
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    assert asked_of(scripted()) == before
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "3")
    assert asked_of(scripted()) != before


def test_an_endpoint_is_left_alone() -> None:
    write_state(state_of(scripted()))
    own = EndpointEngine("m", {"base_url": "http://127.0.0.1:1/v1"})
    assert with_servers({"solver": own}) == ({"solver": own}, [])
