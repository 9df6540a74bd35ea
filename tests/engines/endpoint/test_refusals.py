"""What servers mean when they refuse, in their own words."""

import pytest

from k2eval.engines.endpoint.refusals import (
    is_beyond_context,
    is_no_model,
    most_tokens_in,
    refused_parameter,
    room_in,
)
from k2eval.engines.endpoint.trouble import Refusal

VLLM = (
    "This model's maximum context length is 2048 tokens. However, you requested 64012 tokens (12 in the messages, 64000 "
    "in the completion). Please reduce the length of the messages or completion."
)
VLLM_NEW = (
    "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is 2048 tokens and "
    "your request has 12 input tokens (64000 > 2048 - 12)."
)
SGLANG = (
    "Requested token count exceeds the model's maximum context length of 2048 tokens. You requested a total of 64012 "
    "tokens: 12 tokens from the input messages and 64000 tokens for the completion."
)
TGI = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 12 `inputs` tokens and 64000"
OPENROUTER = (
    "This endpoint's maximum context length is 2048 tokens. However, you requested about 64012 tokens (12 of text input, "
    "64000 in the output). Please reduce the length of either one"
)
VLLM_ONLY = (
    "You passed 12 input tokens and requested 64000 output tokens. However, the model's context length is only 2048 "
    "tokens, resulting in a maximum input length of 0 tokens. Please reduce the length of the input prompt."
)
ANTHROPIC = "input length and `max_tokens` exceed context limit: 12 + 64000 > 2048, decrease input length or `max_tokens`"
WITH_SIZES = [VLLM, VLLM_NEW, SGLANG, TGI, OPENROUTER, VLLM_ONLY, ANTHROPIC]
WITHOUT_SIZES = [
    "the request exceeds the available context size, try increasing it",
    "request (5003 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "The input (5003 tokens) is longer than the model's context length (4096 tokens).",
    "`inputs` must have less than 4095 tokens. Given: 5000",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "Trying to keep the first 5003 tokens when context the overflows. However, the model is loaded with context length of 4096",
    "litellm.ContextWindowExceededError: BadRequestError: OpenAIException",
    "input length exceeds maximum context length",
    "The prompt (length 5003) is longer than the maximum model length of 4096",
    "This model's maximum prompt length is 4096 but the request contains 5003 tokens.",
    "the request's sum of prompt tokens (5003) and max_tokens (9) exceeds max_seq_len 4096",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
]


@pytest.mark.parametrize("words", [*WITH_SIZES, *WITHOUT_SIZES])
def test_a_prompt_beyond_the_context_is_recognised(words: str) -> None:
    assert is_beyond_context(Refusal(400, words))


@pytest.mark.parametrize("code", ["context_length_exceeded", "exceed_context_size_error"])
def test_so_is_the_name_of_the_error(code: str) -> None:
    assert is_beyond_context(Refusal(400, "no", code))


@pytest.mark.parametrize(
    "words",
    [
        "unknown field",
        "Unsupported parameter: 'max_tokens'",
        "Invalid value for temperature",
        "top_k is too large",
    ],
)
def test_other_refusals_are_not_taken_for_it(words: str) -> None:
    assert not is_beyond_context(Refusal(400, words))


@pytest.mark.parametrize("words", WITH_SIZES)
def test_the_sizes_are_read(words: str) -> None:
    assert room_in(Refusal(400, words)) == (2048, 12)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 64000. This model supports at most 16384 completion tokens, whereas you provided 64000.",
        "max_tokens: 64000 > 16384, which is the maximum allowed number of output tokens for this model",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 16384]",
        "`max_tokens` must be less than or equal to `16384`, the maximum value for `max_tokens` is less than",
    ],
)
def test_the_most_tokens_are_read(words: str) -> None:
    assert most_tokens_in(Refusal(400, words), 64_000) == 16_384


@pytest.mark.parametrize(
    ("refusal", "name"),
    [
        (
            Refusal(
                400,
                "Unsupported parameter: 'max_tokens' … Use 'max_completion_tokens' instead.",
                "",
                "max_tokens",
            ),
            "max_tokens",
        ),
        (
            Refusal(400, "'temperature' does not support 0.6 with this model. Only the default (1)"),
            "temperature",
        ),
        (
            Refusal(
                422,
                '[{"type": "extra_forbidden", "loc": ["body", "min_p"], "msg": "Extra inputs are not permitted"}]',
            ),
            "min_p",
        ),
        (
            Refusal(
                400, "UnsupportedParamsError: openai does not support parameters: ['top_k'], for model=x"
            ),
            "top_k",
        ),
        (Refusal(400, "Unknown field: include_stop_str_in_output"), "include_stop_str_in_output"),
        (Refusal(400, "the messages are odd"), None),
        (Refusal(400, "unknown field"), None),
        (Refusal(400, "unsupported: stop_sequences"), None),
    ],
)
def test_the_parameter_that_is_refused_is_found(refusal: Refusal, name: str | None) -> None:
    sent = ["max_tokens", "temperature", "top_k", "min_p", "stop", "seed", "include_stop_str_in_output"]
    assert refused_parameter(refusal, sent) == name


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(404, "The model `x` does not exist or you do not have access to it.", "model_not_found"),
        Refusal(400, "x is not a valid model ID"),
        Refusal(404, "model 'x' not found, try pulling it first"),
        Refusal(400, "Invalid model name passed in model=x. Call `/v1/models` to view available models"),
    ],
)
def test_a_model_that_is_not_there_is_recognised(refusal: Refusal) -> None:
    assert is_no_model(refusal)
