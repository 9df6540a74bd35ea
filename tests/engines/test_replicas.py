"""Replicas are opened with what their share of the run decides."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.config import FleetConfig
from k2eval.engines import Demand
from k2eval.engines.fleet import FleetEngine
from k2eval.engines.ray import Blueprint
from k2eval.engines.replicas import open_replicas
from k2eval.reasoning import Detection, format_named


def fleet(folder: Path, replicas: int) -> FleetEngine:
    script = folder / "script.jsonl"
    script.write_text('{"match": "", "responses": ["4"]}\n')
    detection = Detection(format_named("none"), "")
    engine = open_replicas(
        "scripted", str(script), {}, None, folder / "log", detection, FleetConfig(replicas=replicas)
    )
    assert isinstance(engine, FleetEngine)
    return engine


def blueprint_of(engine: FleetEngine) -> Blueprint:
    supply: Any = engine._supply
    made: Blueprint = supply._blueprint()
    return made


@pytest.mark.parametrize(("requests", "share"), [(None, None), (8, 4), (9, 5)])
def test_each_replica_knows_its_share_of_the_requests(
    tmp_path: Path, requests: int | None, share: int | None
) -> None:
    engine = fleet(tmp_path, 2)
    if requests is not None:
        engine.anticipate(Demand(requests, 1000.0, "at most"))
    assert blueprint_of(engine).requests == share


def test_an_engine_of_a_replica_is_told_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Demand] = []
    engine = SimpleNamespace(anticipate=told.append)
    monkeypatch.setattr("k2eval.engines.kinds.open_engine", lambda *_: engine)
    Blueprint(kind="vllm", model="m").open(None)
    assert not told
    Blueprint(kind="vllm", model="m", requests=7).open(None)
    assert [(demand.requests, demand.tokens) for demand in told] == [(7, math.inf)]
