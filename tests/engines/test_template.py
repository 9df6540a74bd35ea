"""Chat templates are read from files, rendered as transformers does, and tried before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from k2eval.engines.template import ChatTemplate, fold, read_template
from k2eval.errors import ConfigError
from k2eval.records import Message, Sampling
from tests import chat_templates
from tests.chat_templates import checkpoint

SYSTEM, USER = Message(role="system", content="Be brief."), Message(role="user", content="What is 2 + 2?")


def template(folder: Path, source: str) -> ChatTemplate:
    chat_template = read_template(checkpoint(folder, source)).template
    assert chat_template is not None
    return chat_template


@pytest.mark.parametrize(
    ("source", "system"),
    [
        (chat_templates.GEMMA_2, "refused"),
        (chat_templates.MISTRAL_1, "refused"),
        (chat_templates.DROPS_SYSTEM, "dropped"),
        (chat_templates.QWEN_3, "kept"),
        (chat_templates.K2_THINK, "kept"),
    ],
)
def test_it_is_known_what_becomes_of_a_system_turn(tmp_path: Path, source: str, system: str) -> None:
    assert template(tmp_path, source).system_turn() == system


@pytest.mark.parametrize(
    "source", [chat_templates.GEMMA_2, chat_templates.MISTRAL_1, chat_templates.DROPS_SYSTEM]
)
def test_a_template_without_a_system_turn_gets_its_text_in_the_first_user_turn(
    tmp_path: Path, source: str
) -> None:
    prompt = template(tmp_path, source).render([SYSTEM, USER])
    assert "Be brief.\n\nWhat is 2 + 2?" in prompt.text and prompt.folded


def test_a_template_with_a_system_turn_is_given_it(tmp_path: Path) -> None:
    prompt = template(tmp_path, chat_templates.QWEN_3).render([SYSTEM, USER])
    assert "<|im_start|>system\nBe brief.<|im_end|>" in prompt.text and not prompt.folded


def test_without_system_text_nothing_is_folded(tmp_path: Path) -> None:
    prompt = template(tmp_path, chat_templates.GEMMA_2).render([USER])
    assert prompt == ("<s><start_of_turn>user\nWhat is 2 + 2?<end_of_turn>\n<start_of_turn>model\n", False)


def test_folding_keeps_later_turns() -> None:
    turns = fold([SYSTEM, USER, Message(role="assistant", content="4")])
    assert [(turn.role, turn.content) for turn in turns] == [
        ("user", "Be brief.\n\nWhat is 2 + 2?"),
        ("assistant", "4"),
    ]


@given(st.lists(st.sampled_from(["system", "user", "assistant"]), min_size=1, max_size=5))
def test_folding_loses_no_text_and_leaves_no_system_turn(roles: list[str]) -> None:
    turns = [Message(role=role, content=f"text-{index}") for index, role in enumerate(roles)]
    folded = fold(turns)
    assert all(any(turn.content in other.content for other in folded) for turn in turns)
    assert all(turn.role != "system" for turn in folded)


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        (chat_templates.QWEN_3, {"enable_thinking"}),
        (chat_templates.DEEPSEEK_3, {"thinking"}),
        (chat_templates.GPT_OSS, {"reasoning_effort"}),
        (chat_templates.SEED, {"thinking_budget"}),
        (chat_templates.GEMMA_2, set()),
    ],
)
def test_the_arguments_that_a_template_reads_are_known(
    tmp_path: Path, source: str, arguments: set[str]
) -> None:
    assert template(tmp_path, source).arguments == arguments


@pytest.mark.parametrize(
    ("source", "sampling", "text"),
    [
        (chat_templates.QWEN_3, Sampling(thinking=False), "<think>\n\n</think>"),
        (chat_templates.DEEPSEEK_3, Sampling(thinking=True), "<think>"),
        (chat_templates.GPT_OSS, Sampling(reasoning_effort="high"), "Reasoning: high"),
        (chat_templates.SEED, Sampling(thinking_budget=512), "<budget>512"),
    ],
)
def test_a_switch_reaches_the_template_under_its_own_name(
    tmp_path: Path, source: str, sampling: Sampling, text: str
) -> None:
    chat_template = template(tmp_path, source)
    assert text in chat_template.render([USER], chat_template.arguments_of(sampling)).text


def test_a_missing_argument_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not set: --reasoning-effort VALUE"):
        template(tmp_path, chat_templates.DEMANDS_EFFORT).render([USER])


def test_another_missing_argument_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set sampling\.chat_template\.mood=VALUE"):
        template(tmp_path, "{{ 'I am ' + mood }}").render([USER])


def test_the_words_of_a_template_that_refuses_are_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"refuses a prompt with the turns user: not today"):
        template(tmp_path, "{{ raise_exception('not today') }}").render([USER])


def test_a_template_that_demands_an_argument_is_not_taken_for_one_without_a_system_turn(
    tmp_path: Path,
) -> None:
    chat_template = template(tmp_path, chat_templates.DEMANDS_EFFORT)
    assert chat_template.system_turn() == chat_template.system_turn({"reasoning_effort": "low"}) == "kept"


def test_the_system_text_that_a_template_adds_by_itself_is_known(tmp_path: Path) -> None:
    own = template(tmp_path, chat_templates.K2_THINK).own_system()
    assert own == "You are K2-Think. Reason between <think> tags."


@pytest.mark.parametrize("source", [chat_templates.QWEN_3, chat_templates.GEMMA_2, chat_templates.GPT_OSS])
def test_a_template_that_adds_none_has_none(tmp_path: Path, source: str) -> None:
    assert template(tmp_path, source).own_system() == ""


def test_a_file_of_its_own_wins_over_the_tokenizer_s_configuration(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, "old")
    (tmp_path / "chat_template.jinja").write_text("new", encoding="utf-8")
    files = read_template(model)
    assert files.template is not None
    assert (files.template.source, files.file) == ("new", "chat_template.jinja")


def test_of_several_named_templates_the_default_counts(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "usual"}]
    files = read_template(checkpoint(tmp_path, tokenizer_config={"chat_template": named}))
    assert files.template is not None and files.template.source == "usual"


def named(tmp_path: Path) -> ChatTemplate:
    rag = "RAG {{ messages[0].content }}"
    templates = [{"name": "rag", "template": rag}, {"name": "tool_use", "template": "TOOLS"}]
    files = read_template(checkpoint(tmp_path, tokenizer_config={"chat_template": templates}))
    assert files.template is not None
    return files.template


def test_several_templates_without_a_default_must_be_chosen_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(rag, tool_use\) .*sampling.chat_template.chat_template=NAME"):
        named(tmp_path).render([USER])


def test_a_template_is_chosen_by_its_name_or_given_as_text(tmp_path: Path) -> None:
    templates = named(tmp_path)
    texts = [
        templates.render([USER], {"chat_template": own}).text
        for own in ("rag", "{{ 1 + 1 }} {{ messages[0].content }}")
    ]
    assert texts == ["RAG What is 2 + 2?", "2 What is 2 + 2?"]


def test_a_template_that_wants_parts_gets_them(tmp_path: Path) -> None:
    source = (
        "{% for message in messages %}<{{ message.role }}>{% for part in message.content %}"
        "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
    )
    chat_template = template(tmp_path, source)
    assert chat_template.render([SYSTEM, USER]).text == "<system>Be brief.<user>What is 2 + 2?"
    assert chat_template.system_turn() == "kept"


@pytest.mark.parametrize(
    "source", ["usual", "{{ messages[0].role }}", "{{ messages[0].content.split('x')[5] }}"]
)
def test_a_template_that_leaves_the_question_out_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigError, match="leaves the question out of the prompt"):
        template(tmp_path, source).render([USER])


def test_a_template_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="refuses a prompt"):
        template(tmp_path, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").render([USER])


def test_the_template_of_a_model_that_sees_pictures_stands_beside_its_processor(tmp_path: Path) -> None:
    files = read_template(
        checkpoint(tmp_path, chat_template={"chat_template": "<{{ messages[0].content }}>"})
    )
    assert files.file == "chat_template.json" and files.template is not None
    assert files.template.render([USER]).text == "<What is 2 + 2?>"


@pytest.mark.parametrize(
    ("source", "dated"),
    [
        ("{{ strftime_now('%Y') }}{{ messages[0].content }}", True),
        (
            "{% if date_string is not defined %}{% set date_string = strftime_now('%d') %}{% endif %}{{ messages[0].content }}",
            True,
        ),
        ("{% if false %}{{ strftime_now('%Y') }}{% endif %}{{ messages[0].content }}", False),
    ],
)
def test_it_is_known_if_the_date_is_part_of_the_prompt(tmp_path: Path, source: str, dated: bool) -> None:
    files = read_template(checkpoint(tmp_path, source))
    assert files.template is not None
    files.template.render([USER])
    assert bool(files.dates) is dated


def test_a_base_model_has_no_template(tmp_path: Path) -> None:
    files = read_template(checkpoint(tmp_path))
    assert files.template is None and files.is_known


@pytest.mark.parametrize("file", ["tekken.json", "auto_map"])
def test_prompts_that_the_checkpoint_s_code_writes_are_not_known_from_files(
    tmp_path: Path, file: str
) -> None:
    model = checkpoint(tmp_path, tokenizer_config={"auto_map": {}} if file == "auto_map" else {})
    if file == "tekken.json":
        (tmp_path / file).write_text("{}", encoding="utf-8")
    assert not read_template(model).is_known


def test_a_template_that_is_no_jinja_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not valid Jinja"):
        read_template(checkpoint(tmp_path, "{% for %}"))


def test_a_template_cannot_reach_python(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unsafe"):
        template(tmp_path, "{{ ''.__class__.__mro__ }}").render([USER])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(chat_templates.ALL))
def test_prompts_are_those_of_transformers(tmp_path: Path, name: str) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    arguments = {"reasoning_effort": "low", "enable_thinking": False}
    turns = [USER, Message(role="assistant", content="<b>4</b>"), Message(role="user", content="Ünd?")]
    rendered, _ = render_jinja_template(
        [[turn.model_dump() for turn in turns]],
        chat_template=chat_templates.ALL[name],
        add_generation_prompt=True,
        bos_token="<s>",
        eos_token="</s>",
        **arguments,
    )
    assert template(tmp_path, chat_templates.ALL[name]).render(turns, arguments).text == rendered[0]
