"""Meaning of refusals (HTTP 400, 413, 422), recognised by the words of many servers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from k2eval.engines.endpoint.jsons import dumps
from k2eval.engines.endpoint.trouble import Refusal
from k2eval.records import Json

BAD_REQUEST = (400, 413, 422)
_OF_THE_KEY = (401, 402, 403)
_NOT_THERE = (404, 405, 410, 501)
"""The statuses of a request that will not be answered as it is."""

_CONTEXT = re.compile(
    r"context[ _]?(?:length|window|size|limit)|maximum context|max_model_len|max_seq_len|max_total_tokens"
    r"|exceed_context_size|maximum (?:model|prompt|sequence) length"
    r"|exceeds? the (?:available|model's|maximum) (?:context|input|number of tokens|length)"
    r"|(?:prompt|input|message|request)s?[\w ]* (?:is|are|has|was) (?:too (?:long|large)|longer)"
    r"|too many (?:input )?tokens"
    r"|(?:input|prompt)\S* (?:tokens? )?(?:length )?(?:must|should) (?:have less|be (?:less|<|at most|smaller))"
    r"|`inputs` (?:tokens|must)|string too long|num_ctx|n_ctx"
    r"|(?:reduce|shorten) the (?:length|number|size|messages|prompt|input)",
    re.IGNORECASE,
)
"""Words of vLLM, llama.cpp, SGLang, TGI, Ollama, LM Studio, OpenRouter, OpenAI and LiteLLM."""

_OVERFLOW = re.compile(
    r"exceed(?:s|ed)? the (?:available |model's |maximum )?context"
    r"|(?:prompt|input|request)s?[\w ]* (?:is|are) (?:too long|longer)",
    re.IGNORECASE,
)
"""Words that tell the same under a status that means a failure, as llama.cpp and proxies have it."""

_NUMBER = r"(\d[\d,]*)"
_CONTEXT_SIZES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"context (?:length|window|size)[^\d]{{0,20}}? (?:of |is |only |\(|= ?){_NUMBER}",
        rf"\d \+ \d[\d,]* > {_NUMBER}",
        rf"`max_new_tokens` must be <= {_NUMBER}",
        rf"(?:max_model_len|max_total_tokens) ?[=(] ?{_NUMBER}",
    )
)
_PROMPT_SIZES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER} (?:in the (?:messages|prompt)|input tokens|tokens from the input|of text input|`inputs` tokens"
        r"|tokens in the (?:messages|prompt))",
        rf"(?:prompt|request) (?:contains|has) (?:at least )?{_NUMBER}",
        rf"{_NUMBER} \+ \d[\d,]* > \d",
    )
)
_MOST_TOKENS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"at most {_NUMBER} (?:completion|output) tokens",
        rf"\[1, ?{_NUMBER}\]",
        rf"> {_NUMBER}, which is the maximum",
        r"(?:less than or equal to|must be <=|cannot exceed|at most|maximum (?:value )?(?:is|of|for \S+ is)) `?"
        + _NUMBER,
    )
)
_NO_MODEL = re.compile(
    r"model\b.{0,200}?(?:not (?:found|exist|available|supported|a valid)|does ?n[o']t exist|unknown|invalid)"
    r"|(?:unknown|invalid|no such|not a valid) model|model_not_found|no healthy deployments",
    re.IGNORECASE | re.DOTALL,
)
_WANTS_TEXT = re.compile(
    r"\bprompt\b.{0,200}?\bstr(?:ing)?\b|\bstr(?:ing)?\b.{0,100}?\bprompt\b", re.IGNORECASE | re.DOTALL
)
_UNKNOWN = re.compile(
    r"unsupported|not supported|unknown|unrecogni[sz]ed|unexpected|extra|not permitted", re.IGNORECASE
)
_FLAGGED = re.compile(r"\bflagged\b|moderation|content[ _](?:policy|filter)", re.IGNORECASE)
_NO_SYSTEM = re.compile(
    r"system[ _](?:role|message|prompt|instruction|turn)s?\b.{0,60}(?:not|n't|unsupported)|roles must alternate"
    r"|only user(?:,| and) (?:model|assistant) roles",
    re.IGNORECASE | re.DOTALL,
)
_REFUSES = re.compile(
    r"unsupported|not (?:be )?(?:support|permit|allow|recogni[sz]|accept|known|implement|valid|available)"
    r"|does(?:n't| not)|unknown|unrecogni[sz]ed|unexpected|extra|invalid|forbidden|deprecated|cannot|can't",
    re.IGNORECASE,
)


def refusal_in(status: int, reply: Json, retry_after_s: float = 0.0) -> Refusal:
    """Return the refusal in a server's JSON, which has its words in one of many places.

    >>> refusal_in(400, {"error": {"message": "no", "code": 17}}).words
    'no'
    """
    code = parameter = ""
    error = (reply.get("error") or reply) if isinstance(reply, dict) else reply
    words = error
    if isinstance(error, dict):
        code, parameter = (str(error.get(key) or "") for key in ("code", "param"))
        words = next((error[key] for key in ("message", "detail", "error") if error.get(key)), reply)
    text = words if isinstance(words, str) else dumps(words).decode(errors="replace")
    return Refusal(status, " ".join(text.split()), code, parameter, retry_after_s)


def without_numbers(words: str) -> str:
    """Return a server's words without what differs between two answers of the same kind, so that they can be counted.

    >>> without_numbers("request req_8f2 failed after 31 s")
    'request … failed after … s'
    """
    return re.sub(r"[\w-]*\d[\w-]*", "…", words)


class Room(NamedTuple):
    """Context and prompt length that a server states in a refusal."""

    context: int
    prompt: int


def is_beyond_context(refusal: Refusal) -> bool:
    """Return whether prompt and answer do not fit the context.

    >>> is_beyond_context(Refusal(400, "the request exceeds the available context size, try increasing it"))
    True
    """
    return refusal.code == "context_length_exceeded" or bool(
        _CONTEXT.search(f"{refusal.code} {refusal.words}")
    )


def is_overflow(refusal: Refusal) -> bool:
    """Return whether a server that failed says in so many words that the prompt is beyond its context.

    >>> is_overflow(Refusal(500, "the request exceeds the available context size. try increasing the context size"))
    True
    >>> is_overflow(Refusal(500, "out of memory; lower the context size"))
    False
    """
    return refusal.status == 500 and bool(_OVERFLOW.search(refusal.words))


def room_in(refusal: Refusal) -> Room | None:
    """Return the sizes of context and prompt that a server names; None if it does not.

    >>> words = "This model's maximum context length is 2,048 tokens and your request has 12 input tokens"
    >>> room_in(Refusal(400, words))
    Room(context=2048, prompt=12)
    """
    context, prompt = _first(_CONTEXT_SIZES, refusal.words), _first(_PROMPT_SIZES, refusal.words)
    return None if context is None or prompt is None else Room(context, prompt)


def most_tokens_in(refusal: Refusal, sent: int) -> int | None:
    """Return the largest max_tokens that a server allows, if that is why it refuses ``sent``.

    >>> words = "max_tokens is too large: 64000. This model supports at most 16384 completion tokens"
    >>> most_tokens_in(Refusal(400, words), 64000)
    16384
    """
    if not re.search(
        r"max_(?:completion_|new_|output_)?tokens|completion tokens", refusal.words, re.IGNORECASE
    ):
        return None
    most = _first(_MOST_TOKENS, refusal.words)
    return most if most is not None and 0 < most < sent else None


def refused_parameter(refusal: Refusal, sent: Iterable[str]) -> str | None:
    """Return the parameter among those that were ``sent`` which the server does not take; None if it names none.

    >>> refused_parameter(Refusal(400, "Unsupported parameter: 'top_k' is not supported"), ["seed", "top_k"])
    'top_k'
    """
    names = list(sent)
    if refusal.parameter in names:
        return refusal.parameter
    if not _REFUSES.search(refusal.words):
        return None
    places = {
        name: match.start()
        for name in names
        if (match := re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", refusal.words))
    }
    return min(places, key=places.__getitem__, default=None)


def is_unknown(refusal: Refusal) -> bool:
    """Return whether the server does not know what it refuses; else it dislikes the value."""
    return bool(_UNKNOWN.search(refusal.words))


def is_no_system_turn(refusal: Refusal) -> bool:
    """Return whether the chat template behind the server refuses a system turn.

    >>> is_no_system_turn(Refusal(400, "System role not supported"))
    True
    """
    return bool(_NO_SYSTEM.search(refusal.words))


def wants_text(refusal: Refusal) -> bool:
    """Return whether the server takes a prompt as text alone.

    >>> wants_text(Refusal(400, "cannot unmarshal array into Go struct field CompletionRequest.prompt of type string"))
    True
    """
    return bool(_WANTS_TEXT.search(refusal.words))


def is_flagged(refusal: Refusal) -> bool:
    """Return whether a server refuses one question for what it says, and not the key.

    >>> is_flagged(Refusal(403, "Your input was flagged by moderation")), is_flagged(Refusal(403, "wrong key"))
    (True, False)
    """
    return refusal.status == 403 and bool(_FLAGGED.search(refusal.words))


def is_of_the_key(refusal: Refusal) -> bool:
    """Return whether a server refuses the key, or its credit is used up.

    >>> is_of_the_key(Refusal(401, "bad key")), is_of_the_key(Refusal(429, "slow down"))
    (True, False)
    """
    refuses = refusal.status in _OF_THE_KEY and not is_flagged(refusal)
    return refuses or refusal.code == "insufficient_quota"


def is_end_of_the_run(refusal: Refusal) -> bool:
    """Return whether any other request would meet the same refusal: of the key, of the address, of the model.

    >>> is_end_of_the_run(Refusal(404, "no such model")), is_end_of_the_run(Refusal(400, "bad field"))
    (True, False)
    """
    return is_of_the_key(refusal) or 300 <= refusal.status < 400 or refusal.status in _NOT_THERE


def is_told_as_failure(refusal: Refusal) -> bool:
    """Return whether a server calls it a failure of its own that the prompt is too long, or has a system turn.

    >>> is_told_as_failure(Refusal(500, "System role not supported"))
    True
    """
    return is_overflow(refusal) or (refusal.status == 500 and is_no_system_turn(refusal))


def is_no_model(refusal: Refusal) -> bool:
    """Return whether the server says that it does not serve the model."""
    return refusal.code == "model_not_found" or bool(_NO_MODEL.search(refusal.words))


def _first(patterns: tuple[re.Pattern[str], ...], words: str) -> int | None:
    for pattern in patterns:
        if match := pattern.search(words):
            return int(match[1].replace(",", "")[:12])
    return None
