"""Answers are watched as they come, and end at the same token however they come."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.engines.vllm.watching import Marks, Written, tokens_before, up_to_stop, watched, whole
from k2eval.reasoning import StopWatch, format_named
from k2eval.records import ReasoningFormat
from tests.models.families import write

WORDS = [
    "<think>",
    "Put it in </answer> tags. ",
    "</think>",
    "\n",
    "<answer>",
    "4",
    "</ans",
    "wer>",
    "</answer>",
    "é",
    "x ",
]


class Stream:
    """The outputs of one request, so many tokens in each."""

    def __init__(self, tokens: Sequence[str], size: int, ending: str = "stop") -> None:
        self.closed = False
        self._tokens, self._size, self._ending = tokens, size, ending

    async def outputs(self) -> AsyncGenerator[Any, None]:
        try:
            for start in range(0, len(self._tokens), self._size):
                piece = self._tokens[start : start + self._size]
                last = start + self._size >= len(self._tokens)
                completion = SimpleNamespace(
                    text="".join(piece),
                    token_ids=[WORDS.index(token) for token in piece],
                    finish_reason=self._ending if last else None,
                )
                yield SimpleNamespace(outputs=[completion], finished=last)
        finally:
            self.closed = True


def decode(token_ids: Sequence[int]) -> str:
    return "".join(WORDS[number] for number in token_ids)


async def written(
    tokens: Sequence[str], size: int, stop: Sequence[str] = ("</answer>",), ending: str = "stop"
) -> Written:
    stream = Stream(tokens, size, ending)
    answer = await watched(stream.outputs(), StopWatch(format_named("think"), stop), decode)
    assert stream.closed
    return answer


def fewest(tokens: Sequence[str], text: str) -> int:
    return next(count for count in range(len(tokens) + 1) if "".join(tokens[:count]).startswith(text))


ANSWER = ["<think>", "Put it in </answer> tags. ", "</think>", "\n", "<answer>", "4", "</ans", "wer>"]


@pytest.mark.parametrize("size", [1, 2, 3, 32])
async def test_an_answer_ends_at_the_token_that_completes_its_stop_string(size: int) -> None:
    answer = await written([*ANSWER, *["x "] * 200], size)
    assert (answer.text, answer.finish_reason) == ("".join(ANSWER), "stop")
    assert len(answer.token_ids) == len(ANSWER)


@pytest.mark.parametrize("size", [1, 5])
async def test_reasoning_that_the_limit_cut_is_not_stopped(size: int) -> None:
    answer = await written(ANSWER[:2], size, ending="length")
    assert (answer.text, answer.finish_reason, len(answer.token_ids)) == ("".join(ANSWER[:2]), "length", 2)


@given(tokens=st.lists(st.sampled_from(WORDS), max_size=60), size=st.integers(1, 40))
async def test_the_place_of_the_end_does_not_depend_on_the_pieces(tokens: list[str], size: int) -> None:
    answer, at_once = await written(tokens, size), await written(tokens, len(tokens) or 1)
    assert (answer.text, answer.token_ids) == (at_once.text, at_once.token_ids)
    assert len(answer.token_ids) == (fewest(tokens, answer.text) if answer.text else len(answer.token_ids))


async def test_nothing_is_made_of_no_output() -> None:
    async def outputs() -> AsyncGenerator[Any, None]:
        return
        yield

    assert (await whole(outputs(), decode)).finish_reason is None
    assert (await watched(outputs(), StopWatch(format_named("think"), ()), decode)).finish_reason is None


def test_tokens_of_characters_in_several_parts_are_counted_whole() -> None:
    parts = list("aé€b".encode())
    assert tokens_before(parts, 1, lambda ids: bytes(ids).decode(errors="replace")) == 6


def test_a_long_tail_is_counted_from_its_end() -> None:
    assert tokens_before(list(range(1000)), 900, lambda ids: "x" * len(ids)) == 100


@pytest.mark.parametrize(
    ("name", "form"), [("gpt_oss", "harmony"), ("seed", "seed"), ("qwen3", "think"), ("base", "auto")]
)
def test_special_tokens_are_kept_if_they_mark_the_reasoning(name: str, form: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(write(name, tmp_path, weights=False))
    config = SimpleNamespace(try_get_generation_config=lambda: {"eos_token_id": [tokenizer.eos_token_id, 7]})
    marks = Marks.of(tokenizer, config, ReasoningFormat(name=form))
    assert marks.skipped == (form in ("think", "auto"))
    assert marks.ends == {tokenizer.eos_token_id: tokenizer.eos_token, 7: tokenizer.decode([7])}


@pytest.mark.parametrize(("last", "text"), [(2, "4"), (3, "4<|end|>")])
def test_the_token_that_ended_an_answer_is_no_part_of_its_text(last: int, text: str) -> None:
    marks = Marks(skipped=False, ends={2: "<|end|>"})
    assert marks.without_end(Written("4<|end|>", [1, last], "stop", None)) == text


@pytest.mark.parametrize("behind", [[], ["x "], ["\n", "é", "x "]])
def test_tokens_that_were_speculated_behind_a_stop_string_do_not_count(behind: list[str]) -> None:
    tokens = ["<answer>", "4", "</ans", "wer>"]
    ids = [WORDS.index(token) for token in (*tokens, *behind)]
    assert up_to_stop(ids, "</answer>", decode) == ids[:4]


@given(
    st.lists(st.sampled_from("abé€"), max_size=150), st.lists(st.sampled_from("ab?é"), max_size=300),
)  # fmt: skip
def test_many_tokens_behind_a_short_stop_string_do_not_count(before: list[str], behind: list[str]) -> None:
    """Up to as many are speculated at once as the user asks for."""
    letters = [*before, "!", *behind]
    ids = list(map(ord, letters))
    assert up_to_stop(ids, "!", lambda some: "".join(map(chr, some))) == ids[: len(before) + 1]


def test_the_first_of_two_stop_strings_counts() -> None:
    assert up_to_stop(list(b"ab!cd!e"), "!", lambda some: bytes(some).decode()) == list(b"ab!")


@pytest.mark.parametrize("stop", [None, 7, ""])
def test_without_a_stop_string_all_tokens_count(stop: str | int | None) -> None:
    assert up_to_stop([5, 3], stop, decode) == [5, 3]
