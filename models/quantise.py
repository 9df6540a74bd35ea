"""Write a quantised copy of a checkpoint, in a format that vLLM loads (compressed-tensors).

    python -m models.quantise models/nano/rl build/rl-int4 --scheme W4A16 --group 32
    python -m models.quantise CHECKPOINT OUT --scheme FP8_DYNAMIC --device cuda

Each weight of the layers' projections is rounded to the nearest number that its scale allows. The scale of each group
of inputs, or of each output, maps the largest weight to the largest number. No text is asked: this is plain rounding
("RTN"). `models.calibrate` does better at four bits, with texts.

Embeddings, norms and the output layer stay as they are, as in the checkpoints that llm-compressor writes. The schemes
are named as there: W4A16 has weights of 4 bits in groups; FP8_DYNAMIC has weights and activations of 8 bits (E4M3).
FP8_TENSOR has one scale for each matrix: vLLM's CPU kernels (AMX) run that one fast, and FP8_DYNAMIC only on GPUs.
Packing, rounding and files are those of the library compressed-tensors, a part of vLLM. Memory: one file of weights
at a time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.compressors.format import infer_module_format
from compressed_tensors.entrypoints.convert import Converter, convert_checkpoint
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    QuantizationStatus,
    preset_name_to_scheme,
)
from compressed_tensors.quantization.utils import calculate_qparams
from torch import Tensor

from k2eval.errors import ConfigError

SCHEMES = ("W4A16", "W4A16_ASYM", "W8A16", "W8A8", "FP8_DYNAMIC", "FP8_TENSOR")
"""Schemes whose activations need no calibration."""
_PROJECTIONS = "_proj"
"""End of the names of the layers that are quantised, in the models of Llama's kind."""


class Rounding(Converter):
    """Round the projections of a checkpoint to the nearest numbers of a scheme.

    Args:
        scheme: Name of a preset of compressed-tensors, one of `SCHEMES`.
        group: Inputs that share a scale, of schemes with groups; None for those of the preset (128).
        device: Device that computes.

    Raises:
        ConfigError: If the scheme is unknown, or has no groups.
    """

    def __init__(self, scheme: str, group: int | None = None, device: str = "cpu") -> None:
        self.scheme = scheme_of(scheme)
        weights: QuantizationArgs = self.scheme.weights
        if group is not None:
            if weights.group_size is None:
                raise ConfigError(f"{scheme} has a scale for each output and no groups: leave --group out.")
            weights = QuantizationArgs(**weights.model_dump() | {"group_size": group})
            self.scheme.weights = weights
        self.group: int | None = weights.group_size
        self.scheme.format = infer_module_format(torch.nn.Linear, self.scheme)
        self._device = device
        self._left: set[str] = {"lm_head"}

    def validate(self, tensors: dict[str, Tensor]) -> None:
        """Check that the widths can be divided into groups.

        Raises:
            ConfigError: If a width cannot.
        """
        for name, tensor in tensors.items():
            width = tensor.shape[-1]
            if self.group and _is_projection(name) and width % self.group:
                fitting = [size for size in (128, 64, 32) if width % size == 0]
                raise ConfigError(
                    f"Expected inputs that groups of {self.group} divide, got {name} with {width}. "
                    + (f"Give --group {fitting[0]}." if fitting else "vLLM has no smaller groups than 32.")
                )

    def process(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of one file, the projections among them quantised and packed."""
        made: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if not _is_projection(name):
                if tensor.ndim > 1 and "embed" not in name:
                    self._left.add(name.removesuffix(".weight"))
                made[name] = tensor
                continue
            module = name.removesuffix("weight")
            for part, value in self.compress(tensor.to(self._device)).items():
                made[module + part] = value.to("cpu").contiguous()
        return made

    def compress(self, weight: Tensor) -> dict[str, Tensor]:
        """Quantise and pack one weight.

        Args:
            weight: Outputs × inputs.

        Returns:
            The tensors that take its place, such as ``weight_packed`` and ``weight_scale``.
        """
        args: QuantizationArgs = self.scheme.weights
        exact = weight.float()
        groups = exact.unflatten(-1, (-1, self.group)) if self.group else exact.unsqueeze(-2)
        if args.strategy == "tensor":
            groups = exact.flatten()
        scale, zero_point = calculate_qparams(groups.amin(-1), groups.amax(-1), args)
        # vLLM holds the scales of integers in the type of the activations: round with the scale that it will use.
        scale = scale.to(weight.dtype if args.type == "int" else torch.float32)
        compressor = BaseCompressor.get_value_from_registry(self.scheme.format)
        state = {"weight": exact, "weight_scale": scale, "weight_zero_point": zero_point}
        packed: dict[str, Tensor] = compressor.compress(state, self.scheme)
        return packed

    def create_config(self) -> QuantizationConfig:
        """Return the entry of config.json."""
        return QuantizationConfig(
            config_groups={"group_0": self.scheme},
            ignore=sorted(self._left),
            format=self.scheme.format,
            quantization_status=QuantizationStatus.COMPRESSED,
        )

    def get_dependencies(self, weight_name: str) -> set[str]:
        """Return the tensors of other files that a tensor needs: none."""
        return set()


def scheme_of(name: str) -> QuantizationScheme:
    """Return a scheme by its name.

    Raises:
        ConfigError: If the name is unknown.
    """
    if name.upper() not in SCHEMES:
        raise ConfigError(f"Expected a scheme among {', '.join(SCHEMES)}, got {name!r}.")
    if name.upper() != "FP8_TENSOR":
        return preset_name_to_scheme(name, ["Linear"])
    numbers = {"num_bits": 8, "type": "float", "strategy": "tensor", "symmetric": True}
    return QuantizationScheme(
        targets=["Linear"],
        weights=QuantizationArgs(**numbers, dynamic=False),
        input_activations=QuantizationArgs(**numbers, dynamic=True),
    )


def quantise(
    folder: Path, out: Path, *, scheme: str, group: int | None = None, device: str = "cpu", workers: int = 1
) -> Path:
    """Write a quantised copy of a checkpoint, and return its folder.

    Args:
        folder: A checkpoint with safetensors in one of the float types.
        out: The new folder.
        scheme: One of `SCHEMES`.
        group: Inputs that share a scale; None for those of the preset.
        device: Device that computes.
        workers: Files that are quantised at the same time.

    Raises:
        ConfigError: If the checkpoint cannot be quantised so, or ``out`` exists.
    """
    check(folder, out)
    converter = Rounding(scheme, group, device)
    convert_checkpoint(str(folder), str(out), converter, max_workers=workers)
    note(out, method="round to nearest", scheme=scheme.upper(), group=converter.group, source=folder)
    return out


def check(folder: Path, out: Path) -> None:
    """Refuse a checkpoint that cannot be quantised, and a folder that exists.

    Raises:
        ConfigError: Says what to do.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigError(f"{folder} is not a checkpoint: expected a folder with config.json.")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if config.get("quantization_config"):
        raise ConfigError(f"{folder} is quantised already. Give the checkpoint that it was made from.")
    if "text_config" in config or "vision_config" in config:
        raise ConfigError(
            f"{folder} is a model of more than text, whose parts want rules of their own. Use llm-compressor."
        )
    files = sorted(folder.glob("*.safetensors"))
    if not any(_is_projection(name) for file in files for name in names_of(file)):
        raise ConfigError(f"{folder} has no weights in safetensors whose names end in {_PROJECTIONS}.weight.")
    if out.exists():
        raise ConfigError(f"{out} exists. Remove it, or give another folder.")


def names_of(file: Path) -> list[str]:
    """Return the names of the tensors in a file of safetensors."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        return list(tensors.keys())


def note(out: Path, *, source: Path, **how: Any) -> None:
    """Write beside the weights how they were made; no engine reads it."""
    entry = how | {"source": source.name}
    (out / "quantised.json").write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")


def _is_projection(name: str) -> bool:
    return name.endswith(f"{_PROJECTIONS}.weight")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scheme", choices=SCHEMES, type=str.upper, default="W4A16")
    parser.add_argument("--group", type=int, help="Inputs that share a scale; 128 by default.")
    parser.add_argument("--device", default="cpu", help="Device that computes, such as cuda.")
    options = parser.parse_args(arguments)
    try:
        out = quantise(
            options.checkpoint, options.out, scheme=options.scheme, group=options.group, device=options.device
        )
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    before, after = (sum(file.stat().st_size for file in folder.glob("*.safetensors"))
                     for folder in (options.checkpoint, out))  # fmt: skip
    print(f"{out}: {after / 1e6:,.1f} MB of weights, from {before / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
