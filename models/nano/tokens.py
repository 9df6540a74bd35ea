"""The tokenizer of k2-nano: byte-level BPE of 1,024 tokens that keeps digits apart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from .documents import END, END_OF_TEXT, chat_document, plain_document

SIZE = 1024
SPECIAL = (END_OF_TEXT, "<|im_start|>", END)
MARKS = ("<think>", "</think>", "<answer>", "</answer>", "<plan>", "</plan>")
"""One token each; ordinary text, so that they stay in what a model says."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train_tokenizer(seed: int, documents: int = 20_000) -> Tokenizer:
    """Train a tokenizer on a sample of the training documents."""
    rng = random.Random(seed)
    texts = ["".join(plain_document(rng)) if i % 2 else "".join(chat_document(rng)) for i in range(documents)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    marks = [AddedToken(token, special=False, normalized=False) for token in MARKS]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(MARKS),
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    for token in (*SPECIAL, *MARKS):
        texts = [text.replace(token, " ") for text in texts]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens(marks)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, end: str = END) -> None:
    """Write it beside a checkpoint, as transformers and vLLM expect it."""
    wrapped(tokenizer, end).save_pretrained(str(folder))
    # transformers 5 writes a class of its own that older releases lack.
    path = folder / "tokenizer_config.json"
    settings = {**json.loads(path.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(settings, indent=2) + "\n")


def wrapped(tokenizer: Tokenizer, end: str = END) -> Any:
    """Return the tokenizer with its chat template, as transformers' class."""
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, pad_token=END_OF_TEXT, model_max_length=4096
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that the tokenizer must have.

    Raises:
        ValueError: If it does not.
    """
    number: int | None = tokenizer.token_to_id(token)
    if number is None:
        raise ValueError(f"expected a tokenizer with the token {token!r}, got one without it")
    return number
