"""Reasoning ends where it ends, and what follows is the answer."""

import time

import pytest
from hypothesis import given, strategies as st

from k2eval.reasoning import AUTO, MARKS, NAMES, NONE, custom, format_named, pairs_of, split

HARMONY = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}"

MARKED = [
    (start, end)
    for pairs in MARKS.values()
    for start, end in pairs
]  # fmt: skip


@pytest.mark.parametrize(("start", "end"), MARKED)
def test_a_mark_that_opens_a_response_tells_its_format(start: str, end: str) -> None:
    parts = split(f"{start}\nIs it \\boxed{{7}}?\n{end}\n\nIt is 8.")
    assert (parts.reasoning, parts.answer.strip(), parts.complete) == ("Is it \\boxed{7}?", "It is 8.", True)


@pytest.mark.parametrize(("start", "end"), MARKED)
def test_reasoning_without_end_holds_no_answer(start: str, end: str) -> None:
    parts = split(f"{start}\nIs it \\boxed{{7}}?")
    assert (parts.answer, parts.complete) == ("", False)


@pytest.mark.parametrize("name", [name for name in MARKS if name not in ("harmony", "granite")])
def test_a_declared_format_ends_reasoning_that_the_template_opened_unseen(name: str) -> None:
    end = pairs_of(format_named(name))[0][1]
    assert split(f"So \\boxed{{7}}?{end}It is 8.", format_named(name)).answer == "It is 8."


def test_the_final_channel_is_the_answer() -> None:
    parts = split(HARMONY.format("2 + 2?", "4") + "<|return|>")
    assert (parts.reasoning, parts.answer) == ("2 + 2?", "4")


def test_an_analysis_channel_without_a_final_one_holds_no_answer() -> None:
    assert not split("<|channel|>analysis<|message|>Perhaps \\boxed{7}<|end|><|start|>assistant").complete


def test_a_commentary_channel_is_no_answer() -> None:
    text = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
    assert not split(text).complete


def test_a_header_that_the_analysis_quotes_heads_nothing() -> None:
    text = "<|channel|>analysis<|message|>I end with <|channel|>final<|message|>\\boxed{7}"
    assert not split(text).complete


def test_channels_without_their_special_tokens_are_read() -> None:
    parts = split("analysisWe add 2 and 2.assistantfinalIt is 4.")
    assert (parts.reasoning, parts.answer) == ("We add 2 and 2.", "It is 4.")


def test_stripped_analysis_without_end_holds_no_answer() -> None:
    assert not split("analysisWe guess \\boxed{7}").complete


def test_an_answer_that_begins_with_the_word_analysis_is_an_answer() -> None:
    assert split("analysis of it: 4").answer == "analysis of it: 4"


@pytest.mark.parametrize(
    "answer",
    [
        "I put my thoughts into <think> and </think> tags. \\boxed{5}",
        "Everything before </think> was scratch work: \\boxed{5}",
        "The tag `<think>` opened it. \\boxed{5}",
        "`</think>` closed it. \\boxed{5}",
        "re.sub('<think>.*?</think>', '', text)",
        "As told, <think>. \\boxed{5}",
    ],
)
def test_an_answer_that_mentions_a_tag_loses_nothing(answer: str) -> None:
    parts = split(f"<think>\nhm\n</think>\n{answer}")
    assert (parts.answer.strip(), parts.complete) == (answer, True)


@pytest.mark.parametrize(
    "thought",
    [
        'I must close with "</think>" and then \\boxed{7}',
        "I think inside <think> and </think>, then answer. \\boxed{7}",
        "After the </think> tag comes the answer, \\boxed{7}",
        "`</think>` \\boxed{7}",
    ],
)
def test_a_quoted_end_tag_does_not_let_a_guess_pass(thought: str) -> None:
    assert not split(f"<think>{thought}").complete
    assert split(f"<think>{thought}\n</think>\n8").answer.strip() == "8"


@pytest.mark.parametrize(
    ("thought", "answer"),
    [
        ("So the answer is A ", "\n\nAnswer: A"),
        ("It is **35**", "**Answer: 35**"),
        ("It is (B)", "(B) is right"),
        ("so f(x)=`x`", "`x`"),
        ('It is "yes"', '"yes"'),
        ("答案是**35**", "**35**"),
    ],
)
def test_words_in_quotes_on_both_sides_do_not_hide_the_end(thought: str, answer: str) -> None:
    parts = split(f"<think>{thought}</think>{answer}")
    assert (parts.reasoning, parts.answer.strip(), parts.complete) == (thought.strip(), answer.strip(), True)


@pytest.mark.parametrize(
    "words",
    ['用"</think>"来结束', "用“</think>”来结束", "(`</think>`)", "**</think>** ends it", "a </think> tag"],
)
def test_an_end_mark_in_quotes_ends_nothing_in_any_language(words: str) -> None:
    assert not split(f"<think>I {words} and maybe \\boxed{{7}}").complete


def test_a_second_block_on_its_own_line_is_reasoning_again() -> None:
    parts = split("<think>a</think>\n\\boxed{4}\n<think>\n\\boxed{7}?\n</think>\nYes.")
    assert parts.answer.split() == ["\\boxed{4}", "Yes."]


def test_a_second_block_without_end_is_truncated() -> None:
    assert not split("<think>a</think>\n\\boxed{4}\n<think>\nLet me check").complete


def test_text_before_the_reasoning_is_no_answer() -> None:
    assert split("\\boxed{7}?\n<think>\nno\n</think>\nI do not know.").answer.strip() == "I do not know."


def test_an_end_tag_that_comes_twice_leaves_what_follows_the_last() -> None:
    assert split("<think>a</think>\\boxed{7}\n</think>\n\\boxed{8}").answer.strip() == "\\boxed{8}"


def test_an_end_tag_of_another_kind_ends_nothing() -> None:
    assert not split("<think>a</reasoning>\\boxed{7}").complete


def test_an_xml_element_of_an_answer_is_no_end_of_reasoning() -> None:
    assert split("<out>x</thought> \\boxed{7}").answer == "<out>x</thought> \\boxed{7}"


def test_none_leaves_everything_to_the_answer() -> None:
    assert split("<think>a</think>b", NONE).answer == "<think>a</think>b"


def test_a_format_of_ones_own_goes_by_its_marks_alone() -> None:
    own = custom("<scratch>", "</scratch>")
    assert split("<scratch><think>7</think>?</scratch>8", own).answer == "8"


@pytest.mark.parametrize("token", ["<|im_end|>", "</s>", "<turn|>", "<end_of_turn>", "<|return|>"])
def test_an_end_token_is_no_part_of_the_answer(token: str) -> None:
    assert split(f"<think>a</think><answer>5</answer>{token}\n").answer == "<answer>5</answer>"


PIECES = st.lists(
    st.sampled_from(
        [mark for pair in MARKED for mark in pair]
        + ["<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|end|>", "<|start|>assistant"]
        + ["analysis", "assistantfinal", "a", ". ", "\n", " ", "the ", "`", '"', " tag", "\\boxed{7}", "é"]
    ),
    max_size=30,
).map("".join)


@given(text=PIECES, name=st.sampled_from(NAMES))
def test_the_answer_is_text_of_the_response(text: str, name: str) -> None:
    parts = split(text, format_named(name))
    assert all(line in text for line in parts.answer.split("\n"))
    assert parts.complete or not parts.answer


@given(text=PIECES)
def test_a_start_tag_at_the_start_leaves_nothing_without_an_end_tag(text: str) -> None:
    assert not split("<think>" + text.replace("</think>", "")).complete


HOSTILE = {
    "open": "<think>",
    "closed": "</think>x",
    "bare": "<" * 9,
    "headers": "<|channel|>analysis",
    "lines": "\n" * 9,
    "quotes": "`</think>`",
    "stripped": "assistantfinal",
}


@pytest.mark.parametrize("opening", ["", "<think>", "analysisW"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_costs_no_more_than_in_proportion(kind: str, opening: str) -> None:
    def seconds(size: int) -> float:
        start = time.process_time()
        split(opening + HOSTILE[kind] * (size // len(HOSTILE[kind])), AUTO)
        return time.process_time() - start

    assert seconds(320_000) < 40 * max(seconds(32_000), 0.002)


@pytest.mark.parametrize(
    "opening", ["<seed:think>a</seed:think>", "[THINK]a[/THINK]", HARMONY.format("a", "")]
)
def test_an_answer_that_opens_with_the_tags_of_the_prompt_reasons_on(opening: str) -> None:
    assert split(f"{opening}\n<think>\\boxed{{7}}?\n</think>\n8").answer.strip() == "8"
    assert not split(f"{opening}\n<think>\\boxed{{7}}?").complete
