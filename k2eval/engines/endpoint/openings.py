"""Reasoning that a chat template opened, where neither the server nor the answer tells so.

An answer that was cut before its end mark then looks like one without reasoning. Other answers of the same server tell:
what ends reasoning that nothing opened, the prompt has opened. If none has come yet, one short question is asked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from k2eval.engines.endpoint.answers import Answer
from k2eval.engines.endpoint.meeting import template_of
from k2eval.engines.endpoint.servers import Server
from k2eval.engines.endpoint.settings import EndpointSettings
from k2eval.engines.endpoint.trouble import OtherModel, Trouble
from k2eval.errors import PromptTooLong
from k2eval.reasoning import NONE, Turn, first_turn, start_of
from k2eval.records import Message, Note, NoteKind, ReasoningFormat, Request

_SUM = "What is 2 + 3? Answer with the number."
_ROOM = 4096
"""Tokens of its answer, so that a model that reasons comes to an end."""

Ask = Callable[[Request], Awaitable[Answer]]


@dataclass(slots=True, eq=False)
class _Opening:
    """What is known about the prompts of one server that have the same template's arguments."""

    mark: str | None = None
    """The mark with which they open reasoning; empty if they open none, None as long as nobody knows."""
    question: asyncio.Task[str | None] | None = None
    """The short question, once it is asked."""
    cut: int = 0
    """Answers that were cut without a mark, and count as cut within reasoning."""
    taken: int = 0
    """Answers that were cut without a mark, and were taken for what they look like."""
    unended: int = 0
    """Finished answers without a mark, though the prompt is said to open reasoning."""
    denied: bool = False
    """Whether an answer ends reasoning that nothing opened, though the user says that prompts open none."""


class Openings:
    """Knowledge about which prompts open reasoning, gained from answers.

    Args:
        form: How the model marks its reasoning.
        settings: ``opens_think`` is the user's word, which counts more than all else.
    """

    def __init__(self, form: ReasoningFormat, settings: EndpointSettings) -> None:
        self._form = form
        self._word = settings.opens_think
        self._is_shown = form != NONE and not settings.hides_reasoning
        self._asks = settings.probe
        self._of: defaultdict[tuple[str, str], _Opening] = defaultdict(_Opening)

    async def prefill_of(
        self, server: Server, request: Request, answer: Answer, prefill: str, ask: Ask
    ) -> str:
        """Return the mark with which the prompt of an answer has opened reasoning; empty if it opened none.

        Args:
            server: The server that answered.
            request: The request.
            answer: Its answer.
            prefill: The mark by the user's or the server's word.
            ask: Puts another question to the same server.
        """
        if not self._is_shown or answer.answer_start is not None or request.sampling.json_schema:
            return prefill
        opening = self._of[server.url, template_of(request)]
        cut = answer.finish_reason == "length"
        if prefill:
            opening.unended += not cut and first_turn(answer.text, self._form) is None
            return prefill
        if opening.denied or (opening.mark and not cut):  # an answer tells nothing new
            return ""
        turn = first_turn(answer.text, self._form)
        if turn is not None:
            self._learn(opening, answer.text, turn)
            return ""
        if not cut:
            return ""
        if self._word is None and opening.mark is None:
            opening.mark = await self._asked(opening, request, ask)
        if opening.mark and self._word is None:
            opening.cut += 1
            return opening.mark
        opening.taken += 1
        return ""

    def _learn(self, opening: _Opening, text: str, turn: Turn) -> None:
        mark = "" if turn.opens else start_of(text[turn.start : turn.end], self._form)
        if self._word is False:
            opening.denied |= bool(mark)
        elif mark or opening.mark is None:
            opening.mark = mark

    async def _asked(self, opening: _Opening, request: Request, ask: Ask) -> str | None:
        if not self._asks:
            return None
        if opening.question is None:
            opening.question = asyncio.create_task(self._find_out(request, ask))
        found = await asyncio.shield(opening.question)
        return opening.mark if found is None else found  # another answer may have told meanwhile

    async def _find_out(self, request: Request, ask: Ask) -> str | None:
        """Ask a question that a model answers soon; return the mark that its answer shows to have been opened."""
        changes = {"max_tokens": _ROOM, "stop": (), "json_schema": None}
        question = request.model_copy(
            update={
                "key": "probe",
                "task": "probe",
                "messages": (Message(role="user", content=_SUM),),
                "sampling": request.sampling.model_copy(update=changes),
            }
        )
        try:
            answer = await ask(question)
        except (Trouble, OtherModel, PromptTooLong):
            return None
        if answer.answer_start is not None:  # split off by the server, whoever opened it
            return None
        turn = first_turn(answer.text, self._form)
        if turn is None:
            return None if answer.finish_reason == "length" else ""
        return "" if turn.opens else start_of(answer.text[turn.start : turn.end], self._form)

    def notes(self) -> Iterator[Note]:
        """Yield what the readers of the scores must know, for each server."""
        for url in dict.fromkeys(url for url, _ in self._of):
            openings = [opening for (of, _), opening in self._of.items() if of == url]
            for text in self._sentences(openings):
                yield Note(kind=NoteKind.REASONING, text=f"{url}: {text}")

    def _sentences(self, openings: list[_Opening]) -> Iterator[str]:
        cut = sum(opening.cut for opening in openings)
        if cut:
            yield (
                f"{cut} answers that were cut without a mark count as truncated: other answers end reasoning that "
                "nothing opened, so the prompt opens it. engine.opens_think=true says so from the start"
            )
        late = sum(opening.taken for opening in openings if opening.mark)
        if late and self._word is None:
            yield (
                f"{late} answers that were cut without a mark were taken for answers, before another one told that the "
                "prompt opens reasoning: make the run again in another directory with engine.opens_think=true"
            )
        unknown = sum(opening.taken for opening in openings if opening.mark is None)
        if unknown and self._word is None:
            yield (
                f"{unknown} answers were cut without a mark, and nothing tells whether the prompt opens reasoning: if "
                "the chat template does, make the run again in another directory with engine.opens_think=true; else "
                "engine.opens_think=false says so"
            )
        if any(opening.denied for opening in openings):
            yield (
                "answers end reasoning that nothing opened, though engine.opens_think is false: those that are cut "
                "without a mark count as answers. Leave engine.opens_think out, or set it to true"
            )
        unended = sum(opening.unended for opening in openings)
        if unended:
            yield (
                f"{unended} finished answers show no end of the reasoning that the prompt opens by "
                f"{'engine.opens_think' if self._word else 'the word of the server'}, and count as truncated. If the "
                "model does not reason there, set engine.opens_think=false"
            )
