"""Requests in vLLM's words, and vLLM's answers in ours."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from k2eval.errors import ConfigError
from k2eval.records import Message, Request, Sampling, SpeculativeCounts

THINK_TAGS = ("<think>", "</think>")
_KEPT = 64
"""Repeats of a question come side by side, so few prompts are worth keeping."""


class Prompts:
    """Prompts as tokens, by the checkpoint's chat template where it has one.

    Args:
        model: The checkpoint's name, for messages.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: str, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._render = lru_cache(maxsize=_KEPT)(self._render_uncached)

    def of(self, request: Request) -> tuple[tuple[int, ...], str]:
        """The tokens of a request's prompt, and the part of the answer that the prompt already holds.

        Raises:
            ConfigError: When the chat template refuses the prompt.
        """
        return self._render(request.messages, json.dumps(request.sampling.chat_template, sort_keys=True))

    def _render_uncached(self, messages: tuple[Message, ...], template: str) -> tuple[tuple[int, ...], str]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if getattr(self._tokenizer, "chat_template", None):
            try:
                text = self._tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=True, **json.loads(template)
                )
            except TemplateError as error:
                raise ConfigError(
                    f"The chat template of {self._model} refuses a prompt with the turns "
                    f"{', '.join(turn['role'] for turn in turns)}: {error}. Where it knows no system turn, "
                    "--set TASK.system='' leaves it out."
                ) from error
            ids = self._tokenizer.encode(text, add_special_tokens=False)
        else:
            text = "\n\n".join(turn["content"] for turn in turns)
            ids = self._tokenizer.encode(text)
        return tuple(ids), THINK_TAGS[0] if text.rstrip().endswith(THINK_TAGS[0]) else ""


def sampling_params(request: Request, room: int, skip_special_tokens: bool) -> Any:
    """The ``SamplingParams`` of a request; ``room`` is how many tokens the context still holds."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    sampling: Sampling = request.sampling
    constraint = StructuredOutputsParams(json=sampling.json_schema) if sampling.json_schema else None
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop),
        include_stop_str_in_output=True,
        seed=request.seed,
        skip_special_tokens=skip_special_tokens,
        structured_outputs=constraint,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def speculative_counts(metrics: Any) -> SpeculativeCounts | None:
    """What vLLM counted for one answer: ``histogram[n]`` is how many drafts had n tokens accepted."""
    if metrics is None:
        return None
    histogram = list(metrics.histogram)
    per_position = tuple(sum(histogram[position + 1 :]) for position in range(len(histogram) - 1))
    return SpeculativeCounts(
        drafts=sum(histogram),
        drafted_tokens=metrics.num_draft_tokens,
        accepted_tokens=sum(per_position),
        accepted_per_position=per_position,
    )


def elapsed(metrics: Any, start: str, end: str) -> float | None:
    """Seconds between two of vLLM's time stamps; None where one is missing."""
    first, last = getattr(metrics, start, 0.0), getattr(metrics, end, 0.0)
    return round(max(0.0, last - first), 6) if first and last else None
