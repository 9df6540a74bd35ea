"""Budgets of thinking that vLLM itself must keep."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.engines.vllm.preview import Preview
from k2eval.engines.vllm.requests import Prompts
from k2eval.errors import ConfigError
from k2eval.reasoning import AUTO, THINK, custom
from k2eval.records import Message, ReasoningFormat, Request, Sampling
from tests.chat_templates import GPT_OSS, QWEN_3, SEED, checkpoint
from tests.models.families import FAMILIES, write


def request(**sampling: Any) -> Request:
    return Request(
        key="k", task="t", question_id="q", repeat_index=0, stage="solve", seed=1,
        messages=(Message(role="user", content="2 + 2?"),), sampling=Sampling(**sampling),
    )  # fmt: skip


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vLLM that keeps budgets."""
    params = type("SamplingParams", (), {"thinking_token_budget": None})
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=params))


def asked(folder: Path, source: str, arguments: dict[str, Any] | None = None, **sampling: Any) -> Preview:
    preview = Preview(checkpoint(folder, source), arguments or {})
    preview.show(request(**sampling), ["thinking_budget"] if "thinking_budget" in sampling else [])
    return preview


def test_a_budget_that_the_template_knows_is_left_to_it(tmp_path: Path) -> None:
    assert asked(tmp_path, SEED, thinking_budget=512).reasoning("1", AUTO) == {}


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize(
    ("form", "marks"), [(AUTO, ("<think>", "</think>")), (custom("<a>", "</a>"), ("<a>", "</a>"))]
)
def test_vllm_is_told_where_thinking_begins_and_ends(
    tmp_path: Path, form: ReasoningFormat, marks: tuple[str, str]
) -> None:
    told = asked(tmp_path, QWEN_3, thinking_budget=512).reasoning("1", form)
    assert told == {"reasoning_config": {"reasoning_start_str": marks[0], "reasoning_end_str": marks[1]}}


@pytest.mark.usefixtures("vllm")
def test_a_parser_that_the_user_names_tells_it(tmp_path: Path) -> None:
    preview = asked(tmp_path, GPT_OSS, {"reasoning_parser": "openai_gptoss"}, thinking_budget=512)
    assert preview.reasoning("1", AUTO) == {}


@pytest.mark.usefixtures("vllm")
def test_marks_that_nobody_knows_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set engine\.reasoning_parser=NAME"):
        asked(tmp_path, GPT_OSS, thinking_budget=512).reasoning("1", AUTO)


def test_a_vllm_that_keeps_no_budgets_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=type("SamplingParams", (), {})))
    with pytest.raises(ConfigError, match=r"vLLM 0\.1 keeps none"):
        asked(tmp_path, QWEN_3, thinking_budget=512).reasoning("0.1", THINK)


@pytest.mark.parametrize("sampling", [{}, {"thinking_budget": 512, "thinking": False}])
def test_without_thinking_there_is_no_budget_to_keep(tmp_path: Path, sampling: dict[str, Any]) -> None:
    assert asked(tmp_path, QWEN_3, **sampling).reasoning("1", THINK) == {}


def test_an_answer_has_the_budget_that_its_template_does_not_know() -> None:
    def budget(template: str, **sampling: Any) -> int | None:
        tokenizer = SimpleNamespace(chat_template=template, special_tokens_map={})
        return Prompts("m", tokenizer).budget(Sampling(thinking_budget=512, **sampling))

    assert budget(QWEN_3) == 512
    assert budget(QWEN_3, thinking=False) is None
    assert budget(SEED) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_shown_before_the_start_is_what_the_checkpoint_is_asked(tmp_path: Path, name: str) -> None:
    from transformers import AutoTokenizer

    folder = write(name, tmp_path, weights=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="2 + 2?"))
    asked_for = request(reasoning_effort="high", thinking=False).model_copy(update={"messages": turns})
    text = Preview(str(folder), {}).show(asked_for)
    assert text is not None and "Be brief." in text
    ids, _ = Prompts(name, tokenizer).of(asked_for)
    assert list(ids) == tokenizer.encode(text, add_special_tokens=name == "base")
