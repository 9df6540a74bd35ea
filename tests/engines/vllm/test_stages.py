"""What vLLM does while it starts, from lines as it writes them."""

from pathlib import Path

import pytest

from k2eval.engines.vllm.stages import IMPORTING, current_stage, stage_of


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("INFO 11-23 [core.py:134] Initializing a V1 LLM engine (v0.32.0) with config: …", "starting the engine's processes"),
        ("Fetching 4 files:  25%|##5       | 1/4 [00:09<00:27]", "downloading the checkpoint, 25 %"),
        ("INFO [gpu_model_runner.py:5040] Starting to load model models/nano/rl...", "loading weights"),
        ("\rLoading safetensors checkpoint shards:  50% Completed | 1/2", "loading weights, 50 %"),
        ("INFO [default_loader.py:400] Loading weights took 0.02 seconds", "preparing the model"),
        ("INFO [backends.py:900] Dynamo bytecode transform time: 4.1 s", "compiling"),
        ("INFO [gpu_worker.py:300] Available KV cache memory: 55.5 GiB", "reserving the key-value cache"),
        ("\rCapturing CUDA graphs (decode, FULL):  45%|####5 | 16/35", "capturing CUDA graphs, 45 %"),
        ("INFO [core.py:403] init engine (profile, create kv cache, warmup model) took 1.5 s", "getting ready to answer"),
        ("INFO [vllm.py:700] Enforce eager set, disabling torch.compile and CUDAGraphs.", IMPORTING),
    ],
)  # fmt: skip
def test_a_line_tells_the_stage(line: str, stage: str) -> None:
    assert stage_of(line) == stage


def test_the_last_line_counts() -> None:
    text = "Starting to load model m\nLoading weights took 2 seconds\nStarting to load model draft\n"
    assert stage_of(text) == "loading weights"


def test_an_earlier_start_in_the_same_log_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("init engine (profile, create kv cache, warmup model) took 9 s\n")
    assert current_stage(log, log.stat().st_size) == IMPORTING


def test_without_a_log_there_is_no_stage(tmp_path: Path) -> None:
    assert current_stage(tmp_path / "none", 0) == ""
