"""Bodies of requests to chat completions and to completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k2eval.engines.endpoint.settings import EndpointSettings
from k2eval.engines.template import fold
from k2eval.engines.thinking import server_fields
from k2eval.records import SWITCHES, Json, Request, Sampling

OPTIONAL = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "stop", "include_stop_str_in_output",
    "skip_special_tokens", "chat_template_kwargs", "reasoning_effort", "thinking_token_budget", "stream_options",
    "response_format",
)  # fmt: skip
"""Parameters that a server may refuse; it is then asked without them, and that is noted."""
_NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}


@dataclass(slots=True)
class Dialect:
    """Parameters and route that one server takes, as set or as learned from its refusals."""

    dropped: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    most_tokens: int | None = None
    """The largest max_tokens that it allows."""
    api: str = "chat"
    folds_system: bool = False
    """True if its chat template has no system turn."""
    takes_text: bool = False
    """True if its completions take prompts as text alone, not as tokens."""

    @classmethod
    def of(cls, settings: EndpointSettings) -> Dialect:
        """Return the dialect that the settings name."""
        api = "completions" if settings.api == "completions" else "chat"
        return cls(set(settings.drop), dict(settings.rename), api=api)


def has_switches(sampling: Sampling) -> bool:
    """Return whether the chat template, or the server, is told anything about thinking and the like."""
    return bool(sampling.chat_template) or any(getattr(sampling, name) is not None for name in SWITCHES)


def turns_of(request: Request, folds_system: bool = False) -> list[dict[str, str]]:
    """Return a request's prompt as servers take it; the system text in the first user turn if that is asked for."""
    messages = request.messages
    if folds_system and messages[0].role == "system":
        messages = fold(messages)
    return [{"role": turn.role, "content": turn.content} for turn in messages]


def body_of(
    request: Request,
    model: str,
    max_tokens: int,
    dialect: Dialect,
    *,
    prompt: list[int] | str | None = None,
    reasons: bool = False,
    stream: bool = False,
    extra: Mapping[str, Json] | None = None,
) -> dict[str, Any]:
    """Return the body of one request.

    Args:
        request: What to ask.
        model: Name that the server knows the model by.
        max_tokens: Tokens that the answer may have here.
        dialect: How the server wants to be asked.
        prompt: The prompt's tokens or its text, if it was rendered here.
        reasons: Whether the model reasons first. A stop string could end that, so none is sent.
        stream: Whether the answer comes in pieces.
        extra: Sent as it is.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        # Said even if they change nothing: servers have defaults of their own, or the checkpoint's.
        "top_k": sampling.top_k or -1,
        "min_p": sampling.min_p,
        "repetition_penalty": 1.0,
        "max_tokens": max_tokens,
        "seed": request.seed,
    }
    if prompt is None:
        body["messages"] = turns_of(request, dialect.folds_system)
        if has_switches(sampling):
            body |= server_fields(sampling, template="chat_template_kwargs" not in dialect.dropped)
    else:
        body["prompt"] = prompt
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if reasons:  # its marks may be special tokens, which servers leave out of the text
        body["skip_special_tokens"] = False
    elif sampling.stop and "stop" not in dialect.dropped:
        body |= {"stop": list(sampling.stop), "include_stop_str_in_output": True}
    if sampling.json_schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": sampling.json_schema, "strict": True},
        }
    for name in dialect.dropped:
        body.pop(name, None)
    for name, other in dialect.renamed.items():
        if name in body:
            body[other] = body.pop(name)
    return {**body, **extra} if extra else body


def is_neutral(name: str, sampling: Sampling) -> bool:
    """Return whether a parameter says no more than a server does that does not know it."""
    return name in _NEUTRAL and getattr(sampling, name, None) in (None, 0, _NEUTRAL[name])
