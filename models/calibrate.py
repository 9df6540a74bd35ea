"""Quantise a checkpoint with texts: GPTQ or AWQ, by llm-compressor.

    python -m venv build/quantise && build/quantise/bin/pip install -r requirements/quantise.txt
    build/quantise/bin/python -m models.calibrate models/nano/rl build/rl-gptq --method gptq --texts texts.jsonl

llm-compressor wants other versions of transformers and compressed-tensors than vLLM, so it has an environment of its
own. vLLM loads what it writes. Each line of ``--texts`` is a JSON object with ``messages``, which the chat template
renders, or a whole ``text``. Take texts like those that the model will meet, but none of the questions that it will
be measured with: `models.nano.calibration` writes such texts for the nano checkpoints.

GPTQ rounds each weight so that the layer's outputs on the texts change least (arXiv 2210.17323). AWQ first scales the
inputs that matter most (arXiv 2306.00978).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.quantise import SCHEMES, check, note, scheme_of

_INTEGERS = tuple(name for name in SCHEMES if name.startswith("W"))


def calibrate(
    folder: Path, out: Path, texts: Path, *, method: str, scheme: str, group: int | None, longest: int
) -> Path:
    """Write a quantised copy of a checkpoint, and return its folder.

    Args:
        folder: A checkpoint with safetensors.
        out: The new folder.
        texts: JSON lines.
        method: "gptq" or "awq".
        scheme: One of the schemes with integers.
        group: Inputs that share a scale; None for those of the preset.
        longest: Tokens after which a text is cut.

    Raises:
        ConfigError: If the checkpoint cannot be quantised so, or ``out`` exists.
    """
    from datasets import Dataset
    from llmcompressor import oneshot
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check(folder, out)
    chosen = scheme_of(scheme)
    if group is not None:
        chosen.weights = type(chosen.weights)(**chosen.weights.model_dump() | {"group_size": group})
    what: dict[str, Any] = {"config_groups": {"group_0": chosen}, "ignore": ["lm_head"]}
    recipe = [GPTQModifier(**what)] if method == "gptq" else [AWQModifier(), QuantizationModifier(**what)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [_tokens(json.loads(line), tokenizer, longest) for line in texts.read_text("utf-8").splitlines()]
    oneshot(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype="auto"),
        tokenizer=tokenizer,
        dataset=Dataset.from_list(rows),
        recipe=recipe,
        num_calibration_samples=len(rows),
        max_seq_length=longest,
        output_dir=str(out),
    )
    note(out, method=method, scheme=scheme, group=chosen.weights.group_size, texts=len(rows), source=folder)
    return out


def _tokens(row: dict[str, Any], tokenizer: Any, longest: int) -> dict[str, Any]:
    text = row["text"] if "text" in row else tokenizer.apply_chat_template(row["messages"], tokenize=False)
    return dict(tokenizer(text, truncation=True, max_length=longest, add_special_tokens=False))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=Path, required=True, help="JSON lines with messages or text.")
    parser.add_argument("--method", choices=("gptq", "awq"), default="gptq")
    parser.add_argument("--scheme", choices=_INTEGERS, type=str.upper, default="W4A16")
    parser.add_argument("--group", type=int, help="Inputs that share a scale; 128 by default.")
    parser.add_argument("--longest", type=int, default=2048, help="Tokens after which a text is cut.")
    options = parser.parse_args(arguments)
    out = calibrate(
        options.checkpoint,
        options.out,
        options.texts,
        method=options.method,
        scheme=options.scheme,
        group=options.group,
        longest=options.longest,
    )
    print(f"{out}: quantised by {options.method}")


if __name__ == "__main__":
    main()
