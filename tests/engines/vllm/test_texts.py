"""Texts that k2eval decodes in pieces are those that vLLM decodes token by token."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers
from tokenizers.decoders import DecodeStream

from k2eval.engines.vllm import texts
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
    stream = DecodeStream(ids=list(prompt), skip_special_tokens=True)
    return "".join(stream.step(tokenizer, token) or "" for token in ids)


def pieces(
    tokenizer: Tokenizer, prompt: Sequence[int], ids: Sequence[int], sizes: Sequence[int]
) -> list[str]:
    """Decode in pieces of these sizes; the last has the rest."""
    stream = TextStream(lambda some: tokenizer.decode(list(some)), prompt)
    added, start = [], 0
    for size in sizes:
        added.append(stream.feed(ids[start : start + size]))
        start += size
    return [*added, stream.feed(ids[start:], last=True)]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
def test_pieces_are_together_the_text_that_vllm_decodes(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    words = st.text(max_size=40).map(lambda text: tokenizer.encode(f"a{text}", add_special_tokens=False).ids)
    prompt, ids = data.draw(words), data.draw(words)
    sizes = data.draw(st.lists(st.integers(0, 40), max_size=6))
    assert "".join(pieces(tokenizer, prompt, ids, sizes)) == by_token(tokenizer, prompt, ids)


@given(ids=st.lists(st.integers(0, 511), max_size=80), sizes=st.lists(st.integers(0, 20), max_size=6))
def test_tokens_that_are_no_text_are_decoded_alike_in_any_pieces(ids: list[int], sizes: list[int]) -> None:
    tokenizer = TOKENIZERS["bytes"]
    assert "".join(pieces(tokenizer, [65], ids, sizes)) == "".join(pieces(tokenizer, [65], ids, []))


def decode(ids: Sequence[int]) -> str:
    return bytes(ids).decode(errors="replace")


def test_a_character_comes_when_it_is_whole() -> None:
    stream = TextStream(decode, b"?")
    assert [stream.feed([byte]) for byte in "€!".encode()] == ["", "", "€", "!"]


def test_what_never_becomes_a_character_is_not_decoded_again_and_again() -> None:
    lengths = []

    def noted(ids: Sequence[int]) -> str:
        lengths.append(len(ids))
        return decode(ids)

    stream = TextStream(noted, b"?")
    added = [stream.feed([0xC3] * 32) for _ in range(1000)]
    assert len("".join(added)) >= 31_000
    assert max(lengths) < 2 * texts._UNFINISHED


def test_the_last_character_is_left_out_if_it_is_not_whole() -> None:
    assert TextStream(decode, b"").feed("a€".encode()[:-1], last=True) == "a"


def test_characters_before_one_that_is_not_whole_are_kept() -> None:
    tokenizer = TOKENIZERS["sentencepiece"]
    ids = tokenizer.encode("a用户", add_special_tokens=False).ids[:-1]
    assert pieces(tokenizer, [0], ids, []) == [by_token(tokenizer, [0], ids)] == [" 用"]


def test_only_tokenizers_of_the_library_are_decoded_here(checkpoint: Any) -> None:
    from transformers import AutoTokenizer

    assert is_fast(AutoTokenizer.from_pretrained(checkpoint))
    assert not is_fast(SimpleNamespace(_tokenizer=None))
    assert not is_fast(object())
