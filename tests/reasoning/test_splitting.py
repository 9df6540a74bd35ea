"""Reasoning ends where it ends, and what follows is the answer."""

import time

import pytest
from hypothesis import given, strategies as st

from k2eval.reasoning import AUTO, MARKS, NAMES, NONE, Parts, custom, format_named, marks_of, pairs_of, split
from k2eval.reasoning.formats import UNMISTAKABLE

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


FALSE_BLOCK = "They want <think>7</think><answer>7</answer>, or so."


@pytest.mark.parametrize("name", [name for name in NAMES if name != "none"])
def test_no_mark_before_a_servers_boundary_counts(name: str) -> None:
    form = format_named(name)
    start, end = marks_of(form)
    parts = split(f"{start}{FALSE_BLOCK}{end}It is 8.", form, len(start + FALSE_BLOCK + end))
    assert (parts.reasoning, parts.answer, parts.complete) == (FALSE_BLOCK, "It is 8.", True)


def test_reasoning_that_a_server_cut_holds_no_answer() -> None:
    text = f"<think>{FALSE_BLOCK}"
    assert split(text, AUTO, len(text), cut=True) == (Parts(FALSE_BLOCK, "", complete=False))


def test_reasoning_alone_that_was_not_cut_leaves_an_empty_answer() -> None:
    text = f"<think>{FALSE_BLOCK}</think>"
    assert split(text, AUTO, len(text)) == Parts(FALSE_BLOCK, "", complete=True)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (
            "Write <think> and </think> around it. \\boxed{5}",
            "Write <think> and </think> around it. \\boxed{5}",
        ),
        ("5 </think> 6", "5 </think> 6"),
        ("\\boxed{4}\n<think>\n\\boxed{7}?\n</think>\nYes.", "\\boxed{4} Yes."),
        ("Not \\boxed{7}\n</think>\n\\boxed{8}", "\\boxed{8}"),
        ("<think>7?</think>8", "8"),
        ("analysis of it: 4", "analysis of it: 4"),
    ],
)
def test_behind_a_servers_boundary_marks_count_as_in_any_answer(content: str, answer: str) -> None:
    before = "<think>hm</think>"
    assert split(before + content, AUTO, len(before)).answer.split() == answer.split()


def test_a_word_behind_a_servers_boundary_is_no_header_of_harmony() -> None:
    assert split("analysis of it: 4", format_named("harmony"), 0).answer == "analysis of it: 4"


def test_reasoning_that_begins_again_behind_a_servers_boundary_and_never_ends_is_truncated() -> None:
    before = "<think>hm</think>"
    assert not split(f"{before}\\boxed{{4}}\n<think>\nLet me", AUTO, len(before)).complete


@given(st.text("<think>/ a\n"), st.text("<think>/ a\n"), st.sampled_from(NAMES))
def test_the_answer_is_always_behind_the_boundary(before: str, content: str, name: str) -> None:
    parts = split(before + content, format_named(name), len(before))
    assert parts.answer == split(content, format_named(name), 0).answer
    assert len(parts.answer) <= len(content)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        (
            "<|begin_of_thought|>\n\n7?\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n8\n\n<|end_of_solution|>",
            "7?",
            "8",
        ),
        ("<|begin_of_thought|>7?\n<|begin_of_solution|>8<|end_of_solution|>", "7?", "8"),
        ("<|think|>7?<|end|><|begin|>assistant<|content|>8<|end|>", "7?", "8"),
        ("<|begin|>assistant<|content|>8<|flush|>", "", "8"),
        (
            "<|open|>think<|sep|>7?<|close|>think<|sep|><|open|>response<|sep|>8<|close|>response<|sep|>",
            "7?",
            "8",
        ),
        ("<Thought>7?</Thought>\n8", "7?", "8"),
        ("<THINK>7?</THINK>8", "7?", "8"),
    ],
)
def test_headers_around_an_answer_are_no_part_of_it(text: str, reasoning: str, answer: str) -> None:
    parts = split(text, format_named("solar") if "<|content|>" in text else AUTO)
    assert (parts.reasoning, parts.answer.strip(), parts.complete) == (reasoning, answer, True)


@pytest.mark.parametrize("name", UNMISTAKABLE)
def test_an_end_mark_tells_the_format_if_the_chat_template_has_opened_the_reasoning(name: str) -> None:
    end = marks_of(format_named(name))[1]
    parts = split(f"Is it \\boxed{{7}}? No.\n{end}I cannot tell.")
    assert parts == Parts("Is it \\boxed{7}? No.", "I cannot tell.", complete=True)
    assert split(f"I used `{end}` and got \\boxed{{8}}").answer == f"I used `{end}` and got \\boxed{{8}}"
