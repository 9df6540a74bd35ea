"""Answers of servers, read from one whole body or from the pieces of a stream."""

from __future__ import annotations

import re
import time
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from k2eval.engines.endpoint.contents import parts_of
from k2eval.engines.endpoint.jsons import count, loads, whole
from k2eval.engines.endpoint.refusals import is_beyond_context, refusal_in, without_numbers
from k2eval.engines.endpoint.trouble import BadAnswer, OtherModel, Refusal
from k2eval.reasoning import AUTO, marks_of
from k2eval.records import FinishReason, Json

_FINISHES: dict[str, FinishReason] = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "end_turn": "stop",
    "length": "length", "max_tokens": "length", "max_output_tokens": "length",
}  # fmt: skip
_OTHER_FINISHES = {
    "content_filter": "the server's content filter ended the answer",
    "tool_calls": "a call of a tool instead of an answer",
    "function_call": "a call of a tool instead of an answer",
    "abort": "the server ended the answer early",
}
_FEW_TOKENS = 64
"""Tokens that may be counted without a visible letter, such as ends of turns and tags of reasoning."""
_TOKENS_PER_BYTE = 4
"""Most tokens for each byte of text; if more are counted, text was lost."""
_BYTES_OF_A_TOKEN = 4
"""Bytes of a token, assumed for servers that do not count."""
_BYTES_PER_TOKEN = 128
"""Bound on the mean length of a token, even if every letter is written as an escape."""
_PIECES_PER_TOKEN = 8
"""Bound on the pieces into which a server cuts a token."""
_SPARE_TOKENS = 1024
_SPARE_BYTES = 1 << 20


@dataclass(slots=True)
class Answer:
    """Answer of one server."""

    text: str
    """Text as the model wrote it; reasoning that came separately stands between its tags again."""
    finish_reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    counted: bool
    """True if the server gave the number of output tokens; else it is estimated from pieces or bytes."""
    ttft_s: float | None
    model: str
    choices: int
    """Number of answers that came; one was asked for."""
    answer_start: int | None = None
    """Index in the text at which the answer starts, if reasoning came separately."""


@dataclass(slots=True)
class Expectation:
    """Requirements on an answer."""

    model: str | None
    """Model name that it must carry; None accepts any."""
    max_tokens: int
    stops: tuple[str, ...] = ()
    """Stop strings that were sent."""
    hides_reasoning: bool = False
    """True if tokens may be counted for text that is never shown."""
    answers: int = 1
    marks: tuple[str, str] = marks_of(AUTO)
    """Put around reasoning that came apart from the answer."""


def whole_answer(data: bytes, expected: Expectation) -> Answer:
    """Return the answer in the body of a response that is not streamed.

    Raises:
        BadAnswer: If it is none.
        OtherModel: If it carries another name.
    """
    if data[:5] == b"data:":  # a server that streams whatever it is asked
        streamed = StreamedAnswer(expected)
        streamed.feed(data)
        return streamed.answer()
    reply = loads(data)
    try:
        raise_error_in(reply)
        choices = reply["choices"]
        first = choices[0]
        message = first.get("message")
        content, reasoning = (first.get("text") or "", "") if message is None else parts_of(message)
        return _answer(
            expected,
            content=whole(content),
            reasoning=whole(reasoning),
            finish=first.get("finish_reason"),
            stop=first.get("stop_reason", first.get("matched_stop")),
            usage=reply.get("usage"),
            model=reply.get("model"),
            choices=len(choices),
        )
    except (AttributeError, TypeError, KeyError, IndexError):
        raise BadAnswer("no chat completion") from None


class StreamedAnswer:
    """Reader of a stream of events, fed with bytes as they arrive.

    Args:
        expected: Requirements on the answer.
        on_text: Called with the number of pieces with text in what arrived, if there are any.
    """

    def __init__(self, expected: Expectation, on_text: Callable[[int], None] | None = None) -> None:
        self._expected = expected
        self._on_text = on_text
        self._started = time.perf_counter()
        self._rest = b""
        self._begun = False
        self._whole: list[bytes] | None = None
        """The pieces of an answer that comes whole, from a server that knows no streams."""
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._finish: Any = None
        self._stop: Any = None
        self.usage: Any = None
        """Token counts of the server; None until they arrive."""
        self._model = ""
        self._ttft_s: float | None = None
        self._indices: set[int] = set()
        tokens = (expected.max_tokens + _SPARE_TOKENS) * expected.answers
        self._pieces_left = _PIECES_PER_TOKEN * tokens
        self.most_bytes = _PIECES_PER_TOKEN * _BYTES_PER_TOKEN * tokens + _SPARE_BYTES
        """More than the stream can have."""
        self._longest_line = most_bytes(expected)

    @property
    def has_text(self) -> bool:
        """True if a part of the answer has arrived."""
        return self._ttft_s is not None

    def feed(self, data: bytes) -> None:
        """Take the bytes that arrived.

        Raises:
            BadAnswer: If it is more than max_tokens can be, or no chat completion.
            OtherModel: If it carries another name.
        """
        if not self._begun:
            data = self._rest + data
            if len(data) < len(BOM_UTF8) and not data.endswith(b"\n"):
                self._rest = data
                return
            self._begun, self._rest, data = True, b"", data.removeprefix(BOM_UTF8)
            self._whole = [] if data.lstrip()[:1] == b"{" else None
        if self._whole is not None:
            self._whole.append(data)
            return
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        before = len(self._content) + len(self._reasoning)
        try:
            for line in lines:
                if line[:5] == b"data:":
                    self._take(line[5:])
        except (AttributeError, TypeError, KeyError):
            raise BadAnswer("no chat completion") from None
        texts = len(self._content) + len(self._reasoning) - before
        if texts:
            if self._ttft_s is None:
                self._ttft_s = round(time.perf_counter() - self._started, 6)
            if self._on_text is not None:
                self._on_text(texts)
        if min(self._pieces_left, self._longest_line - len(self._rest)) < 0:
            raise BadAnswer("the stream goes on far beyond max_tokens")

    def _take(self, event: bytes) -> None:
        event = event.strip()
        if event == b"[DONE]" or not event:
            return
        reply = loads(event)
        self._pieces_left -= 1
        choices = reply.get("choices")
        if not choices:
            try:
                raise_error_in(reply)
            except Refusal as refusal:
                if self._content or self._reasoning:
                    words = without_numbers(refusal.words)[:100]
                    raise BadAnswer(f"the stream ended in an error: {words}") from None
                raise
        if usage := reply.get("usage"):
            self.usage = usage
        for choice in choices or ():
            if (model := reply.get("model")) and model != self._model:
                self._model = _checked_name(model, self._expected)
            index = choice.get("index") or 0
            self._indices.add(index)
            if index:
                continue
            delta = choice.get("delta") or choice.get("message")
            text, thought = (choice.get("text"), "") if delta is None else parts_of(delta)
            if text or thought:
                if self._finish is not None:
                    raise BadAnswer("text after the end of the answer")
                if thought:
                    self._reasoning.append(thought)
                if text:
                    self._content.append(text)
            if finish := choice.get("finish_reason"):
                self._finish = finish
                self._stop = choice.get("stop_reason", choice.get("matched_stop"))

    def answer(self) -> Answer:
        """Return the answer.

        Raises:
            BadAnswer: If it is none.
        """
        if self._whole is not None:
            return whole_answer(b"".join(self._whole), self._expected)
        if self._rest.startswith((b"data:", BOM_UTF8)):  # the last event may lack its line end
            self.feed(b"\n")
        if self._finish is None:
            cut = "broke off" if self.has_text else "held no answer"
            raise BadAnswer(f"the stream {cut}")
        try:
            content, reasoning = whole("".join(self._content)), whole("".join(self._reasoning))
        except TypeError:
            raise BadAnswer("no chat completion") from None
        return _answer(
            self._expected,
            content=content,
            reasoning=reasoning,
            finish=self._finish,
            stop=self._stop,
            usage=self.usage,
            model=self._model,
            choices=len(self._indices),
            pieces=len(self._content) + len(self._reasoning),
            ttft_s=self._ttft_s,
        )


def most_bytes(expected: Expectation) -> int:
    """Return how many bytes a whole answer can have at most."""
    return _BYTES_PER_TOKEN * (expected.max_tokens + _SPARE_TOKENS) * expected.answers + _SPARE_BYTES


def raise_error_in(reply: Json) -> None:
    """Raise the error that a server sent with a status of success.

    Raises:
        Refusal: If there is one that names its status, or says that the prompt is too long.
        BadAnswer: If there is another one.
    """
    if not isinstance(reply, dict) or not reply.get("error"):
        return
    refusal = refusal_in(400, reply)
    if re.fullmatch("[45][0-9][0-9]", refusal.code):
        raise refusal_in(int(refusal.code), reply)
    if is_beyond_context(refusal):
        raise refusal
    raise BadAnswer(f"an error with the status of success: {without_numbers(refusal.words)[:100]}")


def _checked_name(model: Any, expected: Expectation) -> str:
    if model != expected.model and expected.model is not None:
        raise OtherModel(str(model)[:200])
    return str(model)


def _answer(
    expected: Expectation,
    *,
    content: str,
    reasoning: str,
    finish: Any,
    stop: Any,
    usage: Any,
    model: Any,
    choices: int,
    pieces: int = 0,
    ttft_s: float | None = None,
) -> Answer:
    """Return an answer whose parts belong together, and are what was asked for."""
    if model and model != expected.model:
        model = _checked_name(model, expected)
    reason = _FINISHES.get(finish) if isinstance(finish, str) else None
    if reason is None:
        why = _OTHER_FINISHES.get(finish) if isinstance(finish, str) else None
        raise BadAnswer(why or f"finish_reason {str(finish)[:40]!r} where stop or length was expected")
    if not isinstance(usage, dict):
        usage = {}
    size = len(content.encode()) + len(reasoning.encode())
    tokens = count(usage.get("completion_tokens"))
    if tokens is not None and size > _BYTES_PER_TOKEN * tokens:  # zero, as some servers give in every usage
        tokens = None
    if tokens is not None and tokens > size and not expected.hides_reasoning:
        _check_tokens(tokens, size, reason, usage)
    details = usage.get("prompt_tokens_details")
    if stop in expected.stops and not content.endswith(stop):
        content += stop
    before = _marked(reasoning, bool(content) or reason == "stop", expected.marks) if reasoning else ""
    return Answer(
        text=before + content,
        finish_reason=reason,
        prompt_tokens=count(usage.get("prompt_tokens")) or 0,
        cached_tokens=(count(details.get("cached_tokens")) or 0) if isinstance(details, dict) else 0,
        output_tokens=(pieces or -(-size // _BYTES_OF_A_TOKEN)) if tokens is None else tokens,
        counted=tokens is not None,
        ttft_s=ttft_s,
        model=model or "",
        choices=choices,
        answer_start=len(before) if reasoning else None,
    )


def _check_tokens(tokens: int, size: int, finish: FinishReason, usage: dict[str, Any]) -> None:
    """Refuse an answer of which most has got lost: more tokens are counted than its bytes can be."""
    details = usage.get("completion_tokens_details")
    hidden = (count(details.get("reasoning_tokens")) or 0) if isinstance(details, dict) else 0
    if not size and (tokens > 1 if finish == "stop" else tokens > hidden):
        raise BadAnswer("no text, though tokens are counted")
    if tokens - hidden > _FEW_TOKENS + _TOKENS_PER_BYTE * size:
        raise BadAnswer("far less text than tokens are counted")


def _marked(reasoning: str, ended: bool, marks: tuple[str, str]) -> str:
    """Return reasoning between its marks; without the second one if it was cut."""
    return f"{marks[0]}{reasoning}{marks[1] if ended else ''}"
