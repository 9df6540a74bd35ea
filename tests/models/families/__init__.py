"""Toy checkpoints with the structure of real ones: their templates, their special tokens, and a fixed script to say.

`write` makes one in a folder, in about a second with weights and in milliseconds without. With weights it is a Qwen2 of one
layer that knows nothing but which token follows which, so it says its script word for word whatever it is asked, in
stock vLLM and in transformers. Several scripts make it draw one of them, by the request's seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
)


@dataclass(frozen=True, slots=True)
class Family:
    """What checkpoints of one family have in common."""

    template: str | None
    """The chat template; None for a base model."""
    eos: tuple[str, ...]
    """End tokens; the first is the tokenizer's, all of them are those of generation_config.json."""
    special: tuple[str, ...] = ()
    """Tokens that decoding may skip."""
    added: tuple[str, ...] = ()
    """Tokens of their own that are text like any other."""
    in_config: bool = False
    """Whether tokenizer_config.json holds the template, in place of chat_template.jinja."""
    defaults: str = ""


R1 = Family(
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}{{ message.content }}"
    "{% elif message.role == 'user' %}<｜User｜>{{ message.content }}{% else %}<｜Assistant｜>"
    "{{ message.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}",
    eos=("<｜end▁of▁sentence｜>",),
    special=("<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
    added=("<think>", "</think>"),
    in_config=True,
)
QWEN3 = Family(
    _CHATML
    + "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
    eos=("<|im_end|>", "<|endoftext|>"),
    special=("<|im_start|>",),
    added=("<think>", "</think>"),
    in_config=True,
)
K2_THINK = Family(
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are K2-Think.<|im_end|>\n{% endif %}"
    + _CHATML
    + "{% set tags = {'high': '<think>', 'medium': '<think_fast>', 'low': '<think_faster>'} %}"
    "{{ tags[reasoning_effort | default('high')] }}\n{% endif %}",
    eos=("<|im_end|>",),
    special=("<|im_start|>",),
    added=("<think>", "</think>", "<think_fast>", "</think_fast>", "<think_faster>", "</think_faster>"),
)
GPT_OSS = Family(
    "<|start|>system<|message|>You are ChatGPT.\n\nReasoning: {{ reasoning_effort | default('medium') }}\n\n"
    "# Valid channels: analysis, commentary, final.<|end|>{% for message in messages %}{% if message.role == 'system' %}"
    "<|start|>developer<|message|># Instructions\n\n{{ message.content }}<|end|>{% elif message.role == 'user' %}"
    "<|start|>user<|message|>{{ message.content }}<|end|>{% else %}<|start|>assistant<|channel|>final<|message|>"
    "{{ message.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}",
    eos=("<|return|>", "<|endoftext|>", "<|call|>"),
    special=("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|constrain|>"),
)
MAGISTRAL = Family(
    "{{ bos_token }}{% if messages[0].role != 'system' %}[SYSTEM_PROMPT]First draft your thinking: "
    "[THINK]Your thoughts[/THINK]Here, provide a self-contained response.[/SYSTEM_PROMPT]{% endif %}"
    "{% for message in messages %}{% if message.role == 'system' %}[SYSTEM_PROMPT]{{ message.content }}[/SYSTEM_PROMPT]"
    "{% elif message.role == 'user' %}[INST]{{ message.content }}[/INST]{% else %}{{ message.content }}</s>{% endif %}"
    "{% endfor %}",
    eos=("</s>",),
    special=("<s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[THINK]", "[/THINK]"),
)
SEED = Family(
    "{% for message in messages %}<seed:bos>{{ message.role }}\n{{ message.content }}<seed:eos>{% endfor %}"
    "{% if thinking_budget is defined and thinking_budget == 0 %}<seed:bos>system\nAnswer at once: <seed:think>"
    "<seed:cot_budget_reflect></seed:think><seed:eos>{% endif %}{% if add_generation_prompt %}<seed:bos>assistant\n{% endif %}",
    eos=("<seed:eos>",),
    special=("<seed:bos>", "<seed:think>", "</seed:think>"),
)
GEMMA_4 = Family(
    "{{ bos_token }}{% if enable_thinking is defined and enable_thinking %}<|turn>system\n<|think|><turn|>\n{% endif %}"
    "{% for message in messages %}<|turn>{{ 'model' if message.role == 'assistant' else message.role }}\n"
    "{{ message.content.split('<channel|>')[-1] }}<turn|>\n{% endfor %}{% if add_generation_prompt %}<|turn>model\n"
    "{% if enable_thinking is defined and not enable_thinking %}<|channel>thought\n<channel|>{% endif %}{% endif %}",
    eos=("<turn|>", "<eos>"),
    special=("<bos>", "<|turn>", "<|channel>", "<channel|>", "<|think|>"),
)
GEMMA = Family(
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    eos=("<end_of_turn>", "<eos>"),
    special=("<bos>", "<start_of_turn>"),
)
MISTRAL = Family(
    "{{ bos_token }}{% for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]{% elif message.role == 'assistant' %}"
    "{{ message.content }}</s>{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
    "{% endfor %}",
    eos=("</s>",),
    special=("<s>",),
    in_config=True,
)
NEEDS_EFFORT = Family(
    "{% if reasoning_effort is not defined or reasoning_effort not in ['low', 'high'] %}"
    "{{ raise_exception('reasoning_effort must be low or high') }}{% endif %}"
    + _CHATML
    + "<think>\n{% endif %}",
    eos=("<|im_end|>",),
    special=("<|im_start|>",),
    added=("<think>", "</think>"),
)
KIMI_VL = Family(
    "{% for message in messages %}<|im_{{ message.role }}|>{{ message.role }}<|im_middle|>{{ message.content }}<|im_end|>"
    "{% endfor %}{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}",
    eos=("<|im_end|>", "[EOS]"),
    special=("<|im_user|>", "<|im_system|>", "<|im_assistant|>", "<|im_middle|>"),
    added=("◁think▷", "◁/think▷"),
    in_config=True,
)
SKY = Family(
    "{% if messages[0].role != 'system' %}<|im_start|>system\nStructure your response as Thought and Solution: "
    "<|begin_of_thought|> {thought} <|end_of_thought|> <|begin_of_solution|> {solution} <|end_of_solution|>"
    "<|im_end|>\n{% endif %}" + _CHATML + "{% endif %}",
    eos=("<|im_end|>", "<|endoftext|>"),
    special=("<|im_start|>",),
    added=("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"),
    in_config=True,
)
MEDGEMMA = Family(
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    eos=("<end_of_turn>", "<eos>"),
    special=("<bos>", "<start_of_turn>"),
    added=("<unused94>", "<unused95>"),
)
EXAONE = Family(
    "{% for message in messages %}[|{{ message.role }}|]{{ message.content.split('</thought>')[-1] }}"
    "{{ '' if message.role == 'user' else '[|endofturn|]' }}\n{% endfor %}"
    "{% if add_generation_prompt %}[|assistant|]<thought>\n{% endif %}",
    eos=("[|endofturn|]",),
    special=("[|user|]", "[|system|]", "[|assistant|]"),
    added=("<thought>", "</thought>"),
)
APERTUS = Family(
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}_start|>{{ message.content }}"
    "<|{{ message.role }}_end|>{% endfor %}{% if add_generation_prompt %}<|assistant_start|>{% endif %}"
    "{# an earlier answer has <|inner_prefix|>thoughts<|inner_suffix|> #}",
    eos=("<|assistant_end|>",),
    special=("<s>", "<|assistant_start|>", "<|inner_prefix|>", "<|inner_suffix|>"),
)
SOLAR = Family(
    "{% for message in messages %}<|begin|>{{ message.role }}<|content|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|begin|>assistant{% if reasoning_effort | default('high') == 'low' %}<|think|><|end|>"
    "<|begin|>assistant{% endif %}{% endif %}",
    eos=("<|flush|>",),
    special=("<|begin|>", "<|end|>", "<|think|>", "<|content|>"),
)
BASE = Family(None, eos=("<|endoftext|>",))

FAMILIES: dict[str, Family] = {
    "r1": R1, "qwen3": QWEN3, "k2_think": K2_THINK, "gpt_oss": GPT_OSS, "magistral": MAGISTRAL, "seed": SEED,
    "gemma_4": GEMMA_4, "gemma": GEMMA, "mistral": MISTRAL, "needs_effort": NEEDS_EFFORT, "kimi_vl": KIMI_VL, "sky": SKY,
    "medgemma": MEDGEMMA, "exaone": EXAONE, "apertus": APERTUS, "solar": SOLAR, "base": BASE,
}  # fmt: skip

Script = Sequence[str]
"""The pieces of a response in order, each of them one token. No piece may occur twice in all scripts of a checkpoint,
since the last token alone tells the next; "a" and "a " are two pieces. The end token follows by itself."""


def write(name: str, folder: Path, *scripts: Script, weights: bool = True, context: int = 4096) -> Path:
    """Write a toy checkpoint of a family.

    Args:
        name: One of `FAMILIES`.
        folder: Where to; made if missing.
        scripts: What it says; each equally often. A script that begins with a special token may.
        weights: Whether to write weights, too; what only reads templates and tokens needs none.
        context: Longest prompt plus answer, in tokens. A character of a prompt is a token or more.

    Returns:
        The folder.
    """
    family = FAMILIES[name]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _tokenizer(family, folder, scripts)
    special = [*family.eos, *family.special]
    bos = next((token for token in family.special if token.startswith(("<bos", "<s>", "<｜begin"))), None)
    settings: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": family.eos[0],
        "pad_token": family.eos[0],
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "additional_special_tokens": [token for token in special if token not in (family.eos[0], bos)],
        **({"bos_token": bos} if bos else {}),
    }
    if family.template and family.in_config:
        settings["chat_template"] = family.template
    elif family.template:
        (folder / "chat_template.jinja").write_text(family.template, encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", settings)
    ends = [vocabulary[token] for token in family.eos]
    _write_json(folder / "generation_config.json", {"eos_token_id": ends})
    width = -(-len(vocabulary) // 128) * 128
    config = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "dtype": "bfloat16", "hidden_act": "silu",
        "vocab_size": len(vocabulary), "hidden_size": width, "intermediate_size": 128, "num_hidden_layers": 1,
        "num_attention_heads": width // 128, "num_key_value_heads": width // 128, "rms_norm_eps": 1e-6,
        "max_position_embeddings": context, "rope_theta": 10_000.0, "tie_word_embeddings": False,
        "eos_token_id": ends[0], "bos_token_id": vocabulary.get(bos or ""), "use_cache": True,
    }  # fmt: skip
    _write_json(folder / "config.json", config)
    if weights:
        _write_weights(folder, config, _successors(family, scripts, vocabulary))
    return folder


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _tokenizer(family: Family, folder: Path, scripts: Sequence[Script]) -> Mapping[str, int]:
    """Write tokenizer.json; bytes are tokens, and so is each piece of a script. Return ids by a token's text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = [*family.eos, *family.special, *family.added]
    pieces = [piece for script in scripts for piece in script]
    if len(set(pieces)) != len(pieces):
        raise ValueError(
            f"a piece occurs twice: {sorted(piece for piece in pieces if pieces.count(piece) > 1)}"
        )
    pieces = [piece for piece in pieces if piece not in own]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    symbols = ["".join(part for part, _ in byte_level.pre_tokenize_str(piece)) for piece in pieces]
    vocabulary = {symbol: number for number, symbol in enumerate(dict.fromkeys([*alphabet, *symbols]))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in own[: len(own) - len(family.added)]]
    )
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.added])
    tokenizer.save(str(folder / "tokenizer.json"))
    by_text: dict[str, int] = {token: int(tokenizer.token_to_id(token) or 0) for token in own}
    by_text |= {piece: vocabulary[symbol] for piece, symbol in zip(pieces, symbols, strict=True)}
    return {**{symbol: vocabulary[symbol] for symbol in alphabet if symbol not in by_text}, **by_text}


def _successors(family: Family, scripts: Sequence[Script], ids: Mapping[str, int]) -> dict[int, list[int]]:
    """Return which tokens may follow a token; what no script knows begins one, so that any prompt is answered."""
    end = ids[family.eos[0]]
    firsts = [ids[script[0]] for script in scripts if script] or [end]
    successors = {number: firsts for number in ids.values()}
    for script in scripts:
        numbers = [ids[piece] for piece in script]
        for number, following in zip(numbers, [*numbers[1:], end], strict=True):
            successors[number] = [following]
    return successors


def _write_weights(folder: Path, config: Mapping[str, object], successors: Mapping[int, list[int]]) -> None:
    import torch
    from safetensors.torch import save_file

    size, width, inner = (int(str(config[key])) for key in ("vocab_size", "hidden_size", "intermediate_size"))
    head = torch.zeros(size, width)
    for number, following in successors.items():
        for next_number in following:
            head[next_number, number] = 2.0
    layer = "model.layers.0."
    square = torch.zeros(width, width)
    tensors = {
        "model.embed_tokens.weight": torch.eye(size, width),
        "lm_head.weight": head,
        "model.norm.weight": torch.ones(width),
        f"{layer}input_layernorm.weight": torch.ones(width),
        f"{layer}post_attention_layernorm.weight": torch.ones(width),
        f"{layer}mlp.gate_proj.weight": torch.zeros(inner, width),
        f"{layer}mlp.up_proj.weight": torch.zeros(inner, width),
        f"{layer}mlp.down_proj.weight": torch.zeros(width, inner),
        **{f"{layer}self_attn.{part}_proj.weight": square.clone() for part in "qkvo"},
        **{f"{layer}self_attn.{part}_proj.bias": torch.zeros(width) for part in "qkv"},
    }
    save_file({key: value.to(torch.bfloat16) for key, value in tensors.items()}, folder / "model.safetensors")
