"""Thinking on or off, its effort and its budget: the names under which templates and servers know them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from k2eval.records import SWITCHES, Json, Sampling

TEMPLATE_NAMES: Mapping[str, tuple[str, ...]] = {
    "thinking": ("enable_thinking", "thinking"),
    "reasoning_effort": ("reasoning_effort", "thinking_effort"),
    "thinking_budget": ("thinking_budget", "thinking_token_budget", "reasoning_budget"),
}
"""Under which arguments chat templates read each switch."""

FLAGS = {
    "thinking": "--thinking",
    "reasoning_effort": "--reasoning-effort",
    "thinking_budget": "--thinking-budget",
}
_WORDS = {
    "thinking": "thinking on or off",
    "reasoning_effort": "the effort of reasoning",
    "thinking_budget": "a budget of thinking",
}


def template_arguments(sampling: Sampling, reads: Collection[str] | None) -> dict[str, Json]:
    """Return the arguments of the chat template, the switches under the names that it reads.

    Args:
        sampling: Holds arguments and switches.
        reads: The arguments that the template reads; None if nobody knows, which gives every usual name.

    >>> template_arguments(Sampling(thinking=False), {"thinking", "messages"})
    {'thinking': False}
    >>> template_arguments(Sampling(thinking=False), None)
    {'enable_thinking': False, 'thinking': False}
    """
    arguments = dict(sampling.chat_template)
    for switch in SWITCHES:
        value = getattr(sampling, switch)
        if value is not None:
            names = TEMPLATE_NAMES[switch]
            arguments |= {name: value for name in names if reads is None or name in reads}
    return arguments


def server_fields(
    sampling: Sampling, *, template: bool = True, own: Collection[str] = SWITCHES
) -> dict[str, Json]:
    """Return what a chat completion carries so that a server sets the switches, beside its other fields.

    Args:
        sampling: Holds arguments and switches.
        template: Whether the server takes ``chat_template_kwargs``.
        own: Switches for which the server has a field of its own: ``reasoning_effort`` as OpenAI, vLLM, SGLang and
            llama.cpp name it, and for ``thinking_budget`` vLLM's ``thinking_token_budget``.

    >>> server_fields(Sampling(reasoning_effort="low", thinking_budget=512), template=False)
    {'reasoning_effort': 'low', 'thinking_token_budget': 512}
    """
    fields: dict[str, Json] = {}
    arguments = template_arguments(sampling, None) if template else {}
    if arguments:
        fields["chat_template_kwargs"] = arguments
    if sampling.reasoning_effort is not None and "reasoning_effort" in own:
        fields["reasoning_effort"] = sampling.reasoning_effort
    if sampling.thinking_budget is not None and "thinking_budget" in own:
        fields["thinking_token_budget"] = sampling.thinking_budget
    return fields


def may_think(sampling: Sampling) -> bool:
    """Return whether a request leaves a model that reasons free to do so.

    >>> may_think(Sampling()), may_think(Sampling(thinking=False)), may_think(Sampling(reasoning_effort="none"))
    (True, False, False)
    """
    switched_off = any(sampling.chat_template.get(name) is False for name in TEMPLATE_NAMES["thinking"])
    return not switched_off and sampling.thinking is not False and sampling.reasoning_effort != "none"


def unknown_switches(switches: Iterable[str], reads: Collection[str]) -> list[str]:
    """Return those of the switches for which a template that reads ``reads`` has no name.

    >>> unknown_switches(["thinking", "reasoning_effort"], {"enable_thinking"})
    ['reasoning_effort']
    """
    return [switch for switch in switches if not set(TEMPLATE_NAMES[switch]) & set(reads)]


def no_switch(model: str, switch: str, reads: Collection[str]) -> str:
    """Return the words about a switch that a checkpoint's template does not have."""
    known = ", ".join(sorted(reads)) or "nothing"
    return (
        f"The chat template of {model} has no switch for {_WORDS[switch]} ({FLAGS[switch]}). The arguments that it "
        f"reads: {known}. Leave {FLAGS[switch]} out, or set an argument with --set sampling.chat_template.NAME=VALUE."
    )
