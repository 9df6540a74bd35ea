import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.config import RunConfig
from k2eval.errors import ConfigError
from k2eval.speed import SpeedOptions, loads, tune, tune_command
from k2eval.speed.figures import Figures, Spread
from k2eval.speed.tune import levels_of

NOTHING = Spread.of([])
LEVELS = loads([1, 16], [], requests=2, input_tokens=1, output_tokens=2, temperature=1.0, ignore_eos=False)


def figures(speed: float) -> Figures:
    return Figures("c", "l", 1, 0, 1.0, 1.0, 1.0, 1.0, speed, speed, NOTHING, NOTHING, NOTHING, 1.0)


def options(speculative: dict[str, Any] | None, **changes: Any) -> SpeedOptions:
    config = RunConfig.model_validate(
        {"model": "m", "tasks": ("smoke",), "out": Path(), "speculative": speculative}
    )
    return replace(SpeedOptions((("m", config),), LEVELS), **changes)


def test_levels_hold_the_speeds_by_drafted_tokens() -> None:
    measured = {None: [figures(50.0), figures(700.0)], 3: [figures(120.0), figures(690.0)]}
    assert levels_of([1, 16], measured) == [(1, 50.0, {3: 120.0}), (16, 700.0, {3: 690.0})]


def test_an_idle_draft_is_never_the_faster() -> None:
    measured = {None: [figures(50.0)], 0: [figures(60.0)], 3: [figures(120.0)]}
    assert levels_of([1], measured) == [(1, 50.0, {0: 50.0, 3: 120.0})]


def test_a_level_is_the_speed_while_all_requests_are_in_flight() -> None:
    plain, drafted = (
        replace(figures(speed), tokens_per_s_full=full) for speed, full in ((300.0, 400.0), (360.0, 320.0))
    )
    assert levels_of([256], {None: [plain], 3: [drafted]}) == [(256, 400.0, {3: 320.0})]


@pytest.mark.parametrize("speculative", [None, {"method": "suffix"}])
def test_without_a_number_of_tokens_there_is_nothing_to_tune(speculative: dict[str, Any] | None) -> None:
    with pytest.raises(ConfigError, match="with its number of tokens"):
        tune_command(options(speculative))


def test_a_rate_has_no_number_of_requests_to_tune_for() -> None:
    [load, *_] = LEVELS
    with pytest.raises(ConfigError, match="got a rate"):
        ngram = {"method": "ngram", "num_speculative_tokens": 4}
        tune_command(options(ngram, loads=(replace(load, concurrency=None, rate=2.0),)))


NGRAM = {"method": "ngram", "num_speculative_tokens": 4}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was measured, by titles; no engine is started."""
    titles: list[str] = []

    async def measure(title: str, config: RunConfig, options: SpeedOptions, console: Any) -> list[Figures]:
        titles.append(title)
        failed = int(title == "2 drafted" and bool(FAILS))
        return [replace(figures(50.0 + len(titles)), failed=failed) for _ in options.loads]

    FAILS.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tune, "measure", measure)
    monkeypatch.setattr(tune, "VllmEngine", lambda *_: SimpleNamespace(info=SimpleNamespace(fingerprint="f")))
    return titles


FAILS: list[bool] = []


def kept(tmp_path: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in tmp_path.rglob("speculation/*.json")]


@pytest.mark.filterwarnings("ignore")
def test_a_schedule_is_measured_by_schedules_and_kept(measured: list[str], tmp_path: Path) -> None:
    levels = loads(
        [16, 1, 16], [], requests=None, input_tokens=1, output_tokens=2, temperature=1.0, ignore_eos=False
    )
    assert tune_command(options(NGRAM, loads=levels)) == 0
    assert measured == ["plain", "none drafted", "4 drafted", "2 drafted"]
    [file] = kept(tmp_path)
    assert [level["requests"] for level in file["measured"]] == [1, 16]
    assert list(file["measured"][0]["drafted"]) == ["0", "4", "2"]


@pytest.mark.filterwarnings("ignore")
def test_failed_requests_leave_no_schedule_behind(measured: list[str], tmp_path: Path) -> None:
    FAILS.append(True)
    assert tune_command(options(NGRAM, loads=LEVELS[:1])) == 1
    assert kept(tmp_path) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("speculative", "levels", "says"),
    [
        ({"method": "medusa", "model": "m", "num_speculative_tokens": 1}, LEVELS[:1], "no medusa head at m"),
        ({**NGRAM, "num_speculative_tokens_per_batch_size": [[1, 2, 3]]}, LEVELS[:1], "got both"),
        ({**NGRAM, "num_speculative_tokens": 65}, LEVELS[:1], "1 to 64, got 65"),
        (NGRAM, LEVELS, "Expected at least as many requests as are to be in flight, got 2 for 16 at a time"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_measured(
    measured: list[str], speculative: dict[str, Any], levels: Any, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        tune_command(options(speculative, loads=levels))
    assert measured == []
