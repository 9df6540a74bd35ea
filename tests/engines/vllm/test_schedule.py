import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.config import Schedule, is_scheduled, parse
from k2eval.engines.protocol import Demand
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.schedule import (
    EVER,
    FIELD,
    in_words,
    notes_on,
    read_levels,
    read_schedule,
    resolved,
    schedule_file,
    schedule_from,
    steps_ahead,
    write_schedule,
)
from k2eval.engines.vllm.worth import Level
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


def test_a_schedule_of_the_user_is_used_as_it_is() -> None:
    given = {**AUTO, "when": [[1, 4, 2], [5, 9, 0]]}
    config, [note] = resolved("f", given, {}, "0.32.0", on_cpu=True, demand=Demand(10_000, 1.0, ""))
    assert config is not None and config[FIELD] == [[1, 4, 2], [5, 9, 0]]
    assert note.text.endswith("(as set)")


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected auto"):
        parse("ngram,when=never")


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([(1, 50, 120), (64, 900, 1000), (256, 3000, 2900)], [[1, 64, 3], [65, EVER, 0]]),
        ([(1, 50, 49), (64, 900, 1000)], [[1, EVER, 0]]),
        ([(1, 50, 50.5), (16, 70, 70)], [[1, EVER, 0]]),
        ([(16, 700, 900), (1, 50, 99)], [[1, 16, 3], [17, EVER, 0]]),
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
    assert config == {"method": "ngram", "num_speculative_tokens": 4, FIELD: [[1, 8, 4], [9, EVER, 0]]}
    assert note.text.startswith("drafts 4 tokens for 1 to 8 running requests, none for more (not measured")


NANO = Path(__file__).resolve().parents[3] / "models" / "nano"
DRAFT = {**AUTO, "method": "draft_model", "model": str(NANO / "draft")}


@pytest.mark.parametrize(
    ("setting", "requests", "starts"),
    [(DRAFT, 32, True), (DRAFT, 33, False), (DRAFT, None, True), (AUTO, 10_000, True)],
)
def test_an_unmeasured_draft_is_started_for_few_requests_alone(
    setting: dict[str, Any], requests: int | None, starts: bool
) -> None:
    """Under a schedule a draft model costs speed also while it drafts nothing."""
    demand = None if requests is None else Demand(requests, 1.0, "")
    config, notes = resolved("f", setting, {}, "0.32.0", on_cpu=True, demand=demand)
    assert (config is not None) is starts
    assert starts or "33 requests are to be answered, more than 32" in notes[0].text


FASTER_ALONE = [Level(1, 50.0, {0: 50.0, 4: 100.0}), Level(8, 400.0, {0: 300.0, 4: 200.0})]


@pytest.mark.parametrize(
    ("requests", "starts"), [(2, True), (10_000, False)], ids=["mostly tail", "mostly many at once"]
)
def test_a_run_that_a_measured_schedule_would_slow_down_starts_without(requests: int, starts: bool) -> None:
    write_schedule(schedule_file("f", AUTO, "0.32.0", True), FASTER_ALONE, {})
    demand = Demand(requests, 1.0, "")
    config, [note] = resolved("f", AUTO, {}, "0.32.0", on_cpu=True, demand=demand)
    assert (config is not None) is starts
    assert starts or "10,000 requests would take 1.33 × the time with it" in note.text


@pytest.mark.parametrize("room", [1, None])
def test_a_run_of_long_answers_keeps_few_in_flight(room: int | None) -> None:
    """The cache has room for one, however many are asked."""
    write_schedule(schedule_file("f", AUTO, "0.32.0", True), FASTER_ALONE, {})
    demand = Demand(10_000, 1.0, "")
    config, _ = resolved("f", AUTO, {}, "0.32.0", on_cpu=True, demand=demand, room=room)
    assert (config is not None) is (room is not None)


@pytest.mark.parametrize(("room", "starts"), [(8, True), (9, False)])
def test_an_unmeasured_draft_is_started_where_few_run_at_once(room: int, starts: bool) -> None:
    demand = Demand(10_000, 1.0, "")
    config, _ = resolved("f", DRAFT, {}, "0.32.0", on_cpu=True, demand=demand, room=room)
    assert (config is not None) is starts


def test_drafts_that_gain_nowhere_are_not_started() -> None:
    write_schedule(schedule_file("f", AUTO, "0.32.0", True), [Level(1, 50.0, {0: 49.0, 4: 40.0})], {})
    config, [note] = resolved("f", AUTO, {}, "0.32.0", on_cpu=True)
    assert config is None
    assert "gain at no number of running requests" in note.text


@pytest.mark.parametrize(
    ("config", "settings", "ahead"),
    [
        ({"method": "draft_model"}, {}, True),
        ({"method": "draft_model"}, {"async_scheduling": False}, False),
        ({"method": "draft_model"}, {"pipeline_parallel_size": 2}, False),
        ({"method": "draft_model", "disable_padded_drafter_batch": True}, {}, False),
        ({"method": "ngram"}, {}, False),
        (None, {}, False),
    ],
)
def test_steps_are_prepared_ahead_where_vllm_can(
    config: dict[str, Any] | None, settings: dict[str, Any], ahead: bool
) -> None:
    assert bool(steps_ahead(config, settings, on_cpu=False)) is ahead
    assert not steps_ahead(config, settings, on_cpu=True)


def test_a_measured_schedule_is_used_for_these_checkpoints_alone() -> None:
    write_schedule(schedule_file("f", AUTO, "0.32.0", True), [Level(2, 10.0, {4: 30.0})], {"model": "m"})
    config, [note] = resolved("f", AUTO, {}, "0.32.0", on_cpu=True)
    assert config is not None and config[FIELD] == [[1, 2, 4], [3, EVER, 0]]
    assert "measured here" in note.text
    assert read_schedule("other", AUTO, "0.32.0", True) is None
    assert read_schedule("f", {**AUTO, "num_speculative_tokens": 5}, "0.32.0", True) is None


@pytest.mark.parametrize(
    "content", ['{"schedule": [[1, Infinity, 3]]}', '{"schedule": "x"}', "[1]", "[" * 100_000]
)
def test_a_file_that_holds_no_schedule_is_passed_over(content: str) -> None:
    schedule_file("f", AUTO, "0.32.0", True).write_text(content)
    assert read_schedule("f", AUTO, "0.32.0", True) is None


@pytest.mark.parametrize(
    "measured",
    [
        None, 5, [5], [{}],
        *([{"requests": number, "plain": 1.0, "drafted": {"0": 1.0}}] for number in (0, -1, float("inf"), "x")),
        *([{"requests": 1, "plain": speed, "drafted": {"0": 1.0}}] for speed in (0, -1, 1e308, float("nan"), "x")),
    ],
)  # fmt: skip
def test_speeds_that_cannot_be_are_passed_over(measured: Any) -> None:
    schedule_file("f", AUTO, "0.32.0", True).write_text(json.dumps({"measured": measured}))
    assert read_levels("f", AUTO, "0.32.0", True) == []


@pytest.mark.parametrize(("requests", "starts"), [(32, True), (33, False)])
def test_a_schedule_without_the_speed_of_an_idle_draft_is_not_trusted_with_many(
    requests: int, starts: bool
) -> None:
    """An older k2eval measured each draft without a schedule."""
    write_schedule(schedule_file("f", DRAFT, "0.32.0", True), [Level(64, 50.0, {4: 100.0})], {})
    config, _ = resolved("f", DRAFT, {}, "0.32.0", on_cpu=True, demand=Demand(requests, 1.0, ""))
    assert (config is not None) is starts


def test_the_last_range_of_a_schedule_goes_on_in_words_as_in_vllm() -> None:
    assert in_words([[1, 64, 3]]) == "3 tokens for any number of running requests"


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


@pytest.mark.parametrize(("version", "is_first"), [("0.31.2", True), ("0.32.0", False), ("0.33.0rc1", False)])
def test_the_second_model_runner_drafts_with_heads_by_a_schedule_once_it_can(
    monkeypatch: pytest.MonkeyPatch, version: str, is_first: bool
) -> None:
    monkeypatch.setenv("VLLM_USE_V2_MODEL_RUNNER", "")
    _, notes = resolved("f", {**AUTO, "method": "eagle3"}, {}, version, on_cpu=False)
    assert any("second model runner" in note.text for note in notes) is is_first
    assert (os.environ["VLLM_USE_V2_MODEL_RUNNER"] == "0") is is_first


def test_the_next_engine_of_the_process_has_the_model_runner_of_its_own_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_USE_V2_MODEL_RUNNER", "")
    for _ in range(2):
        _, notes = resolved("f", AUTO, {}, "0.32.0", on_cpu=False)
        assert len(notes) == 2 and os.environ["VLLM_USE_V2_MODEL_RUNNER"] == "0"
    assert resolved("f", None, {}, "0.32.0", on_cpu=False) == (None, [])
    assert "VLLM_USE_V2_MODEL_RUNNER" not in os.environ


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


def test_a_checkpoint_that_starts_without_its_draft_still_has_it_for_the_next_checkpoint() -> None:
    first, second = (VllmEngine(str(NANO / "rl"), {}, DRAFT) for _ in range(2))
    version = first.info.engine.split()[1]
    file = schedule_file(first.info.fingerprint, DRAFT, version, True)
    write_schedule(file, [Level(1, 50.0, {0: 49.0, 4: 40.0})], {})
    first.describe()
    first._settle()  # as it does when it looks at a running engine that it cannot take over
    first.describe()
    assert "speculative_config" not in first.info.settings
    assert second.unlike(first) is None
