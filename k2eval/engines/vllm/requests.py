"""Convert requests to vLLM's types, and vLLM's metrics to ours."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from k2eval.engines.begun import beginning
from k2eval.engines.template import template_of_tokenizer
from k2eval.engines.thinking import unknown_switches
from k2eval.engines.vllm.watching import Written
from k2eval.reasoning import AUTO, prefill_of
from k2eval.records import Generation, Json, ReasoningFormat, Request, Sampling, SpeculativeCounts

_KEPT = 1024
"""Prompts that are cached: the repeats of a question come in turn, with those of other questions between them."""


class Prompts:
    """Prompts as tokens, by the checkpoint's chat template if it has one.

    Args:
        model: The checkpoint's name, for messages.
        tokenizer: The checkpoint's tokenizer.
        reasoning: How it marks its reasoning.
    """

    def __init__(self, model: str, tokenizer: Any, reasoning: ReasoningFormat = AUTO) -> None:
        self._reasoning = reasoning
        self._tokenizer = tokenizer
        self._template = template_of_tokenizer(model, tokenizer)
        self.folds = False
        """Whether system text was put into a user turn, since the template has no system turn."""
        self._encode = lru_cache(maxsize=_KEPT)(self._encode_uncached)

    def of(self, request: Request) -> tuple[tuple[int, ...], str]:
        """Return the tokens of a request's prompt, and the part of the answer that the prompt already holds.

        Raises:
            ConfigError: If the chat template refuses the prompt.
        """
        if self._template is None:
            text = "\n\n".join(message.content for message in request.messages)
        else:
            prompt = self._template.render(request.messages, self._template.arguments_of(request.sampling))
            text, self.folds = prompt.text, self.folds or prompt.folded
        ids = self._encode(text)
        if request.begun is None:
            return ids, prefill_of(text, self._reasoning)
        start = beginning(request, self._reasoning, self._of_text, self._tokenizer.decode)
        return (*ids, *self._of_text(start[len(request.begun.prefill) :])), start

    def _of_text(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def budget(self, sampling: Sampling) -> int | None:
        """Return the budget of thinking that vLLM must keep, since the chat template knows none."""
        if sampling.thinking_budget is None or sampling.thinking is False:
            return None
        reads = self._template.arguments if self._template else frozenset()
        return sampling.thinking_budget if unknown_switches(["thinking_budget"], reads) else None

    def _encode_uncached(self, text: str) -> tuple[int, ...]:
        # A template writes its own special tokens, such as the one at the beginning; plain text lacks it.
        return tuple(self._tokenizer.encode(text, add_special_tokens=self._template is None))


def sampling_params(
    request: Request,
    room: int,
    skip_special_tokens: bool,
    budget: int | None = None,
    *,
    watched: bool = False,
    decoded: bool = True,
) -> Any:
    """Return the ``SamplingParams`` of a request.

    Args:
        request: The request.
        room: Number of tokens that the context still has room for.
        skip_special_tokens: Whether special tokens are left out of the text.
        budget: Most tokens of thinking, if vLLM is to enforce this limit.
        watched: Whether the answer comes in pieces and k2eval looks for stop strings in it, not vLLM.
        decoded: Whether vLLM turns tokens into text; it does if it looks for stop strings.
    """
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    sampling: Sampling = request.sampling
    constraint = StructuredOutputsParams(json=sampling.json_schema) if sampling.json_schema else None
    stop = [] if watched else list(sampling.stop)
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=stop,
        detokenize=decoded or bool(stop),
        include_stop_str_in_output=True,
        seed=request.seed,
        skip_special_tokens=skip_special_tokens,
        structured_outputs=constraint,
        output_kind=RequestOutputKind.DELTA if watched else RequestOutputKind.FINAL_ONLY,
        **({} if budget is None else {"thinking_token_budget": budget}),
    )


def generate_arguments(
    request: Request, ids: Sequence[int], params: Any, salt: str | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of ``AsyncLLM.generate``.

    Args:
        request: The request.
        ids: The tokens of its prompt.
        params: Its ``SamplingParams``.
        salt: A word that keeps its part of the prefix cache apart; None or empty for none.
        settings: Engine arguments of vLLM, which takes priorities only if it goes by them.
    """
    from vllm.inputs import TokensPrompt

    prompt = TokensPrompt(prompt_token_ids=list(ids))
    if salt:
        prompt["cache_salt"] = salt
    arguments = {
        "prompt": prompt,
        "sampling_params": params,
        "request_id": f"{request.key}-{os.urandom(4).hex()}",
    }
    by_priority = settings.get("scheduling_policy") == "priority"
    return arguments | ({"priority": request.priority} if by_priority else {})


def generation_of(
    request: Request,
    written: Written,
    text: str,
    prompt: tuple[Sequence[int], str],
    model: str,
    duration_s: float,
) -> Generation:
    """Return the generation of an answer.

    Args:
        request: The request.
        written: The answer.
        text: Its text.
        prompt: The tokens of its prompt, and the part of the answer that the prompt already holds.
        model: The checkpoint's name.
        duration_s: Seconds from the request to the end of the answer.
    """
    ids, prefill = prompt
    metrics = written.last.metrics
    return Generation.answering(
        request,
        text=text,
        finish_reason="length" if written.finish_reason == "length" else "stop",
        prefill=prefill,
        prompt_tokens=len(ids),
        cached_tokens=written.last.num_cached_tokens or 0,
        output_tokens=len(written.token_ids),
        queue_s=elapsed(metrics, "queued_ts", "scheduled_ts"),
        ttft_s=round(metrics.first_token_latency, 6) if metrics and metrics.first_token_latency else None,
        duration_s=round(duration_s, 6),
        model=model,
        speculative=speculative_counts(getattr(written.last.outputs[0], "spec_decode_metrics", None)),
    )


def speculative_counts(metrics: Any) -> SpeculativeCounts | None:
    """Return vLLM's counts for one answer; ``histogram[n]`` of the metrics is the drafts with n accepted tokens."""
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
    """Return the seconds between two of vLLM's time stamps; None if one is missing."""
    first, last = getattr(metrics, start, 0.0), getattr(metrics, end, 0.0)
    return round(max(0.0, last - first), 6) if first and last else None


def plain(value: Any) -> Json:
    """Return an engine argument as JSON can hold it; an object as its text."""
    return value if isinstance(value, (str, int, float, bool, type(None), list, dict)) else str(value)
