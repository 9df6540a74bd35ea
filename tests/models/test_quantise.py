"""Our quantised checkpoints: their numbers, their files, and real vLLM."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("compressed_tensors")

from compressed_tensors.compressors import BaseCompressor  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from k2eval.compare import compare  # noqa: E402
from k2eval.engines.quantisation import weights_of  # noqa: E402
from k2eval.engines.vllm import setup  # noqa: E402
from k2eval.errors import ConfigError  # noqa: E402
from k2eval.journal import read_run  # noqa: E402
from k2eval.testing import make_tiny_checkpoint  # noqa: E402
from models.quantise import Rounding, main, quantise  # noqa: E402

NAME = "model.layers.0.mlp.down_proj"
STEPS = {"W4A16": 1 / 7.5, "W4A16_ASYM": 1 / 7.5, "W8A16": 1 / 127.5, "W8A8": 1 / 127.5}
"""Step of each scheme as a share of a group's largest weight."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("original") / "tiny", width=256)


def restored(scheme: str, weight: Any, group: int | None = None) -> Any:
    rounding = Rounding(scheme, group)
    packed = rounding.compress(weight)
    compressor = BaseCompressor.get_value_from_registry(rounding.scheme.format)
    return compressor.decompress(packed, rounding.scheme)["weight"].float()


@pytest.mark.parametrize("scheme", STEPS)
def test_weights_are_rounded_to_the_nearest_step(scheme: str) -> None:
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    gaps = (restored(scheme, weight) - weight.float()).abs()
    largest = weight.float().abs().amax(-1, keepdim=True)
    # Half a step, and what the scale loses in bfloat16.
    assert bool((gaps <= largest * (0.5 * STEPS[scheme] + 0.01)).all())
    assert float(gaps.mean()) > 0


@pytest.mark.parametrize("scheme", ["FP8_DYNAMIC", "FP8_TENSOR"])
def test_numbers_of_fp8_have_three_bits_of_mantissa(scheme: str) -> None:
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    gaps = (restored(scheme, weight) - weight.float()).abs()
    assert bool((gaps <= weight.float().abs() / 16 + 1e-3 * weight.float().abs().max()).all())


def test_smaller_groups_lose_less() -> None:
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    loss = [float((restored("W4A16", weight, group) - weight.float()).abs().mean()) for group in (128, 32)]
    assert loss[1] < loss[0]


def test_weights_of_zero_stay_zero() -> None:
    weight = torch.zeros(32, 128, dtype=torch.bfloat16)
    assert not restored("W4A16", weight).any()


def test_a_quantised_checkpoint_is_smaller_and_tells_its_kind(original: Path, tmp_path: Path) -> None:
    out = quantise(original, tmp_path / "int4", scheme="W4A16")
    before, after = weights_of(str(original), {}), weights_of(str(out), {})
    assert (before.label, after.label) == ("bfloat16", "INT4 (W4A16, groups of 128)")
    assert before.size and after.size and after.size < before.size
    tensors = load_file(out / "model.safetensors")
    assert f"{NAME}.weight_packed" in tensors and f"{NAME}.weight" not in tensors
    assert torch.equal(
        tensors["model.embed_tokens.weight"],
        load_file(original / "model.safetensors")["model.embed_tokens.weight"],
    )
    assert json.loads((out / "quantised.json").read_text())["method"] == "round to nearest"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scheme": "W4A16", "group": 96}, "Give --group 128"),
        ({"scheme": "FP8_DYNAMIC", "group": 128}, "leave --group out"),
        ({"scheme": "W3A16"}, "Expected a scheme among W4A16"),
    ],
)
def test_what_cannot_be_is_refused(
    original: Path, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        quantise(original, tmp_path / "out", **arguments)


def test_a_quantised_checkpoint_is_not_quantised_again(original: Path, tmp_path: Path) -> None:
    out = quantise(original, tmp_path / "int8", scheme="W8A8")
    with pytest.raises(ConfigError, match="quantised already"):
        quantise(out, tmp_path / "again", scheme="W4A16")


def test_the_command_ends_with_2_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path), str(tmp_path / "out")])
    assert end.value.code == 2
    assert "expected a folder with config.json" in capsys.readouterr().err


def test_int4_is_refused_at_once_where_vllm_has_no_code_for_it(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantised = quantise(original, tmp_path / "int4", scheme="W4A16")
    monkeypatch.setattr(setup, "_has_kernel", lambda name: False)
    with pytest.raises(ConfigError, match=r"INT4 \(W4A16, groups of 128\), for which vLLM needs a GPU or"):
        setup.check_kernels(str(quantised))
    setup.check_kernels(str(original))


@pytest.mark.slow
@pytest.mark.xdist_group("engines")
@pytest.mark.timeout(900)
def test_vllm_answers_with_int4_and_compare_says_what_it_costs(original: Path, tmp_path: Path) -> None:
    quantised = quantise(original, tmp_path / "int4", scheme="W4A16")
    if setup.is_cpu() and not setup._has_kernel("cpu_gemm_wna16"):
        pytest.skip("a processor without AVX-512")
    runs = [tmp_path / "bf16", tmp_path / "w4a16"]
    for model, out in zip((original, quantised), runs, strict=True):
        command = f"run --model {model} --tasks smoke --limit 4 --set sampling.max_tokens=16 --out {out}"
        done = subprocess.run(
            [sys.executable, "-m", "k2eval", *command.split()], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    weights = read_run(runs[1]).model.weights
    assert weights is not None and weights.label == "INT4 (W4A16, groups of 128)"
    made = compare(runs).pairs[0].quantisation
    assert made is not None
    assert made.sentence.startswith("INT4 (W4A16, groups of 128) against bfloat16: ")
    assert "× the tokens/s" in made.sentence
