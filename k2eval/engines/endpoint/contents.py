"""Text and reasoning of a message, in the many shapes in which servers send them."""

from __future__ import annotations

from typing import Any

from k2eval.engines.endpoint.trouble import BadAnswer

_REASONING = (
    "reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks", "thinking_content",
    "reasoning_text", "thought",
)  # fmt: skip
"""Fields of a message that hold its reasoning: DeepSeek's, OpenAI's and vLLM's, Ollama's, OpenRouter's, LiteLLM's …"""
_TEXTS = ("text", "thinking", "reasoning", "content", "summary", "refusal", "output_text")
"""Fields of a part, or of an object, that hold its text."""


def parts_of(message: dict[str, Any]) -> tuple[str, str]:
    """Return the text of a message, or of a piece of one in a stream, and its reasoning.

    Raises:
        BadAnswer: If a part is neither, such as a picture.
        TypeError: If it has no text where one belongs.

    >>> parts_of({"content": "4", "reasoning_content": "2 + 2"})
    ('4', '2 + 2')
    >>> parts_of({"content": [{"type": "thinking", "thinking": "2 + 2"}, {"type": "text", "text": "4"}]})
    ('4', '2 + 2')
    >>> parts_of({"content": None, "reasoning_details": [{"type": "reasoning.text", "text": "2 + 2"}]})
    ('', '2 + 2')
    """
    content = message.get("content")
    field = reasoning_field(message)
    thought: Any = message[field] if field else None
    if content is None or type(content) is str:
        text, inner = content or "", ""
    else:
        text, inner = _divided(content)
    reasoning = thought if type(thought) is str else _text_in(thought)
    if not text and not (reasoning or inner) and (refusal := message.get("refusal")):
        text = _text_in(refusal)  # the model's own words, where it is asked for JSON
    return text, reasoning or inner


def reasoning_field(message: dict[str, Any]) -> str | None:
    """Return the name of the field that holds a message's reasoning; None if none does."""
    for name in _REASONING:
        if (value := message.get(name)) and isinstance(value, (str, list, dict)):
            return name
    return None


def _divided(parts: Any) -> tuple[str, str]:
    """Return text and reasoning of a content that comes in parts."""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in parts if isinstance(parts, list) else [parts]:
        kind = part.get("type") if isinstance(part, dict) else "text"
        reasons = isinstance(kind, str) and kind.startswith(("thinking", "reasoning", "thought"))
        if not reasons and isinstance(part, dict) and not any(name in part for name in _TEXTS):
            raise BadAnswer(f"a part of the kind {str(kind)[:40]!r} instead of text")
        (thoughts if reasons else texts).append(_text_in(part))
    return "".join(texts), "".join(thoughts)


def _text_in(value: Any) -> str:
    """Return the text in a value: itself, those of a list, or the first field of an object that has one."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_text_in, value))
    if isinstance(value, dict):
        return next((_text_in(value[name]) for name in _TEXTS if value.get(name)), "")
    raise TypeError(f"expected text, got {type(value).__name__}")
