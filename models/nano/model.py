"""The Qwen2 architecture in plain PyTorch, with transformers' parameter names and a fast sampler.

It is written out since reinforcement learning spends its time in sampling: one static key-value cache serves
thousands of sequences at once. ``tests/models`` checks it against transformers' own implementation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 128
ROPE_BASE = 1_000_000.0
CONTEXT = 4096


@dataclass(frozen=True)
class Shape:
    """The sizes of a checkpoint. The width is ``heads`` times 128; all heads share one key-value head."""

    layers: int
    heads: int
    inner: int
    vocabulary: int = 1024

    @property
    def width(self) -> int:
        """Size of the hidden state."""
        return self.heads * HEAD


NANO = Shape(layers=5, heads=2, inner=256)
DRAFT = Shape(layers=2, heads=1, inner=192)
TINY = Shape(layers=2, heads=1, inner=64)
"""For rehearsals."""


class Norm(nn.Module):
    """Root-mean-square normalization."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), 1e-6)


class Attention(nn.Module):
    """Causal attention with one key-value head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj = nn.Linear(shape.width, shape.width)
        self.k_proj = nn.Linear(shape.width, HEAD)
        self.v_proj = nn.Linear(shape.width, HEAD)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries [B, T, heads, 128] and keys [B, T, 1, 128], and values [B, T, 1, 128]."""
        b, t, _ = x.shape
        q = self.q_proj(x).view(b, t, self.heads, HEAD)
        k = self.k_proj(x).view(b, t, 1, HEAD)
        return rotate(q, cos, sin), rotate(k, cos, sin), self.v_proj(x).view(b, t, 1, HEAD)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute attention over whole sequences from position 0; return also the keys and values [B, T, 128]."""
        q, k, v = self.project(x, cos, sin)
        b, t = x.shape[:2]
        wide = (b, self.heads, t, HEAD)
        kt, vt = k.transpose(1, 2), v.transpose(1, 2)
        out = F.scaled_dot_product_attention(
            q.transpose(1, 2), kt.expand(wide), vt.expand(wide), is_causal=True
        )
        return self.o_proj(out.transpose(1, 2).reshape(b, t, -1)), k[:, :, 0], v[:, :, 0]


class Mlp(nn.Module):
    """Gated feed-forward block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Mlp(shape)
        self.input_layernorm = Norm(shape.width)
        self.post_attention_layernorm = Norm(shape.width)


class Lookup(torch.autograd.Function):
    """Rows of a table, whose gradient is one matrix product: the stock kernel is slow for few, frequent rows."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> Tensor:
        """Pick the rows."""
        ctx.save_for_backward(ids)
        ctx.rows = len(table)
        return table[ids]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Sum the gradients of each row."""
        (ids,), (gradient,) = ctx.saved_tensors, gradients
        kind = torch.bfloat16 if gradient.is_cuda else gradient.dtype
        hot = (ids.reshape(-1, 1) == torch.arange(ctx.rows, device=ids.device)).to(kind)
        return (hot.T @ gradient.reshape(len(hot), -1).to(kind)).to(gradient.dtype), None


class Body(nn.Module):
    """Embedding, layers and final norm; named as in transformers."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width)


class Nano(nn.Module):
    """A causal language model whose output layer is its embedding."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        angles = rope_angles(CONTEXT)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * shape.layers) ** 0.5 if deep else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Tensor) -> Tensor:
        """Return hidden states [B, T, width] of sequences [B, T] that all begin at position 0."""
        return self.prefill(ids)[0]

    def prefill(self, ids: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return hidden states, and the keys and values [B, T, 128] of every layer."""
        t = ids.shape[1]
        cos, sin = self.cos[:t, None], self.sin[:t, None]
        x = Lookup.apply(self.model.embed_tokens.weight, ids)
        cache = []
        for layer in self.model.layers:
            out, k, v = layer.self_attn(layer.input_layernorm(x), cos, sin)
            x = x + out
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            cache.append((k, v))
        return self.model.norm(x), cache

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores over the vocabulary."""
        return F.linear(hidden, self.model.embed_tokens.weight.to(hidden.dtype))

    def step(self, ids: Tensor, positions: Tensor, cache: list[tuple[Tensor, Tensor]], reach: int) -> Tensor:
        """Return the scores [B, V] after one more token of each sequence.

        Args:
            ids: The new tokens [B].
            positions: Positions of the new tokens [B].
            cache: Keys and values [B, longest, 128] of every layer; the new ones are written in place.
            reach: Attend to no position from here on.
        """
        rows = torch.arange(len(ids), device=ids.device)
        cos, sin = self.cos[positions][:, None, None], self.sin[positions][:, None, None]
        hidden = torch.arange(reach, device=ids.device)[None] > positions[:, None]
        x = self.model.embed_tokens(ids)[:, None]
        for layer, (keys, values) in zip(self.model.layers, cache, strict=True):
            q, k, v = layer.self_attn.project(layer.input_layernorm(x), cos, sin)
            keys[rows, positions] = k[:, 0, 0].to(keys.dtype)
            values[rows, positions] = v[:, 0, 0].to(values.dtype)
            # All heads share the keys, so they can stand in the place of query positions.
            scores = torch.bmm(q[:, 0].to(keys.dtype), keys[:, :reach].transpose(1, 2)).float() * HEAD**-0.5
            weights = scores.masked_fill(hidden[:, None], float("-inf")).softmax(-1).to(values.dtype)
            out = torch.bmm(weights, values[:, :reach])
            x = x + layer.self_attn.o_proj(out.reshape(len(ids), 1, -1).to(x.dtype))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.logits(self.model.norm(x[:, 0])).float()


def rope_angles(length: int) -> Tensor:
    """Return the angles [length, 128] of the rotary embedding."""
    rates = ROPE_BASE ** -(torch.arange(0, HEAD, 2, dtype=torch.float64) / HEAD)
    return torch.outer(torch.arange(length, dtype=torch.float64), rates).repeat(1, 2).float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply the rotary embedding in the half-split layout of Llama and Qwen."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x * cos.to(x.dtype) + turned * sin.to(x.dtype)


def save_checkpoint(model: Nano, folder: Path, end: int = 2) -> None:
    """Write weights (bfloat16) and configuration as ``Qwen2ForCausalLM``; token ``end`` ends a text."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = model.shape
    config = Qwen2Config(
        vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.inner,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=1,
        max_position_embeddings=CONTEXT, rms_norm_eps=1e-6, tie_word_embeddings=True, use_sliding_window=False,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        bos_token_id=None, eos_token_id=end, pad_token_id=0, dtype="bfloat16",
    )  # fmt: skip
    stock = Qwen2ForCausalLM(config).to(torch.bfloat16)
    weights: dict[str, Any] = {n: p.detach().cpu().to(torch.bfloat16) for n, p in model.named_parameters()}
    stock.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})
    stock.generation_config.do_sample = True
    stock.save_pretrained(str(folder))
    # transformers 5 writes rope_parameters alone; older readers look for rope_theta.
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rope_theta": ROPE_BASE}, indent=2) + "\n")


def load_checkpoint(folder: Path, shape: Shape) -> Nano:
    """Read a checkpoint that `save_checkpoint` wrote."""
    from safetensors.torch import load_file

    model = Nano(shape)
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: weights[name].float() for name, _ in model.named_parameters()}, strict=True)
    return model


@torch.no_grad()
def blend(model: Nano, before: Nano, share: float) -> None:
    """Keep ``share`` of the way from ``before`` to ``model``: a weighted average of all parameters, in place."""
    for parameter, start in zip(model.parameters(), before.parameters(), strict=True):
        parameter.lerp_(start, 1 - share)
