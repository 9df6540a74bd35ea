"""The sample that a recipe works on: one question in one repeat, and the means to ask an engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from k2eval.reasoning import AUTO, Parts
from k2eval.recipes.called import response_of
from k2eval.records import (
    Generation,
    Json,
    Message,
    Question,
    ReasoningFormat,
    Request,
    Response,
    Role,
    SampleKey,
    Sampling,
    derive_seed,
    digest,
)

Generate = Callable[[Request, Role], Awaitable[Generation]]

Prepare = Callable[["Sample", str, Sequence[Message]], Awaitable[Sequence[Message]]]
"""A function that rewrites the prompt of one step before it is sent.

Its arguments are the sample, the step's name ("" for single-step tasks) and the prompt. It returns the prompt to send.
"""
Solver = Callable[["Sample", str, Sequence[Message], Prepare | None], Awaitable[Response]]


_URGENT = 1 << 30
"""More tokens than any sample has."""


@dataclass(slots=True)
class Sample:
    """One question in one repeat. A recipe asks through it and ends with a response."""

    question: Question
    repeat_index: int
    sampling: Sampling
    """The task's sampling, the default of ``generate``."""
    run_seed: int
    task_version: str
    fingerprints: dict[Role, str]
    """The checkpoint behind each role."""
    ask: Generate
    """Answer a request, from the journal if the answer is there, else by the role's engine."""
    solver: Solver | None = None
    """The function that solves in several steps, for tasks that need it."""
    generations: list[Generation] = field(default_factory=list)
    """All generations so far, in order of completion."""
    role_sampling: Mapping[Role, Mapping[str, Json]] = field(default_factory=dict)
    """The run's changes to the sampling of roles other than the solver."""
    reasoning: Mapping[Role, ReasoningFormat] = field(default_factory=dict)
    """The reasoning format of the checkpoint behind each role; ``auto`` for a role without one."""
    expected: float = 0.0
    """Expected tokens of all its generations, or infinity if it is to be made before all others."""

    @property
    def problem(self) -> str:
        """The text of the question, without the system message."""
        return "\n\n".join(turn.content for turn in self.question.messages if turn.role != "system")

    @property
    def _priority(self) -> int:
        spent = sum(generation.output_tokens for generation in self.generations)
        return int(max(spent - self.expected, -_URGENT))

    def sampling_for(self, role: Role, default: Sampling) -> Sampling:
        """Return ``default`` with the run's changes to this role's sampling.

        The chat template's arguments, and effort and budget of thinking, are those of the solver unless ``default`` or
        the role has its own: a template may demand its arguments in every role.
        """
        own = self.role_sampling.get(role, {})
        fields = (
            self.sampling.model_dump(include={"reasoning_effort", "thinking_budget"}) | default.model_dump()
        )
        fields["chat_template"] = {**self.sampling.chat_template, **default.chat_template}
        if "chat_template" in own:  # it replaces all arguments of the template, the switch of thinking too
            fields.pop("thinking", None)
        return Sampling.model_validate({**fields, **own})

    def format_of(self, role: Role) -> ReasoningFormat:
        """Return the reasoning format of the checkpoint behind a role."""
        return self.reasoning.get(role, AUTO)

    def parts(self, text: Generation | Response, role: Role = "solver") -> Parts:
        """Split a generation or a response into reasoning and answer.

        Args:
            text: The text to split.
            role: The role that wrote the generation; a response tells itself.
        """
        return Parts.of(text, self.format_of(role))

    async def generate(
        self,
        stage: str,
        messages: Sequence[Message],
        *,
        sampling: Sampling | None = None,
        role: Role = "solver",
        begun: tuple[Generation, int] | None = None,
    ) -> Generation:
        """Make one generation.

        Args:
            stage: Name of the step, unique within this sample, such as ``plan`` or ``judge.0-1``.
            messages: The prompt.
            sampling: The sampling; the task's own if None.
            role: The role whose engine answers.
            begun: An answer that the engine goes on with, and the number of its first tokens that are kept.

        Raises:
            EngineError: If the engine has given up.
        """
        sampling = sampling or self.sampling
        sample = SampleKey(self.question.task, self.question.id, self.repeat_index)
        request = Request(
            key=digest(
                *sample,
                self.task_version,
                stage,
                [[message.role, message.content] for message in messages],
                sampling.identity(),
                self.run_seed,
                self.fingerprints[role],
                *([] if begun is None else [begun[0].prefill, begun[0].text, begun[1]]),
            ),
            task=sample.task,
            question_id=sample.question_id,
            repeat_index=sample.repeat_index,
            stage=stage,
            messages=tuple(messages),
            sampling=sampling,
            seed=derive_seed(self.run_seed, sample, stage),
            priority=self._priority,
            begun=begun and begun[0],
            begun_tokens=begun[1] if begun else 0,
        )
        generation = await self.ask(request, role)
        self.generations.append(generation)
        return generation

    async def solve(
        self,
        stage: str = "solve",
        messages: Sequence[Message] | None = None,
        prepare: Prepare | None = None,
    ) -> Response:
        """Make one response: by a single generation, or in several steps if the task needs them.

        Args:
            stage: Name of the step; steps of a multi-step task append to it.
            messages: The prompt; the question's own if None.
            prepare: Function that changes each prompt before it is sent, for example by adding a plan.

        Raises:
            EngineError: If the engine has given up.
            RecipeFailed: If the task's own solver raises an error, or returns anything but a response.
        """
        prompt = self.question.messages if messages is None else messages
        if self.solver is not None:
            return await self._solve_in_steps(self.solver, stage, prompt, prepare)
        if prepare is not None:
            prompt = await prepare(self, "", prompt)
        return self.respond(await self.generate(stage, prompt))

    async def _solve_in_steps(
        self, solver: Solver, stage: str, prompt: Sequence[Message], prepare: Prepare | None
    ) -> Response:
        path = f"{getattr(solver, '__module__', '')}:{getattr(solver, '__qualname__', '')}"
        arguments = (self, stage, prompt, prepare)
        return await response_of(solver, f"The solver {path}", *arguments, is_ours=path.startswith("k2eval."))

    def select(self, response: Response, **notes: Json) -> Response:
        """Return one of several responses as that of the recipe; it counts everything generated so far."""
        return response.model_copy(
            update={
                "generations": tuple(sorted(generation.key for generation in self.generations)),
                "recipe_tokens": sum(generation.output_tokens for generation in self.generations),
                "notes": {**response.notes, **notes},
            }
        )

    def respond(
        self,
        selected: Generation,
        text: str | None = None,
        reasoning: ReasoningFormat | None = None,
        **notes: Json,
    ) -> Response:
        """Return the response that answers with ``selected``, counting everything generated so far.

        Args:
            selected: The generation that answers.
            text: The text to grade; that of ``selected`` if None.
            reasoning: The reasoning format of the text; the solver's if None.
            notes: Facts about the choice, for the verdict.
        """
        return Response(
            text=selected.prefill + selected.text if text is None else text,
            finish_reason=selected.finish_reason,
            selected=selected.key,
            generations=tuple(sorted(generation.key for generation in self.generations)),
            output_tokens=selected.output_tokens,
            recipe_tokens=sum(generation.output_tokens for generation in self.generations),
            reasoning=reasoning or self.format_of("solver"),
            answer_start=selected.answer_start if text is None else None,
            notes=notes,
        )
