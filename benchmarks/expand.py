"""Grow a small checkpoint to a large shape without changing its answers.

A large model with random weights accepts no draft. A small trained model measures only how fast kernels are launched.
This module puts the small model inside the large shape, so that real cost meets real acceptance:

- The hidden state is written several times side by side and read from its first copy; the rest stays zero. If the
  copies' share of the width is a power of 4, the weights of RMSNorm are rescaled by a power of 2, which bfloat16 holds
  exactly; its epsilon follows.
- Heads go to the first places of their key-value groups, smaller heads to the rotary pairs that turn as fast.
- Layers are spread evenly. The layers between them, and all padding, have random weights that end in zero output
  projections. So they cost their normal time and change nothing.
- Tokens beyond the small vocabulary get very negative logits from one constant coordinate of the hidden state.

Nothing large is stored: `benchmarks.fill` writes into a model that vLLM loaded with ``load_format="dummy"``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_CONSTANT = 2.0**-10
"""Value of the constant coordinate: far too small to change a norm."""
_GAIN = 1.0e7
"""Weight of that coordinate in the last norm: logits of padded tokens become about -1e4 and less."""
_FILE = 1 << 31
"""Bytes of weights after which a new file begins."""
_SPREAD = 0.02
"""Standard deviation of the random weights, that of Qwen2's initialisation."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Qwen2 model."""

    layers: int
    width: int
    heads: int
    groups: int
    """Key-value heads."""
    inner: int
    vocabulary: int
    head: int = 128

    @classmethod
    def of(cls, config: dict[str, Any]) -> Shape:
        """Read the sizes from the content of a ``config.json``."""
        heads, width = int(config["num_attention_heads"]), int(config["hidden_size"])
        return cls(
            layers=int(config["num_hidden_layers"]),
            width=width,
            heads=heads,
            groups=int(config["num_key_value_heads"]),
            inner=int(config["intermediate_size"]),
            vocabulary=int(config["vocab_size"]),
            head=int(config.get("head_dim") or width // heads),
        )

    def check(self, large: Shape) -> None:
        """Refuse a larger shape that cannot hold this one."""
        reasons = [
            f"{name} {mine} > {theirs}"
            for name, mine, theirs in (
                ("layers", self.layers, large.layers), ("width", 2 * self.width, large.width),
                ("key-value heads", self.groups, large.groups), ("inner size", self.inner, large.inner),
                ("heads per group", self.heads // self.groups, large.heads // large.groups),
                ("vocabulary", self.vocabulary, large.vocabulary),
            )
            if mine > theirs
        ]  # fmt: skip
        if large.head % self.head:
            reasons.append(f"heads of {large.head}, not a multiple of {self.head}")
        if reasons:
            raise ValueError("The shape cannot hold the small model: " + "; ".join(reasons))


SHAPES = {
    "tiny": Shape(layers=6, width=512, heads=4, groups=2, inner=512, vocabulary=1024),
    "0.5b": Shape(layers=24, width=896, heads=7, groups=1, inner=4864, vocabulary=152_064),
    "7b": Shape(layers=28, width=3584, heads=28, groups=4, inner=18_944, vocabulary=152_064),
    "32b": Shape(layers=64, width=5120, heads=40, groups=8, inner=27_648, vocabulary=152_064),
}
"""For rehearsals, and Qwen2.5's; that of 0.5B with heads of 128 instead of 64, the parameters being as many."""


def copies(small: int, large: int) -> int:
    """Return the largest number of copies of a state whose share of the width is a power of 4, or else 1."""
    fitting = [count for count in range(1, large // small + 1) if large % (count * small) == 0]
    exact = [count for count in fitting if (large // (count * small)).bit_length() % 2 == 1
             and (large // (count * small)).bit_count() == 1]  # fmt: skip
    spare = [count for count in exact if count * small < large]
    return max(spare or exact or [1])


def _parts(tensors: Iterator[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Collect tensors in bfloat16 until they have `_FILE` bytes."""
    part: dict[str, Tensor] = {}
    for name, tensor in tensors:
        part[name] = tensor.to("cpu", torch.bfloat16).contiguous()
        if sum(kept.nbytes for kept in part.values()) >= _FILE:
            yield part
            part = {}
    if part:
        yield part


class Expansion:
    """One small checkpoint in one large shape.

    Args:
        folder: The small checkpoint, a Qwen2 with safetensors.
        large: The shape to fill.
        seed: Seed of the weights that change nothing.
    """

    def __init__(self, folder: Path, large: Shape, seed: int = 0) -> None:
        from safetensors.torch import load_file

        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.small, self.large, self.folder = Shape.of(self.config), large, folder
        self.small.check(large)
        self._weights: dict[str, Tensor] = {}
        for path in sorted(folder.glob("*.safetensors")):
            self._weights |= load_file(path)
        self._seed = seed
        step = large.layers / self.small.layers
        self.places = {int((number + 1) * step) - 1: number for number in range(self.small.layers)}
        """Layer of the large model -> layer of the small one."""
        self.copies = copies(self.small.width, large.width)
        self._share = self.copies * self.small.width / large.width
        self._constant = large.width - 1
        """Coordinate that never changes. Where copies fill the width it takes the place of the last entry of the last
        one, which the norms miss by one part in their width."""

    def write_config(self, folder: Path) -> Path:
        """Write what vLLM and transformers need beside the weights: ``config.json`` and the tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path.suffix in (".json", ".jinja", ".txt") and "safetensors" not in path.name:
                (folder / path.name).write_bytes(path.read_bytes())
        large = self.large
        config = self.config | {
            "num_hidden_layers": large.layers, "hidden_size": large.width, "num_attention_heads": large.heads,
            "num_key_value_heads": large.groups, "intermediate_size": large.inner, "head_dim": large.head,
            "vocab_size": large.vocabulary, "tie_word_embeddings": False,
            "rms_norm_eps": self.config["rms_norm_eps"] * self._share,
            "layer_types": ["full_attention"] * large.layers,
        }  # fmt: skip
        if config.get("max_window_layers"):
            config["max_window_layers"] = large.layers
        (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        return folder

    def write(self, folder: Path, device: str = "cpu") -> Path:
        """Write the whole checkpoint in bfloat16, in files of some 2 GiB.

        Args:
            folder: The new checkpoint.
            device: Device that computes the weights.
        """
        from safetensors.torch import save_file

        self.write_config(folder)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        index: dict[str, str] = {}
        for number, part in enumerate(_parts(self.tensors(device, dtype)), start=1):
            name = f"model-{number:05}.safetensors"
            save_file(part, folder / name, metadata={"format": "pt"})
            index |= dict.fromkeys(part, name)
        entry = {"metadata": {}, "weight_map": index}
        (folder / "model.safetensors.index.json").write_text(json.dumps(entry), encoding="utf-8")
        return folder

    def tensors(
        self, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield all weights of the large model under transformers' names, one at a time."""
        random = torch.Generator(device).manual_seed(self._seed)
        yield "model.embed_tokens.weight", self._embedding(device, dtype)
        for layer in range(self.large.layers):
            prefix = f"model.layers.{layer}."
            for name, tensor in self._layer(self.places.get(layer), random, device, dtype):
                yield prefix + name, tensor
        norm = self._norm("model.norm.weight", device)
        norm[self._constant] = _GAIN
        yield "model.norm.weight", norm
        yield "lm_head.weight", self._head(device, dtype)

    def _embedding(self, device: str, dtype: torch.dtype) -> Tensor:
        table = torch.zeros(self.large.vocabulary, self.large.width, device=device, dtype=dtype)
        small = self._get("model.embed_tokens.weight", device)
        table[: small.shape[0], : self.copies * small.shape[1]] = small.repeat(1, self.copies)
        table[:, self._constant] = _CONSTANT
        return table

    def _head(self, device: str, dtype: torch.dtype) -> Tensor:
        head = torch.zeros(self.large.vocabulary, self.large.width, device=device, dtype=dtype)
        tied = self.config.get("tie_word_embeddings", False)
        small = self._get("model.embed_tokens.weight" if tied else "lm_head.weight", device)
        head[: small.shape[0], : small.shape[1]] = small
        head[small.shape[0] :, self._constant] = -1.0
        return head

    def _norm(self, name: str, device: str) -> Tensor:
        weight = torch.ones(self.large.width, device=device)
        # A state that fills a part of the width has a root mean square smaller by the root of that part.
        weight[: self.small.width] = self._get(name, device) * self._share**0.5
        weight[self._constant] = 0.0
        return weight

    def _layer(
        self, number: int | None, random: torch.Generator, device: str, dtype: torch.dtype
    ) -> Iterator[tuple[str, Tensor]]:
        small, large = self.small, self.large
        prefix = f"model.layers.{number}."

        def noise(*size: int) -> Tensor:
            return torch.randn(*size, generator=random, device=device, dtype=dtype).mul_(_SPREAD)

        used = number is not None
        for name, heads in (("q", large.heads), ("k", large.groups), ("v", large.groups)):
            rows = self._rows(name, device)
            weight, bias = noise(heads * large.head, large.width), noise(heads * large.head)
            if used:
                scale = (large.head / small.head) ** 0.5 if name == "q" else 1.0
                # Whatever shares a head with the small model's rows must not disturb it.
                touched = self._touched(name, device)
                weight[touched], bias[touched] = 0.0, 0.0
                own = f"{prefix}self_attn.{name}_proj."
                weight[rows, : small.width] = (self._get(own + "weight", device) * scale).to(dtype)
                bias[rows] = (self._get(own + "bias", device) * scale).to(dtype)
            yield f"self_attn.{name}_proj.weight", weight
            yield f"self_attn.{name}_proj.bias", bias
        out = torch.zeros(large.width, large.heads * large.head, device=device, dtype=dtype)
        down = torch.zeros(large.width, large.inner, device=device, dtype=dtype)
        gate, up = noise(large.inner, large.width), noise(large.inner, large.width)
        if used:
            columns = self._rows("o", device)
            for copy in range(self.copies):
                target = slice(copy * small.width, (copy + 1) * small.width)
                out[target, columns] = self._get(f"{prefix}self_attn.o_proj.weight", device).to(dtype)
                down[target, : small.inner] = self._get(f"{prefix}mlp.down_proj.weight", device)
            out[self._constant], down[self._constant] = 0.0, 0.0
            for tensor, name in ((gate, "gate"), (up, "up")):
                tensor[: small.inner] = 0.0
                tensor[: small.inner, : small.width] = self._get(f"{prefix}mlp.{name}_proj.weight", device)
        yield "self_attn.o_proj.weight", out
        yield "mlp.gate_proj.weight", gate
        yield "mlp.up_proj.weight", up
        yield "mlp.down_proj.weight", down
        for name in ("input_layernorm.weight", "post_attention_layernorm.weight"):
            yield name, self._norm(prefix + name, device) if used else torch.ones(large.width, device=device)

    def _heads(self, name: str) -> list[int]:
        """Place of each of the small model's heads (of its groups, for keys and values) among the large one's."""
        if name in ("k", "v"):
            return list(range(self.small.groups))
        per, room = self.small.heads // self.small.groups, self.large.heads // self.large.groups
        return [group * room + number for group in range(self.small.groups) for number in range(per)]

    def _rows(self, name: str, device: str) -> Tensor:
        """Return the places of the rows of a small projection (for ``o``, of its columns)."""
        ratio, half, large_half = (
            self.large.head // self.small.head,
            self.small.head // 2,
            self.large.head // 2,
        )
        # Rotary pair i of a head of d turns like pair i * D / d of a head of D; a pair is (i, i + half).
        pairs = [pair * ratio for pair in range(half)]
        within = [*pairs, *(large_half + pair for pair in pairs)]
        places = [head * self.large.head + place for head in self._heads(name) for place in within]
        return torch.tensor(places, device=device)

    def _touched(self, name: str, device: str) -> Tensor:
        """Return all rows of the heads that the small model uses, and of the queries that share their keys."""
        heads = self._heads(name)
        return torch.tensor(
            [head * self.large.head + place for head in heads for place in range(self.large.head)],
            device=device,
        )

    def _get(self, name: str, device: str) -> Tensor:
        return self._weights[name].to(device=device, dtype=torch.float32)
