"""Hold a scripted conversation: ask turn by turn, each with the model's own earlier replies."""

from __future__ import annotations

from collections.abc import Sequence

from k2eval.reasoning import NONE
from k2eval.recipes.sample import Prepare, Sample
from k2eval.records import Generation, Message, Question, Response
from k2eval.tasks import container, script_of


async def converse(
    sample: Sample, stage: str, messages: Sequence[Message], prepare: Prepare | None = None
) -> Response:
    """Hold the conversation that a question scripts, from its first turn to its last.

    A reply goes into the conversation without its reasoning. The conversation ends early if a reply is cut or its
    reasoning never ends. Replies that the script itself gives are not asked for. Text that ``messages`` add to the
    question's own prompt is added to the first turn of the user. ``prepare`` gets the prompt of each turn.

    Returns:
        A response whose text holds the whole conversation (`k2eval.tasks.container`). Its finish reason is ``length``
        if a reply was cut.
    """
    history = list(opening(sample.question, messages))
    spoken: list[Message] = []
    generations: list[Generation] = []
    script = [*script_of(sample.question)]
    added = _added(sample.question.messages, messages)
    script[0] = Message(role=script[0].role, content=script[0].content + added)
    for number, turn in enumerate(script):
        spoken.append(turn)
        if turn.role == "assistant" or (number + 1 < len(script) and script[number + 1].role == "assistant"):
            continue
        prompt: Sequence[Message] = (*history, *spoken)
        step = str(len(generations) + 1)
        if prepare is not None:
            prompt = await prepare(sample, step, prompt)
        generations.append(await sample.generate(f"{stage}.{step}", prompt))
        parts = sample.parts(generations[-1])
        if not parts.complete:
            break
        spoken.append(Message(role="assistant", content=parts.answer.strip()))
        if generations[-1].finish_reason == "length":
            break
    response = sample.respond(generations[-1], container(spoken), reasoning=NONE, steps=len(generations))
    cut = generations[-1].finish_reason == "length" or not parts.complete
    return response.model_copy(
        update={
            "finish_reason": "length" if cut else "stop",
            "output_tokens": sum(generation.output_tokens for generation in generations),
        }
    )


def opening(question: Question, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the system turn: that of ``messages``, and the question's own text if it is not in there.

    A question's own system text is what is asked about, such as a code to be kept. So no setting of the run drops it.
    """
    system = next((message.content for message in messages if message.role == "system"), "")
    own = str(question.metadata.get("system") or "")
    if own and own not in system:
        system = f"{system}\n\n{own}" if system else own
    return (Message(role="system", content=system),) if system else ()


def _added(own: Sequence[Message], messages: Sequence[Message]) -> str:
    """Return the text behind the question's own text in the last message."""
    if not own or not messages:
        return ""
    content = messages[-1].content
    return content.removeprefix(own[-1].content) if content.startswith(own[-1].content) else ""
