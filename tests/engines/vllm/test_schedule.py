import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.config.speculative import parse
from k2eval.engines.vllm.schedule import (
    FIELD,
    Level,
    Schedule,
    is_scheduled,
    notes_on,
    read_schedule,
    resolved,
    schedule_file,
    schedule_from,
    write_schedule,
)
from k2eval.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore")  # vLLM's own, while it is imported
AUTO = {"method": "ngram", "num_speculative_tokens": 4, "when": "auto"}


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_short_form_names_it() -> None:
    assert parse("draft=d,tokens=5,when=auto") == {
        "method": "draft_model", "model": "d", "num_speculative_tokens": 5, "when": "auto",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("when", "expected"), [({}, False), ({"when": "always"}, False), ({"when": "auto"}, True)]
)
def test_only_auto_follows_the_load(when: dict[str, str], expected: bool) -> None:
    assert is_scheduled(when) is expected


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected when=auto"):
        parse("ngram,when=never")
    with pytest.raises(ConfigError, match="expected auto or always, got 'often'"):
        is_scheduled({"when": "often"})


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([(1, 50, 120), (64, 900, 1000), (256, 3000, 2900)], [[1, 64, 3], [65, 256, 0]]),
        ([(1, 50, 49), (64, 900, 1000)], [[1, 64, 0]]),
        ([(1, 50, 50.5), (16, 70, 70)], [[1, 16, 0]]),
        ([(16, 700, 900), (1, 50, 99)], [[1, 16, 3]]),
    ],
)
def test_a_schedule_drafts_where_that_was_faster(
    speeds: list[tuple[int, float, float]], expected: Schedule
) -> None:
    assert (
        schedule_from([Level(number, plain, {3: drafted}) for number, plain, drafted in speeds]) == expected
    )


def test_without_a_measurement_few_requests_have_drafts() -> None:
    config, [note] = resolved("f", AUTO, {}, "0.32.0", on_cpu=True)
    assert config == {"method": "ngram", "num_speculative_tokens": 4, FIELD: [[1, 8, 4], [9, 1 << 20, 0]]}
    assert note.text.startswith("drafts 4 tokens for 1 to 8 running requests, none for more (not measured")


def test_a_measured_schedule_is_used_for_these_checkpoints_alone() -> None:
    write_schedule(schedule_file("f", AUTO, "0.32.0", True), [Level(2, 10.0, {4: 30.0})], {"model": "m"})
    config, [note] = resolved("f", AUTO, {}, "0.32.0", on_cpu=True)
    assert config[FIELD] == [[1, 2, 4]]
    assert "measured here" in note.text
    assert read_schedule("other", AUTO, "0.32.0", True) is None
    assert read_schedule("f", {**AUTO, "num_speculative_tokens": 5}, "0.32.0", True) is None


@pytest.mark.parametrize(
    "schedule", [[], [[2, 4, 1]], [[1, 4, 1], [6, 8, 0]], [[1, 4, -1]], [[4, 1, 1]], [[1, 4]], "x", None]
)
def test_a_file_that_holds_no_schedule_is_passed_over(schedule: Any) -> None:
    path = schedule_file("f", AUTO, "0.32.0", True)
    path.write_text(json.dumps({"schedule": schedule}))
    assert read_schedule("f", AUTO, "0.32.0", True) is None


@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        ({"method": "mtp"}, {}, "many times slower"),
        ({"method": "qwen3_next_mtp"}, {}, "many times slower"),
        ({"method": "medusa"}, {}, "not with medusa"),
        ({}, {"data_parallel_size": 2}, "ignores schedules"),
        ({FIELD: [[1, 2, 3]]}, {}, "got both"),
    ],
)
def test_what_vllm_is_known_to_do_wrong_is_refused(
    change: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        resolved("f", {**AUTO, **change}, settings, "0.32.0", on_cpu=True)


def test_the_second_model_runner_is_not_used_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_USE_V2_MODEL_RUNNER", "")
    _, notes = resolved("f", AUTO, {}, "0.32.0", on_cpu=False)
    assert "second model runner" in notes[1].text
    monkeypatch.setenv("VLLM_USE_V2_MODEL_RUNNER", "1")
    with pytest.raises(ConfigError, match="Leave VLLM_USE_V2_MODEL_RUNNER unset"):
        resolved("f", AUTO, {}, "0.32.0", on_cpu=False)


def test_speculation_without_a_schedule_stays_as_it_is() -> None:
    assert resolved("f", {"method": "ngram", "when": "always"}, {}, "0.32.0", on_cpu=True) == (
        {"method": "ngram"},
        [],
    )


def started(method: str | None, *, ahead: bool = False) -> Any:
    """The configuration of a vLLM that has started."""
    return SimpleNamespace(
        speculative_config=SimpleNamespace(method=method) if method else None,
        scheduler_config=SimpleNamespace(async_scheduling=ahead),
    )


@pytest.mark.parametrize(("method", "advised"), [("draft_model", True), ("ngram", False), ("suffix", False)])
def test_steps_that_wait_for_each_other_are_noted_with_what_vllm_takes(method: str, advised: bool) -> None:
    [note] = notes_on(started(method), on_cpu=False)
    assert "only after the one before" in note.text
    assert ("engine.async_scheduling=true" in note.text) is advised


@pytest.mark.parametrize(
    ("config", "on_cpu"),
    [(started("draft_model", ahead=True), False), (started(None), False), (started("draft_model"), True)],
)
def test_nothing_is_noted_where_steps_do_not_wait_or_never_could(config: Any, on_cpu: bool) -> None:
    assert notes_on(config, on_cpu) == []
