"""Plan before you think: a planner writes a plan without the answer, the solver sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from k2eval.errors import EngineError
from k2eval.reasoning import AUTO, split
from k2eval.recipes.prompts import plan_messages, with_plan
from k2eval.recipes.sample import Sample
from k2eval.records import Generation, Json, Message, ReasoningFormat, Response, Sampling

ATTEMPTS = 3
"""How often a plan is asked for, in all, where none comes."""

_BUDGET = 8_192


def planner_sampling(task: Sampling) -> Sampling:
    """How a plan is drawn: as the task says, but at most 8,192 tokens, and without thinking where the chat
    template has a switch for it.
    """
    return task.model_copy(
        update={"max_tokens": min(task.max_tokens, _BUDGET), "stop": ("</plan>",), "thinking": False}
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a planner came up with."""

    text: str | None
    """None where every attempt was unusable."""
    generation: str
    """Key of the last attempt."""
    attempts: int
    stage: str

    def marks(self) -> list[str]:
        """What a reader of the verdict must know."""
        if self.text is not None:
            return []
        return [f"{self.stage}: no usable plan in {self.attempts} attempts, solved without"]


@dataclass(slots=True)
class Planner:
    """Plans for one candidate: for each prompt that it is asked, one that is added to the prompt.

    A task of several steps is planned step by step, as K2-Think's pipeline, which sees one prompt at a time, does.
    """

    stage: str = "plan"
    plans: list[Plan] = field(default_factory=list)
    failure: EngineError | None = None
    """What the planner's engine gave up with."""

    async def __call__(self, sample: Sample, step: str, messages: Sequence[Message]) -> Sequence[Message]:
        """The prompt with a plan for it; without a usable one, as it is.

        Raises:
            EngineError: When the planner's engine has given up.
        """
        try:
            plan = await make_plan(sample, f"{self.stage}.{step}" if step else self.stage, messages)
        except EngineError as error:
            self.failure = error
            raise
        self.plans.append(plan)
        return with_plan(messages, plan.text) if plan.text else messages

    def notes(self) -> dict[str, Json]:
        """What a verdict keeps of the plans: their generations' keys, or the key where there is one step."""
        found = [plan.generation if plan.text else None for plan in self.plans]
        marks = [mark for plan in self.plans for mark in plan.marks()]
        return {"plan": found[0] if len(found) == 1 else found, **({"marks": marks} if marks else {})}


async def plan(sample: Sample) -> Response:
    """Ask for a plan, then ask the question with the plan below it; without one, as it is."""
    planner = Planner()
    response = await sample.solve("solve", prepare=planner)
    return sample.select(response, **planner.notes())


async def make_plan(sample: Sample, stage: str, messages: Sequence[Message]) -> Plan:
    """A plan for the prompt ``messages``; asked for again, a bounded number of times, while there is none.

    Raises:
        EngineError: When the planner's engine has given up.
    """
    asked = plan_messages(messages)
    sampling = sample.sampling_for("planner", planner_sampling(sample.sampling))
    for attempt in range(ATTEMPTS):
        name = again(stage, attempt)
        generation = await sample.generate(name, asked, sampling=sampling, role="planner")
        text = read_plan(generation, sample.format_of("planner"))
        if text:
            break
    return Plan(text, generation.key, attempt + 1, stage)


def again(stage: str, attempt: int) -> str:
    """The stage of the ``attempt``-th repetition (from 0) of a request, whose seed so differs."""
    return stage if attempt == 0 else f"{stage}.again-{attempt}"


def read_plan(generation: Generation, form: ReasoningFormat = AUTO) -> str | None:
    """Return the plan in a planner's words; None if it is missing, cut short or gives an answer away.

    A finished answer without tags is taken whole. A plan with a box or an answer tag is no plan.

    Args:
        generation: What the planner wrote.
        form: The planner's reasoning format.
    """
    parts = split(generation.prefill + generation.text, form)
    if not parts.complete:
        return None
    text = parts.answer
    before, closed, _ = text.rpartition("</plan>")
    if closed:
        text = before.rpartition("<plan>")[2]
    elif generation.finish_reason == "length":
        return None
    else:
        text = text.replace("<plan>", "")
    if "\\boxed" in text or "<answer>" in text:
        return None
    return text.strip() or None
