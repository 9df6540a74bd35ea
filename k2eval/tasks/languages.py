"""Our instruction words in other languages than English: what tasks say around their questions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from k2eval.errors import ConfigError

WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "You are a careful problem solver. Think step by step inside <think> and </think>, then give the result inside "
        "<answer> and </answer>.": (
            "你是一位严谨的解题者。请在 <think> 和 </think> 之间逐步思考，"
            "然后在 <answer> 和 </answer> 之间给出结果。"
        ),
        r"Put the final answer inside \boxed{}.": r"请把最终答案放在 \boxed{} 中。",
        r"The answer is an integer from 0 to 999. Put it inside \boxed{}.": (
            r"答案是 0 到 999 之间的整数。请把它放在 \boxed{} 中。"
        ),
        r"Put the letter of the right option inside \boxed{}.": r"请把正确选项的字母放在 \boxed{} 中。",
    }
}
"""Language -> English sentence of a task -> the same in that language."""

_NOT_WORDS = re.compile(
    # Matches "{{problem}}", "{% if is_choice %}" and "<think>", the same in every language; not "Put".
    r"\{\{.*?\}\}|\{%.*?%\}|\\boxed|</?\w+>",
    re.DOTALL,
)
_ENGLISH = re.compile(r"[A-Za-z]{2,}")
"""Matches a word of English: "Put"; not "最终" or "A"."""


def in_language(template: str, language: str, task: str) -> str:
    r"""Return a task's template with its words in another language.

    >>> print(in_language(r"{{problem}} Put the final answer inside \boxed{}.", "zh", "t"))
    {{problem}} 请把最终答案放在 \boxed{} 中。

    Args:
        template: A Jinja template in English.
        language: A language of `WORDS`, or ``en``.
        task: The task's name, for the message.

    Raises:
        ConfigError: If some of its words are not known in that language.
    """
    if language == "en":
        return template
    for sentence, other in WORDS[language].items():
        template = template.replace(sentence, other)
    left = _ENGLISH.search(_NOT_WORDS.sub("", template))
    if left:
        raise ConfigError(
            f"Task {task}: expected all of its instructions in the language {language!r}, but those with {left[0]!r} "
            "are known in English only. Leave --prompt-language out, or ask the task in a run of its own."
        )
    return template
