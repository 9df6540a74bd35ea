"""Texts that k2eval decodes in pieces are those that vLLM decodes token by token."""

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers
from tokenizers.decoders import DecodeStream

from k2eval.engines.vllm.texts import TextStream, is_fast

ROOT = Path(__file__).resolve().parents[3]
WORDS = [
    "\u2581the",
    "\u2581a",
    "nd",
    "\u2581",
    "é",
    ".",
    *(f"<0x{byte:02X}>" for byte in range(0x80, 0x100)),
]


def of_sentencepiece() -> Tokenizer:
    """Words that begin with a mark for a space, and bytes, as in Llama 2's tokenizer."""
    tokenizer = Tokenizer(
        models.BPE({word: index for index, word in enumerate(WORDS)}, [], byte_fallback=True)
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.normalizer = normalizers.Prepend("\u2581")
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


TOKENIZERS = {
    "bytes": Tokenizer.from_file(str(ROOT / "models/nano/rl/tokenizer.json")),
    "sentencepiece": of_sentencepiece(),
}


def by_token(tokenizer: Tokenizer, prompt: Sequence[int], ids: Sequence[int]) -> str:
    """Decode as vLLM does."""
    stream, text = DecodeStream(ids=list(prompt), skip_special_tokens=True), ""
    for token in ids:
        try:
            text += stream.step(tokenizer, token) or ""
        except Exception:
            stream = DecodeStream(skip_special_tokens=True)
            text += stream.step(tokenizer, token) or ""
    return text


def pieces(
    tokenizer: Tokenizer, prompt: Sequence[int], ids: Sequence[int], sizes: Sequence[int]
) -> list[str]:
    """Decode in pieces of these sizes; the last has the rest."""
    stream = TextStream(tokenizer, True, prompt)
    added, start = [], 0
    for size in sizes:
        added.append(stream.feed(ids[start : start + size]))
        start += size
    return [*added, stream.feed(ids[start:], last=True)]


def encoded(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
def test_pieces_are_together_the_text_that_vllm_decodes(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    words = st.text(max_size=40).map(lambda text: encoded(tokenizer, f"a{text}"))
    prompt, ids = data.draw(words), data.draw(words)
    sizes = data.draw(st.lists(st.integers(0, 40), max_size=6))
    assert "".join(pieces(tokenizer, prompt, ids, sizes)) == by_token(tokenizer, prompt, ids)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(ids=st.lists(st.integers(0, len(WORDS) - 1), max_size=60))
def test_tokens_that_are_no_text_are_decoded_as_vllm_does(name: str, ids: list[int]) -> None:
    tokenizer = TOKENIZERS[name]
    prompt = encoded(tokenizer, "a the a")
    assert "".join(pieces(tokenizer, prompt, ids, [])) == by_token(tokenizer, prompt, ids)


@pytest.mark.parametrize("bad", ["<0xE4>", "<0xE4><0x80>"])
def test_bytes_that_are_no_text_do_not_spoil_those_around_them(bad: str) -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    ids = encoded(tokenizer, "这是一个很长的答案")
    broken = [WORDS.index(f"<0x{byte}>") for byte in re.findall("0x(..)", bad)]
    text = "".join(pieces(tokenizer, [0], [*ids, *broken, 1], [7, 5]))
    assert text == by_token(tokenizer, [0], [*ids, *broken, 1])
    assert "这是一个很长的答案" in text


@pytest.mark.parametrize("size", [1, 32, 300])
def test_a_character_comes_when_it_is_whole(size: int) -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    ids = [*[2] * (size - 1), *encoded(tokenizer, "中")[1:]]
    first, second, third = pieces(tokenizer, [0], ids, [size, 1])
    assert (first, second, third) == ("nd" * (size - 1), "", "中")


def test_the_last_character_is_left_out_if_it_is_not_whole() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    ids = encoded(tokenizer, "a用户")[:-1]
    assert pieces(tokenizer, [0], ids, []) == [by_token(tokenizer, [0], ids)] == [" 用"]


def test_a_space_behind_tokens_without_text_is_kept() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    nothing = tokenizer.encode("</s>" * 40, add_special_tokens=False).ids
    assert pieces(tokenizer, [0, *nothing], [1], []) == [" a"]
    assert pieces(tokenizer, [0], [1, *nothing, 0], [41]) == [" a", " the"]


def test_bytes_that_never_become_a_character_cost_no_more_with_their_number() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    bad = [WORDS.index("<0x80>")] * 20_000
    assert set("".join(pieces(tokenizer, [0], [*bad, 1], [32] * 400))) <= {"\ufffd", " ", "a"}


def test_only_tokenizers_of_the_library_are_decoded_here(checkpoint: Any) -> None:
    from transformers import AutoTokenizer

    assert is_fast(AutoTokenizer.from_pretrained(checkpoint))
    assert not is_fast(SimpleNamespace(_tokenizer=None))
    assert not is_fast(object())
