"""The checkpoints as committed."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "models" / "nano"
NAMES = ("base", "sft", "rl", "draft")


def test_all_checkpoints_together_fit_in_16_megabytes() -> None:
    sizes = [path.stat().st_size for name in NAMES for path in (FOLDER / name).iterdir()]
    assert 0 < sum(sizes) <= 16_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_what_stock_vllm_loads(name: str) -> None:
    config = json.loads((FOLDER / name / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert config["hidden_size"] == 128 * config["num_attention_heads"]
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 1_000_000
    assert config["rms_norm_eps"] == 1e-6
    assert config["max_position_embeddings"] >= 4096
    assert config["dtype"] == "bfloat16"


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_bfloat16(name: str) -> None:
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(FOLDER / name / "model.safetensors", framework="pt") as file:
        assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"BF16"}  # noqa: SIM118


def test_the_draft_is_several_times_smaller() -> None:
    sizes = {name: (FOLDER / name / "model.safetensors").stat().st_size for name in NAMES}
    assert sizes["rl"] > 4 * sizes["draft"]


def test_all_checkpoints_share_one_tokenizer() -> None:
    assert len({(FOLDER / name / "tokenizer.json").read_bytes() for name in NAMES}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_chat_template_ends_where_the_reply_begins(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(FOLDER / name))
    turns = [{"role": "user", "content": "Compute 2 + 35."}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nCompute 2 + 35.<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text
    assert len(ids) < 30
    assert "</think>" in tokenizer.decode(tokenizer.encode("<think>\n</think>"), skip_special_tokens=True)
