"""Chat templates with the structure of real ones, short, and checkpoint folders that hold nothing else."""

from __future__ import annotations

import json
from pathlib import Path

GEMMA_2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}"
    "{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL_1 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ message['content'] + eos_token + ' ' }}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
DROPS_SYSTEM = "{% for message in messages if message.role != 'system' %}<{{ message.role }}>{{ message.content }}{% endfor %}"
QWEN_3 = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
DEEPSEEK_3 = (
    "{% if not thinking is defined %}{% set thinking = false %}{% endif %}{{ bos_token }}"
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if thinking %}<think>{% else %}</think>{% endif %}"
)
GPT_OSS = (
    "{%- macro opening() %}{%- if reasoning_effort is not defined %}{%- set reasoning_effort = 'medium' %}"
    "{%- endif %}{{- 'Reasoning: ' + reasoning_effort + '\n' }}{%- endmacro %}"
    "<|start|>system<|message|>{{ opening() }}<|end|>{%- for message in messages %}"
    "{{- '<|start|>' + ('developer' if message.role == 'system' else message.role) + '<|message|>' }}"
    "{{- message.content + '<|end|>' }}{%- endfor %}{%- if add_generation_prompt %}<|start|>assistant{%- endif %}"
)
K2_THINK = (
    "{% if messages[0].role == 'system' %}{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>system\nYou are K2-Think. Reason between <think> tags.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages if message.role == 'user' %}"
    "{{ '<|im_start|>user\n' + message.content + '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
DEMANDS_EFFORT = (
    "{{ '<|' + reasoning_effort + '|>' }}"
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
)
SEED = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if thinking_budget is defined %}<budget>{{ thinking_budget }}{% endif %}"
)
TRAINED_ON = (
    "{% for message in messages %}\n  {%- if message.role == 'assistant' %}\n"
    "  {% generation %}{{ message.content }}{% endgeneration %}\n  {% else %}\n"
    "  {{ message.content | tojson }}\n  {% endif %}\n{% endfor %}"
)
ALL = {
    "gemma-2": GEMMA_2, "mistral-1": MISTRAL_1, "drops-system": DROPS_SYSTEM, "qwen-3": QWEN_3,
    "deepseek-3": DEEPSEEK_3, "gpt-oss": GPT_OSS, "k2-think": K2_THINK, "demands-effort": DEMANDS_EFFORT,
    "seed": SEED, "trained-on": TRAINED_ON,
}  # fmt: skip


def checkpoint(folder: Path, template: str | None = None, **files: object) -> str:
    """Write a folder that passes for a checkpoint until it is loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "config": {"architectures": ["Toy"], "max_position_embeddings": 4096},
        "tokenizer_config": {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": template},
        **files,
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)
