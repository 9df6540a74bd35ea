"""Solve a SciCode problem as its authors ask it: one prompt per step, each with the model's own earlier code."""

from __future__ import annotations

from collections.abc import Sequence

from k2eval.grading.code import container, step_code
from k2eval.reasoning import NONE
from k2eval.recipes.prompts import scicode_messages
from k2eval.recipes.sample import Prepare, Sample
from k2eval.records import Message, Response
from k2eval.tasks.scicode import problem_of


async def solve_steps(
    sample: Sample, stage: str, messages: Sequence[Message], prepare: Prepare | None = None
) -> Response:
    """Solve a main problem: ask its graded steps in order, and insert its given steps.

    A step without code in its answer leaves a gap, and the later steps are asked all the same. Text that ``messages``
    add to the question's own prompt is added to the prompt of every step. ``prepare`` gets each step's prompt.

    Returns:
        A response whose text holds the code of all steps (`k2eval.grading.code.scicode_program.container`). Its
        finish reason is ``length`` if any step was cut.
    """
    problem = problem_of(sample.question)
    plain = sample.question.metadata["problem"]["sub_steps"]
    background = bool(sample.question.metadata.get("background"))
    system = next((message.content for message in messages if message.role == "system"), "")
    added = _added(sample.question.messages, messages)
    codes: dict[str, str | None] = {}
    earlier: list[str] = []
    generations = []
    for step in problem.sub_steps:
        if step.given_code is not None:
            earlier.append(step.given_code)
            continue
        own = scicode_messages(system, plain, earlier, problem.required_dependencies, background=background)
        prompt: Sequence[Message] = _with(own, added)
        if prepare is not None:
            prompt = await prepare(sample, step.step_number, prompt)
        generation = await sample.generate(f"{stage}.{step.step_number}", prompt)
        parts = sample.parts(generation)
        code = step_code(parts.answer, step) if parts.complete else None
        codes[step.step_number] = code
        earlier.append(code or "")
        generations.append(generation)
    response = sample.respond(generations[-1], container(codes), reasoning=NONE, steps=len(generations))
    cut = any(generation.finish_reason == "length" for generation in generations)
    return response.model_copy(
        update={
            "finish_reason": "length" if cut else "stop",
            "output_tokens": sum(generation.output_tokens for generation in generations),
        }
    )


def _added(own: Sequence[Message], messages: Sequence[Message]) -> str:
    """Return the text after the question's own text in the last message."""
    if not own or not messages:
        return ""
    content = messages[-1].content
    return content.removeprefix(own[-1].content) if content != own[-1].content else ""


def _with(prompt: Sequence[Message], added: str) -> tuple[Message, ...]:
    *before, last = prompt
    return (*before, Message(role=last.role, content=last.content + added))
