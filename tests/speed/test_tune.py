from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from k2eval.config import RunConfig
from k2eval.errors import ConfigError
from k2eval.speed import SpeedOptions, loads, tune_command
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
