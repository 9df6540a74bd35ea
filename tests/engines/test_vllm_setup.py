"""Settings that k2eval makes where the user makes none."""

from pathlib import Path

import pytest

from k2eval.engines import vllm_setup
from k2eval.engines.vllm_setup import defaults


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_NUM_OF_RESERVED_CPU"):
        monkeypatch.setenv(name, "1")


@pytest.mark.parametrize(("native", "expected"), [(True, None), (False, "float32")])
def test_small_checkpoints_compute_in_float32_where_bfloat16_is_slow(
    native: bool, expected: str | None, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_setup, "has_bfloat16", lambda: native)
    assert defaults(str(checkpoint), on_cpu=True).get("dtype") == expected


def test_large_checkpoints_keep_their_type(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_setup, "has_bfloat16", lambda: False)
    monkeypatch.setattr(vllm_setup, "weight_bytes", lambda model: 2 << 30)
    assert "dtype" not in defaults(str(checkpoint), on_cpu=True)


def test_a_gpu_gets_none_of_what_the_cpu_needs(checkpoint: Path) -> None:
    assert set(defaults(str(checkpoint), on_cpu=False)) == {
        "generation_config", "enable_prefix_caching", "disable_log_stats",
    }  # fmt: skip
