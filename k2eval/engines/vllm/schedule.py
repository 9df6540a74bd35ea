"""Speculation that follows the load: how many tokens are drafted for how many running requests.

A draft pays while few requests run, and costs while many do. With ``when=auto`` vLLM drafts by a schedule
(``num_speculative_tokens_per_batch_size``): one that `k2eval speed --tune` measured on this machine with these
checkpoints, or a cautious one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from k2eval.config import AUTO, WHEN, Schedule, is_scheduled, schedule_in
from k2eval.engines.protocol import Demand
from k2eval.engines.vllm import suffix
from k2eval.engines.vllm.cpu_repair import EXTENSION
from k2eval.engines.vllm.swapping import draft_fingerprint
from k2eval.engines.vllm.worth import Level, gain_of
from k2eval.errors import ConfigError
from k2eval.records import Note, NoteKind, digest
from k2eval.system import cores, private_folder, replacing

FIELD = "num_speculative_tokens_per_batch_size"
_CAUTIOUS = {"cpu": 8, "gpu": 16}
"""Running requests up to which an unmeasured draft is used; docs/measurements.md has 2.4 to 2.7 × at one."""
_FEW = 4
"""Requests of a run with an unmeasured draft, by `_CAUTIOUS`: most of its time is then spent where drafts gain."""
_FREE = ("ngram", "suffix")
"""Methods that cost nothing on the CPU while nothing is drafted: no draft model whose cache is kept up to date."""
_UNNAMED = {"suffix": 24}
"""Drafted tokens at most, if the user names none: vLLM takes the depth of its suffix tree."""
EVER = 1 << 20
"""More requests than any engine runs at once."""
_PLACES = 1024
"""Requests that vLLM runs at once on a large GPU, if nothing else is set."""
_RUNNER = "VLLM_USE_V2_MODEL_RUNNER"
_KNOWN_TO_SECOND = ("eagle", "eagle3")
_SECOND_KNOWS = (0, 32)
"""The vLLM whose second model runner drafts as many tokens as a schedule asks for, with these heads."""
_chosen: set[str] = set()
"""Variables that k2eval has set in this process, rather than the user."""
_AHEAD = "async_scheduling"


def schedule_from(levels: Sequence[Level], gain: float = 1.02) -> Schedule:
    """Return the schedule that measured speeds ask for: drafts where they gain, and none beyond what was measured.

    Between two levels the number of the higher one holds, since gains fall as requests grow.

    Args:
        levels: Speeds at growing numbers of requests.
        gain: Least ratio of speeds that counts as a gain, above the noise of the measurement.

    >>> few, more = Level(1, 50.0, {3: 120.0, 1: 90.0}), Level(16, 700.0, {3: 720.0, 1: 900.0})
    >>> many = Level(64, 1000.0, {3: 900.0})
    >>> schedule_from([few, more, many])
    [[1, 1, 3], [2, 16, 1], [17, 1048576, 0]]
    """
    schedule: Schedule = []
    first = 1
    for level in sorted(levels, key=_requests):
        best = level.best(gain)
        if schedule and (schedule[-1][2] == best or not schedule[-1][2]):
            schedule[-1][1] = level.requests  # where drafts have ceased to pay they do not begin again
        else:
            schedule.append([first, level.requests, best])
        first = level.requests + 1
    if schedule and not schedule[-1][2]:
        schedule[-1][1] = EVER
    elif schedule:
        schedule.append([first, EVER, 0])
    return schedule


def resolved(
    fingerprint: str,
    speculative: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    version: str,
    on_cpu: bool,
    demand: Demand | None = None,
    room: int | None = None,
) -> tuple[dict[str, Any] | None, list[Note]]:
    """Return the ``speculative_config`` for vLLM, and what a reader must know of the schedule.

    Args:
        fingerprint: The target's fingerprint.
        speculative: The setting, with ``when`` or without; None without speculation.
        settings: Engine arguments of vLLM.
        version: Version of vLLM.
        on_cpu: Whether vLLM computes on the CPU.
        demand: All that the engine will be asked; None if more may follow.
        room: Requests for which the cache of keys and values has room; None if nobody knows.

    Returns:
        None instead of a configuration if the run had better start without speculation.

    Raises:
        ConfigError: If this vLLM has no schedules, or one with these settings is known to be faulty.
    """
    if not speculative:
        return None, _choose_runner(None, version, on_cpu)
    config = {key: value for key, value in speculative.items() if key != WHEN}
    if not is_scheduled(speculative):
        return config, _choose_runner(config, version, on_cpu)
    refuse_schedule(config, settings, version)
    tokens = int(config.get("num_speculative_tokens") or _UNNAMED.get(str(config.get("method")), 1))
    schedule, origin = schedule_in(speculative[WHEN]), "as set"
    if schedule is None:
        levels = read_levels(fingerprint, config, version, on_cpu)
        schedule, origin = (
            read_schedule(fingerprint, config, version, on_cpu),
            "as k2eval speed --tune measured here",
        )
        reason = _against(schedule, levels, demand, _at_once(settings, room), config, on_cpu)
        if reason:
            note = Note(kind=NoteKind.ENGINE, text=f"no speculation in this start: {reason}")
            return None, [note, *_choose_runner(None, version, on_cpu)]
    if schedule is None:
        schedule, origin = _cautious(tokens, on_cpu), "not measured here, see k2eval speed --tune"
    config[FIELD] = schedule
    config["num_speculative_tokens"] = max(tokens, *(entry[2] for entry in schedule))
    note = Note(kind=NoteKind.ENGINE, text=f"drafts {in_words(schedule)} ({origin})")
    return config, [note, *_choose_runner(config, version, on_cpu)]


def _choose_runner(config: Mapping[str, Any] | None, version: str, on_cpu: bool) -> list[Note]:
    """Have vLLM use its first model runner for a schedule that the second ignores, and choose itself otherwise.

    The choice is an environment variable, so it would hold for the next engine of this process, too.

    Returns:
        A note if the runner was chosen.

    Raises:
        ConfigError: If the user has chosen the second model runner.
    """
    if _chosen and os.environ.get(_RUNNER) == "0":
        del os.environ[_RUNNER]
    _chosen.clear()
    if on_cpu or not (config and FIELD in config) or os.environ.get(_RUNNER) == "0":
        return []
    if config.get("method") in _KNOWN_TO_SECOND and _release(version) >= _SECOND_KNOWS:
        return []
    if os.environ.get(_RUNNER):  # vllm-project/vllm#57053
        raise ConfigError(
            f"{WHEN}={AUTO}: vLLM's second model runner ignores schedules of speculation. Leave {_RUNNER} unset."
        )
    os.environ[_RUNNER] = "0"
    _chosen.add(_RUNNER)
    text = "vLLM's second model runner ignores schedules of speculation, so the first one is used"
    return [Note(kind=NoteKind.ENGINE, text=text)]


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _against(
    schedule: Schedule | None,
    levels: Sequence[Level],
    demand: Demand | None,
    at_once: int,
    config: Mapping[str, Any],
    on_cpu: bool,
) -> str | None:
    """Return why a run had better start without speculation; None if it is worth its cost, or nobody knows."""
    if schedule is not None and not any(entry[2] for entry in schedule):
        return "drafts gain at no number of running requests, as k2eval speed --tune measured here"
    if demand is None:
        return None
    requests = demand.requests
    gain = gain_of(requests, at_once, levels, schedule) if schedule else None
    if gain is None:  # nothing was measured, or by a k2eval that did not measure what an idle draft costs
        drafted = _CAUTIOUS["cpu" if on_cpu else "gpu"]
        few = _FEW * drafted
        is_free = on_cpu and config.get("method") in _FREE
        unmeasured = (
            f"{requests:,} requests are to be answered, more than {few}, and whether drafts pay for so many was not "
            "measured here. k2eval speed --tune measures it"
        )
        return None if is_free or requests <= few or at_once <= drafted else unmeasured
    if gain >= 1:
        return None
    return f"by k2eval speed --tune, {requests:,} requests would take {1 / gain:.2f} × the time with it"


def _at_once(settings: Mapping[str, Any], room: int | None) -> int:
    places = settings.get("max_num_seqs")
    places = places if isinstance(places, int) and places > 0 else _PLACES
    return places if room is None else min(places, room)


def steps_ahead(
    speculative: Mapping[str, Any] | None, settings: Mapping[str, Any], on_cpu: bool
) -> dict[str, Any]:
    """Return the engine argument by which vLLM prepares a step beside the one before, where it leaves that off.

    VLLM 0.25 leaves it off with draft models, though it can do it (vllm-project/vllm#48341). At the 32B shape on an
    H200 with 256 requests and no drafts that costs a fifth of the speed.

    Args:
        speculative: vLLM's ``speculative_config``.
        settings: Engine arguments of vLLM; what the user has set is left as it is.
        on_cpu: Whether vLLM computes on the CPU, where no step is prepared ahead.

    >>> steps_ahead({"method": "draft_model"}, {}, on_cpu=False)
    {'async_scheduling': True}
    """
    unlike = ("distributed_executor_backend", "pipeline_parallel_size", "data_parallel_size")
    if (
        on_cpu
        or not speculative
        or speculative.get("method") != "draft_model"
        or speculative.get("disable_padded_drafter_batch")
        or settings.get(_AHEAD) is not None
        or any(settings.get(name) not in (None, 1) for name in unlike)
    ):
        return {}
    return {_AHEAD: True}


def notes_on(config: Any, on_cpu: bool) -> list[Note]:
    """Return what a reader must know of how vLLM schedules speculated steps.

    Args:
        config: The configuration of the vLLM that has started.
        on_cpu: Whether vLLM computes on the CPU, where no step is prepared ahead.
    """
    if on_cpu or not config.speculative_config or config.scheduler_config.async_scheduling:
        return []
    text = (
        "with this speculation vLLM prepares each step only after the one before, so many requests at once may be "
        "slower than without speculation"
    )
    # VLLM refuses it with drafters that read text, such as ngram and suffix.
    remedy = "; engine.async_scheduling=true asks for the contrary"
    text += remedy if config.speculative_config.method == "draft_model" else ""
    return [Note(kind=NoteKind.ENGINE, text=text)]


def _cautious(tokens: int, on_cpu: bool) -> Schedule:
    last = _CAUTIOUS["cpu" if on_cpu else "gpu"]
    return [[1, last, tokens], [last + 1, EVER, 0]]


def in_words(schedule: Schedule) -> str:
    """Return a schedule in words.

    >>> in_words([[1, 8, 3], [9, 256, 0]])
    '3 tokens for 1 to 8 running requests, none for more'
    >>> in_words([[1, 8, 3]])  # vLLM goes on as in the last range
    '3 tokens for any number of running requests'
    """
    parts = []
    for place, (first, last, tokens) in enumerate(schedule):
        number = f"{tokens} token{'s' * (tokens != 1)}" if tokens else "none"
        if place == len(schedule) - 1:
            span = "more" if place else "any number of running requests"
        else:
            span = f"{first} to {last}" + ("" if place else " running requests")
        parts.append(f"{number} for {span}")
    return ", ".join(parts)


def refuse_schedule(config: Mapping[str, Any], settings: Mapping[str, Any], version: str) -> None:
    """Refuse a schedule with a vLLM, a method or settings that are known to be faulty with it.

    Raises:
        ConfigError: If it is refused.
    """
    from dataclasses import fields

    from vllm.config.speculative import SpeculativeConfig

    remedy = f"Leave {WHEN}={AUTO} out"
    if FIELD in config:
        raise ConfigError(f"Expected {WHEN}={AUTO} or {FIELD}, got both. Leave one out.")
    if FIELD not in [field.name for field in fields(SpeculativeConfig)]:
        raise ConfigError(
            f"vLLM {version} cannot let speculation follow the load ({WHEN}={AUTO}): it has no {FIELD}. {remedy}, or "
            "install vLLM 0.25.1 or later."
        )
    method = str(config.get("method") or "")
    if method.endswith("mtp"):  # vllm-project/vllm#49548
        raise ConfigError(
            f"{WHEN}={AUTO} with mtp makes vLLM many times slower at the border of two ranges. {remedy}, or draft "
            "with a model or a head."
        )
    if method in ("medusa", "mlp_speculator", "custom_class"):
        raise ConfigError(
            f"{WHEN}={AUTO}: vLLM drafts by schedule with draft, eagle, eagle3, dflash, ngram and "
            f"suffix, not with {method}. {remedy}."
        )
    if method == "suffix" and not suffix.takes_number():
        raise ConfigError(
            f"{WHEN}={AUTO}: the suffix drafter of vLLM {version} is not told what the schedule asks for. {remedy}."
        )
    if method == "suffix" and settings.get("worker_extension_cls") not in (None, EXTENSION):
        raise ConfigError(
            f"{WHEN}={AUTO} with suffix repairs vLLM's drafter in its workers, and engine.worker_extension_cls is "
            f"set. {remedy}, or leave that out."
        )
    if int(settings.get("data_parallel_size") or 1) > 1:
        raise ConfigError(
            f"{WHEN}={AUTO}: vLLM ignores schedules of speculation with data_parallel_size above 1. Use --replicas "
            f"instead, or {remedy[0].lower()}{remedy[1:]}."
        )


def schedule_file(fingerprint: str, config: Mapping[str, Any], version: str, on_cpu: bool) -> Path:
    """Return the file of the schedule that was measured with these checkpoints on this kind of machine.

    Raises:
        OSError: If this user has no folder for it.
    """
    return private_folder("speculation") / f"{_key(fingerprint, config, version, on_cpu)}.json"


def _key(fingerprint: str, config: Mapping[str, Any], version: str, on_cpu: bool) -> str:
    method = {key: value for key, value in config.items() if key not in (WHEN, FIELD, "model")}
    return digest(fingerprint, draft_fingerprint(config), method, version, device_name(on_cpu))[:24]


def device_name(on_cpu: bool) -> str:
    """Return the name of the device that vLLM computes on; on the CPU with its number of cores."""
    if on_cpu:
        return f"cpu {cores.count()}"
    from vllm.platforms import current_platform

    try:
        return str(current_platform.get_device_name())
    except Exception:  # a platform that cannot tell without starting its device
        return "gpu"


def read_schedule(fingerprint: str, config: Mapping[str, Any], version: str, on_cpu: bool) -> Schedule | None:
    """Return the schedule that was measured; None if none was, or the file is no schedule."""
    return schedule_in(_measured(fingerprint, config, version, on_cpu).get("schedule"))


def read_levels(fingerprint: str, config: Mapping[str, Any], version: str, on_cpu: bool) -> list[Level]:
    """Return the speeds that were measured; empty if none were, or the file holds something else."""
    try:
        return [
            Level(
                int(entry["requests"]),
                float(entry["plain"]),
                {int(tokens): float(speed) for tokens, speed in entry["drafted"].items()},
            )
            for entry in _measured(fingerprint, config, version, on_cpu).get("measured", ())
            if 0 < entry["requests"] <= EVER
            and all(map(_is_speed, (entry["plain"], *entry["drafted"].values())))
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _is_speed(number: float) -> bool:
    """Tell a speed of any machine from zero, infinity and what is not a number."""
    return 1e-6 < number < 1e12


def _requests(level: Level) -> int:
    return level.requests


def _measured(fingerprint: str, config: Mapping[str, Any], version: str, on_cpu: bool) -> dict[str, Any]:
    try:
        content = json.loads(schedule_file(fingerprint, config, version, on_cpu).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write_schedule(path: Path, levels: Sequence[Level], names: Mapping[str, str]) -> Schedule:
    """Write the schedule of measured speeds with the speeds themselves, and return it.

    Args:
        path: See `schedule_file`.
        levels: The speeds.
        names: What was measured, for people: model, draft …
    """
    schedule = schedule_from(levels)
    measured = [level._asdict() for level in sorted(levels, key=_requests)]
    with contextlib.suppress(FileNotFoundError), replacing(path) as partial:
        partial.write_text(json.dumps({**names, "schedule": schedule, "measured": measured}, indent=1) + "\n")
    return schedule
