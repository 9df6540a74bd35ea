from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.protocol import Demand
from k2eval.engines.vllm import starting
from k2eval.engines.vllm.starting import (
    EAGER,
    BreakEven,
    Way,
    break_even_file,
    fitted,
    read_break_even,
    write_break_even,
)
from k2eval.errors import ConfigError

FEW = Demand(requests=8, tokens=500, basis="at most")
MANY = Demand(requests=8, tokens=1e6, basis="at most")
MEASURED = BreakEven(Way(20.0, {1: 80.0, 16: 1100.0}), Way(50.0, {1: 160.0, 16: 1600.0}))


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(starting, "device_name", lambda on_cpu: "a card")
    monkeypatch.setattr(starting, "_is_cold", lambda: False)


def fit(demand: Demand, settings: dict[str, Any] | None = None) -> tuple[dict[str, Any], str]:
    arguments, note = fitted(demand, "f", settings or {}, None, "0.25.1")
    return arguments, note.text if note else ""


def keep(measured: BreakEven = MEASURED, settings: dict[str, Any] | None = None) -> Path:
    path = break_even_file("f", settings or {}, None, "0.25.1")
    write_break_even(path, measured, "m")
    return path


def test_few_tokens_start_eagerly_and_it_is_said() -> None:
    arguments, text = fit(FEW)
    assert arguments == {EAGER: True}
    assert "at most 500 tokens are left to make, fewer than 700; not measured here" in text


def test_many_tokens_start_as_vllm_does() -> None:
    assert fit(MANY) == ({}, "")


def test_more_tokens_are_few_where_nothing_was_compiled_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_is_cold", lambda: True)
    assert fit(FEW._replace(tokens=4000))[0] == {EAGER: True}


@pytest.mark.parametrize(("entries", "cold"), [([], True), (["a"], False)])
def test_a_cache_with_compiled_graphs_is_not_cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str], cold: bool
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path))
    for name in entries:
        (tmp_path / "torch_compile_cache" / name).mkdir(parents=True)
    assert starting._is_cold() is cold


def test_a_measurement_takes_the_place_of_the_cautious_rule() -> None:
    keep()
    middle = FEW._replace(tokens=3000)
    arguments, text = fit(middle._replace(requests=1))
    assert arguments == {EAGER: True}
    assert text.endswith(
        "3,000 tokens are left to make, by measurement 58 s with the start, against 69 s compiled"
    )


def test_a_measurement_that_is_close_is_no_reason() -> None:
    keep()
    arguments, _ = fit(FEW._replace(tokens=4500, requests=1))
    assert EAGER not in arguments


def test_a_measurement_is_of_the_settings_with_which_it_was_made() -> None:
    keep(settings={"tensor_parallel_size": 2})
    assert read_break_even("f", {"tensor_parallel_size": 2}, None, "0.25.1") == MEASURED
    assert read_break_even("f", {}, None, "0.25.1") is None


@pytest.mark.parametrize("content", ["", "[]", '{"eager": 1}', '{"eager": {"start_s": 1, "speeds": {}}}'])
def test_a_file_that_holds_no_measurement_counts_for_nothing(content: str) -> None:
    keep().write_text(content)
    assert read_break_even("f", {}, None, "0.25.1") is None


def test_a_run_goes_on_as_it_was_begun() -> None:
    assert fit(MANY._replace(eager=True))[0] == {EAGER: True}
    assert EAGER not in fit(FEW._replace(eager=False))[0]


def test_a_run_that_grew_says_how_to_go_on_with_graphs() -> None:
    assert "engine.enforce_eager=false goes on with graphs" in fit(MANY._replace(eager=True))[1]
    assert fit(FEW._replace(eager=True))[1].endswith("as the run was begun")


@pytest.mark.parametrize(
    "settings",
    [
        {EAGER: True},
        {EAGER: False},
        {"compilation_config": {"cudagraph_capture_sizes": [1]}},
        {"compilation_config": {"cudagraph_mode": "NONE"}},
        {"compilation_config": 3},
    ],
)
def test_what_the_user_sets_stays(settings: dict[str, Any]) -> None:
    assert fit(FEW, settings) == ({}, "")


def test_where_compilation_costs_nothing_any_token_pays_for_it() -> None:
    assert BreakEven(Way(50.0, {1: 80.0}), Way(50.0, {1: 160.0})).tokens(1) == 0.0


def test_where_graphs_gain_nothing_none_do() -> None:
    assert BreakEven(Way(20.0, {1: 80.0}), Way(50.0, {1: 80.0})).tokens(1) is None


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Set XDG_CACHE_HOME"):
        write_break_even(tmp_path / "file" / "x.json", MEASURED, "m")
