from pathlib import Path

import pytest

from k2eval.config import RunConfig
from k2eval.errors import ConfigError
from k2eval.speed.start import Line, Stage, stages_of, start_command

MOMENTS = {"begin": 0.0, "start": 2.0, "imported": 10.0, "ready": 40.0, "first": 41.0, "second": 41.5}
LOG = [
    Line(9.0, "INFO Initializing a V1 LLM engine of an earlier start"),
    Line(12.0, "INFO Initializing a V1 LLM engine (v0.32.0)"),
    Line(13.0, "INFO Starting to load model m"),
    Line(18.0, "INFO Loading weights took 4.50 seconds"),
    Line(24.0, "INFO torch.compile took 3.25 s in total"),
    Line(25.0, "INFO Available KV cache memory: 9 GiB"),
    Line(33.0, "INFO Graph capturing finished in 6 secs, took 1 GiB"),
    Line(34.0, "INFO init engine (profile, create kv cache, warmup model) took 16 s"),
]


def test_the_stages_of_a_start_add_up_to_the_whole() -> None:
    stages = stages_of(LOG, MOMENTS)
    assert sum(stage.seconds for stage in stages if not stage.within) == 41.0
    assert {stage.name: stage.seconds for stage in stages}["the engine's process"] == 2.0


def test_compilation_and_graphs_are_parts_of_their_stages() -> None:
    parts = [stage for stage in stages_of(LOG, MOMENTS) if stage.name in ("compilation", "graphs")]
    assert parts == [
        Stage("compilation", 3.25, "memory profiling"),
        Stage("graphs", 6.0, "key-value cache and warm-up"),
    ]


def test_a_log_that_says_nothing_leaves_the_moments_of_this_process() -> None:
    names = [stage.name for stage in stages_of([], MOMENTS)]
    assert names[:3] == ["k2eval before the engine", "importing vLLM", "the rest of the start"]


def test_only_vllm_in_process_has_a_start_to_look_at() -> None:
    engine = {"kind": "endpoint", "arguments": {"base_url": "http://a/v1"}}
    config = RunConfig.model_validate({"model": "m", "tasks": ("smoke",), "out": Path(), "engine": engine})
    with pytest.raises(ConfigError, match="got the endpoint engine"):
        start_command(config, None)
