"""Plan before solving: a planner writes a plan without the answer, and the solver sees the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from k2eval.errors import EngineError
from k2eval.reasoning import AUTO, Parts
from k2eval.recipes.prompts import plan_messages, with_plan
from k2eval.recipes.sample import Sample
from k2eval.records import Generation, Json, Message, ReasoningFormat, Response, Sampling

ATTEMPTS = 3
"""Most requests for a plan, if none is usable."""

_BUDGET = 8_192


def planner_sampling(task: Sampling) -> Sampling:
    """Return the sampling of a plan: that of the task, but at most 8,192 tokens, and no thinking if it can be off."""
    return task.model_copy(
        update={"max_tokens": min(task.max_tokens, _BUDGET), "stop": ("</plan>",), "thinking": False}
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a planner, if one was usable."""

    text: str | None
    """None if every attempt was unusable."""
    generation: str
    """Key of the last attempt."""
    attempts: int
    stage: str

    def marks(self) -> list[str]:
        """Return the marks for a reader of the verdict."""
        if self.text is not None:
            return []
        return [f"{self.stage}: no usable plan in {self.attempts} attempts, solved without"]


@dataclass(slots=True)
class Planner:
    """The planner of one candidate, which adds a plan to each of its prompts.

    A task of several steps is planned step by step, as in K2-Think's pipeline, which sees one prompt at a time.
    """

    stage: str = "plan"
    plans: list[Plan] = field(default_factory=list)
    failure: EngineError | None = None
    """The error with which the planner's engine gave up."""

    async def __call__(self, sample: Sample, step: str, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the prompt with a plan; if no plan is usable, the prompt itself.

        Raises:
            EngineError: If the planner's engine has given up.
        """
        try:
            plan = await make_plan(sample, f"{self.stage}.{step}" if step else self.stage, messages)
        except EngineError as error:
            self.failure = error
            raise
        self.plans.append(plan)
        return with_plan(messages, plan.text) if plan.text else messages

    def notes(self) -> dict[str, Json]:
        """Return the notes for a verdict: the keys of the plans' generations, or one key if there is one step."""
        keys = [plan.generation if plan.text else None for plan in self.plans]
        marks = [mark for plan in self.plans for mark in plan.marks()]
        return {"plan": keys[0] if len(keys) == 1 else keys, **({"marks": marks} if marks else {})}


async def plan(sample: Sample) -> Response:
    """Ask for a plan, then ask the question with the plan below it; if no plan is usable, ask it without."""
    planner = Planner()
    response = await sample.solve("solve", prepare=planner)
    return sample.select(response, **planner.notes())


async def make_plan(sample: Sample, stage: str, messages: Sequence[Message]) -> Plan:
    """Make a plan for the prompt ``messages``; ask again, a bounded number of times, until one is usable.

    Raises:
        EngineError: If the planner's engine has given up.
    """
    prompt = plan_messages(messages)
    sampling = sample.sampling_for("planner", planner_sampling(sample.sampling))
    for attempt in range(ATTEMPTS):
        name = again(stage, attempt)
        generation = await sample.generate(name, prompt, sampling=sampling, role="planner")
        text = read_plan(generation, sample.format_of("planner"))
        if text:
            break
    return Plan(text, generation.key, attempt + 1, stage)


def again(stage: str, attempt: int) -> str:
    """Return the stage of the ``attempt``-th try (from 0) of a request; another stage has another seed.

    >>> again("plan", 0), again("plan", 1)
    ('plan', 'plan.again-1')
    """
    return stage if attempt == 0 else f"{stage}.again-{attempt}"


def read_plan(generation: Generation, form: ReasoningFormat = AUTO) -> str | None:
    """Return the plan in a planner's text; None if it is missing, was cut, or gives an answer away.

    A finished text without tags is a plan as a whole. A text with a box or an answer tag is no plan.

    Args:
        generation: The planner's generation.
        form: The planner's reasoning format.
    """
    parts = Parts.of(generation, form)
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
