"""What is made of answers that are odd: none that is not one, and none that cannot be sent on."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.engines.endpoint.answers import Expectation, StreamedAnswer, whole_answer
from k2eval.engines.endpoint.trouble import BadAnswer, OtherModel
from k2eval.reasoning import NAMES, format_named, marks_of, split
from tests.engines.endpoint.fake_server import MODEL, chunk, usage, whole_of


def expected(max_tokens: int = 100, **fields: Any) -> Expectation:
    return Expectation(MODEL, max_tokens, **fields)


def streamed(events: list[str], expectation: Expectation | None = None, piece: int = 1 << 20) -> Any:
    answer = StreamedAnswer(expectation or expected())
    data = "".join(f"data: {event}\n\n" for event in events).encode()
    for start in range(0, len(data), piece):
        answer.feed(data[start : start + piece])
    return answer.answer()


def whole(events: list[str], expectation: Expectation | None = None) -> Any:
    return whole_answer(whole_of(events).encode(), expectation or expected())


ENDING = [chunk(finish="stop"), usage(), "[DONE]"]
both = pytest.mark.parametrize("read", [whole, streamed])


@both
def test_the_parts_of_an_answer(read: Any) -> None:
    answer = read([chunk("4"), chunk("2"), *ENDING])
    assert (answer.text, answer.finish_reason, answer.model) == ("42", "stop", MODEL)
    assert (answer.prompt_tokens, answer.output_tokens, answer.counted) == (5, 7, True)


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=8),
    st.integers(1, 400),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_stream_reads_the_same_however_it_is_cut(texts: list[str], size: int, line_end: str) -> None:
    answer = StreamedAnswer(expected())
    events = [*(chunk(text) for text in texts), *ENDING]
    data = f": a comment{line_end}".encode()
    data += "".join(f"data:{event}{line_end}{line_end}" for event in events).encode()
    for start in range(0, len(data), size):
        answer.feed(data[start : start + size])
    assert answer.answer().text == "".join(texts)


def test_a_last_event_may_lack_its_line_end() -> None:
    answer = StreamedAnswer(expected())
    answer.feed(f"data: {chunk('42')}\n\ndata: {chunk(finish='stop')}".encode())
    assert answer.answer().text == "42"


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_an_answer_or_refused(data: bytes) -> None:
    for read in (lambda: whole_answer(data, expected()), lambda: _fed(b"data: " + data + b"\n")):
        with pytest.raises((BadAnswer, OtherModel)):
            read()


def _fed(data: bytes) -> Any:
    answer = StreamedAnswer(expected())
    answer.feed(data)
    return answer.answer()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "delta", "content", "finish_reason", "index", "usage", "model", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_of_any_shape_is_an_answer_or_refused(value: Any) -> None:
    data = json.dumps(value).encode()
    for read in (lambda: whole_answer(data, expected()), lambda: _fed(b"data: " + data + b"\n")):
        with contextlib.suppress(BadAnswer, OtherModel):
            assert isinstance(read().text, str)


@both
def test_characters_that_come_in_halves_are_joined(read: Any) -> None:
    halves = json.dumps("😀")[1:-1]
    events = [chunk("H").replace("H", half) for half in (halves[:6], halves[6:], halves[:6])]
    assert read([*events, *ENDING]).text == "😀\ufffd"


@both
def test_reasoning_that_comes_apart_goes_back_between_its_tags(read: Any) -> None:
    assert (
        read([chunk(reasoning_content="six sevens"), chunk("42"), *ENDING]).text
        == "<think>six sevens</think>42"
    )


@both
@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_reasoning_that_came_apart_is_told_from_the_answer_in_every_format(read: Any, name: str) -> None:
    form = format_named(name)
    events = [chunk(reasoning_content="six <think></think> \\boxed{7}"), chunk("42"), *ENDING]
    answer = read(events, expected(marks=marks_of(form)))
    parts = split(answer.text, form, answer.answer_start)
    assert (parts.reasoning, parts.answer, parts.complete) == ("six <think></think> \\boxed{7}", "42", True)


@both
def test_reasoning_that_never_ends_stays_open(read: Any) -> None:
    answer = read([chunk(reasoning="six sev"), chunk(finish="length"), usage()])
    assert (answer.text, answer.finish_reason, answer.answer_start) == ("<think>six sev", "length", 14)


@both
def test_the_stop_string_that_a_server_names_is_put_back(read: Any) -> None:
    end = chunk(finish="stop").replace('"finish_reason"', '"stop_reason": "</answer>", "finish_reason"')
    if read is whole:
        data = whole_of([chunk("<answer>42"), *ENDING]).replace(
            '"finish_reason"', '"stop_reason": "</answer>", "finish_reason"'
        )
        answer = whole_answer(data.encode(), expected(stops=("</answer>",)))
    else:
        answer = read([chunk("<answer>42"), end, usage()], expected(stops=("</answer>",)))
    assert answer.text == "<answer>42</answer>"


@both
@pytest.mark.parametrize(
    ("finish", "words"),
    [
        ("content_filter", "content filter"),
        ("tool_calls", "a call of a tool"),
        ("weird", "finish_reason 'weird'"),
    ],
)
def test_other_ends_are_no_answers(read: Any, finish: str, words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        read([chunk("x"), chunk(finish=finish), usage()])


def test_a_whole_answer_without_an_end_is_none() -> None:
    with pytest.raises(BadAnswer, match="finish_reason 'None'"):
        whole([chunk("x")])


@both
def test_no_text_though_tokens_are_counted_is_no_answer(read: Any) -> None:
    with pytest.raises(BadAnswer, match="no text, though tokens are counted"):
        read([chunk(""), *ENDING])


@both
def test_an_answer_of_nothing_but_its_end_is_one(read: Any) -> None:
    assert read([chunk(""), chunk(finish="stop"), usage(completion=1)]).text == ""


@both
def test_reasoning_that_is_counted_and_hidden_is_cut(read: Any) -> None:
    details = '"completion_tokens_details": {"reasoning_tokens": 100}, "completion_tokens": 100'
    counts = usage(completion=100).replace('"completion_tokens": 100', details)
    assert read([chunk(""), chunk(finish="length"), counts]).finish_reason == "length"


@both
def test_an_early_stop_that_the_counts_contradict_is_no_answer(read: Any) -> None:
    events = [chunk("\\boxed{4}"), chunk(finish="stop"), usage(completion=900)]
    with pytest.raises(BadAnswer, match="far less text than tokens"):
        read(events, expected(1000))
    assert read(events, expected(1000, hides_reasoning=True)).text == "\\boxed{4}"


def test_text_after_the_end_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="text after the end"):
        streamed([chunk("42"), chunk(finish="stop"), chunk("43"), usage()])


def test_a_stream_without_end_is_broken_off() -> None:
    with pytest.raises(BadAnswer, match="far beyond max_tokens"):
        streamed([chunk("on ")] * 20_000)


def test_a_stream_of_empty_pieces_is_broken_off() -> None:
    with pytest.raises(BadAnswer, match="far beyond max_tokens"):
        streamed([chunk("")] * 20_000)


def test_a_line_without_end_is_broken_off() -> None:
    answer = StreamedAnswer(expected())
    with pytest.raises(BadAnswer, match="far beyond max_tokens"):
        for _ in range(100):
            answer.feed(b"data: " + b"x" * 100_000)


def test_a_model_that_changes_within_an_answer_is_noticed() -> None:
    with pytest.raises(OtherModel, match="other"):
        streamed([chunk("4"), chunk("2", model="other"), *ENDING])


def test_counts_that_are_no_numbers_are_not_believed() -> None:
    counts = usage().replace('"completion_tokens": 7', '"completion_tokens": "x"')
    assert streamed([chunk("a"), chunk("b"), chunk(finish="stop"), counts]).output_tokens == 2
    answer = whole([chunk("a" * 9), chunk(finish="stop"), counts])
    assert (answer.output_tokens, answer.counted) == (3, False)
