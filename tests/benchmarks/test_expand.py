"""An expanded checkpoint says what the small one says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.expand import Expansion, Shape, copies
from benchmarks.fill import fill
from k2eval.testing import make_tiny_checkpoint

if (
    TYPE_CHECKING
):  # the import takes ten seconds, which each worker of the suite would spend to collect this file
    from transformers import Qwen2ForCausalLM


@pytest.fixture(scope="module", params=[64, 128], ids=["heads of 64", "heads of 128"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two layers whose weights, biases and norms are all far from their defaults."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder = make_tiny_checkpoint(tmp_path_factory.mktemp("small"), layers=2, width=256, context=128)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "num_attention_heads": 256 // request.param,
        "num_key_value_heads": 1,
        "head_dim": request.param,
    }
    torch.manual_seed(1)
    model = Qwen2ForCausalLM(Qwen2Config(**config)).to(torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    return folder


def grown(folder: Path, shape: Shape, out: Path) -> Qwen2ForCausalLM:
    from transformers import AutoModelForCausalLM, Qwen2Config

    expansion = Expansion(folder, shape)
    expansion.write_config(out)
    with torch.device("cpu"):
        model = AutoModelForCausalLM.from_config(
            Qwen2Config.from_pretrained(out), dtype=torch.float32, attn_implementation="eager"
        )
    wanted = dict(expansion.tensors())
    assert model.load_state_dict(wanted, strict=True)
    return model.eval()


def reference_of(folder: Path) -> Qwen2ForCausalLM:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


SHAPE = Shape(layers=5, width=1024, heads=8, groups=2, inner=768, vocabulary=512)


def test_logits_are_those_of_the_small_model(small: Path, tmp_path: Path) -> None:
    reference = reference_of(small)
    large = grown(small, SHAPE, tmp_path / "large")
    mine, theirs = logits(large), logits(reference)
    size = theirs.shape[-1]
    assert torch.allclose(mine[..., :size], theirs, atol=1e-4, rtol=1e-4)
    assert theirs.std() > 0.5  # a model that says nothing would agree with anything
    assert (mine[..., size:] < -1000).all()


def test_a_full_width_costs_one_entry_of_the_norms(small: Path, tmp_path: Path) -> None:
    shape = Shape(layers=2, width=1280, heads=8, groups=2, inner=768, vocabulary=512)
    reference = reference_of(small)
    mine, theirs = logits(grown(small, shape, tmp_path / "large")), logits(reference)
    away = (mine[..., : theirs.shape[-1]] - theirs).abs()
    assert away.mean() < 4e-3 * theirs.std()
    assert (mine[..., theirs.shape[-1] :] < -1000).all()


def logits(model: Qwen2ForCausalLM) -> torch.Tensor:
    tokens = torch.randint(0, 256, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        result: torch.Tensor = model(tokens).logits
    return result


def test_greedy_text_is_that_of_the_small_model(small: Path, tmp_path: Path) -> None:
    reference = reference_of(small)
    large = grown(small, SHAPE, tmp_path / "large")
    prompt = torch.tensor([[7, 31, 100, 9]])
    texts = [
        model.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0).tolist()
        for model in (reference, large)
    ]
    assert texts[0] == texts[1]


def test_added_layers_cost_but_say_nothing(small: Path) -> None:
    weights = dict(Expansion(small, SHAPE).tensors())
    spare = [layer for layer in range(SHAPE.layers) if layer not in Expansion(small, SHAPE).places]
    assert len(spare) == 3
    for layer in spare:
        assert weights[f"model.layers.{layer}.mlp.up_proj.weight"].std() > 0.01
        assert not weights[f"model.layers.{layer}.mlp.down_proj.weight"].any()
        assert not weights[f"model.layers.{layer}.self_attn.o_proj.weight"].any()


@pytest.mark.parametrize(
    ("small_width", "large_width", "expected"),
    [(256, 5120, 5), (256, 3584, 14), (128, 896, 7), (256, 1280, 5)],
)
def test_copies_leave_a_power_of_four(small_width: int, large_width: int, expected: int) -> None:
    assert copies(small_width, large_width) == expected


def test_a_shape_that_is_too_small_is_refused(small: Path) -> None:
    with pytest.raises(ValueError, match="layers 2 > 1"):
        Expansion(small, Shape(layers=1, width=1024, heads=8, groups=2, inner=768, vocabulary=512))


class Fused(torch.nn.Module):
    """Parameters under vLLM's names."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        sizes = {
            "model.embed_tokens.weight": (shape.vocabulary, shape.width),
            "model.norm.weight": (shape.width,),
            "lm_head.weight": (shape.vocabulary, shape.width),
        }
        rows = (shape.heads + 2 * shape.groups) * shape.head
        for layer in range(shape.layers):
            prefix = f"model.layers.{layer}."
            sizes |= {
                prefix + "self_attn.qkv_proj.weight": (rows, shape.width),
                prefix + "self_attn.qkv_proj.bias": (rows,),
                prefix + "self_attn.o_proj.weight": (shape.width, shape.heads * shape.head),
                prefix + "mlp.gate_up_proj.weight": (2 * shape.inner, shape.width),
                prefix + "mlp.down_proj.weight": (shape.width, shape.inner),
                prefix + "input_layernorm.weight": (shape.width,),
                prefix + "post_attention_layernorm.weight": (shape.width,),
            }
        self.sizes = {name: torch.nn.Parameter(torch.full(size, torch.nan)) for name, size in sizes.items()}

    def named_parameters(self, *args: object, **kwargs: object) -> Iterator[tuple[str, torch.nn.Parameter]]:
        return iter(self.sizes.items())


def test_fill_puts_the_parts_where_vllm_fuses_them(small: Path) -> None:
    model, expansion = Fused(SHAPE), Expansion(small, SHAPE)
    fill(model, expansion)
    wanted = dict(expansion.tensors())
    joined = torch.cat([wanted[f"model.layers.0.self_attn.{name}_proj.weight"] for name in "qkv"])
    assert torch.equal(model.sizes["model.layers.0.self_attn.qkv_proj.weight"], joined)
    assert not any(parameter.isnan().any() for parameter in model.sizes.values())
