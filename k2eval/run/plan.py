"""The plan of a run: its tasks, questions and recipe, and the facts that must not change."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_jsonable_python

import k2eval
from k2eval.config import RunConfig
from k2eval.engines import EngineInfo, pinned_config
from k2eval.errors import ConfigError, EngineError, PromptTooLong
from k2eval.grading import LEFT_TO_JUDGE, grader_for
from k2eval.journal import (
    FORMAT,
    EngineRecord,
    MachineRecord,
    ModelRecord,
    ProtocolRecord,
    RunRecord,
    TaskRecord,
)
from k2eval.recipes import NOTE, Generate, Recipe, Sample, plain, recipe_for, response_of
from k2eval.records import (
    ROLES,
    Grade,
    Json,
    Outcome,
    Question,
    ReasoningFormat,
    Response,
    Role,
    SampleKey,
    Sampling,
    Verdict,
)
from k2eval.tasks import QuestionSet, Task, hashes_of_twins, load_questions, load_tasks, sampling_with
from k2eval.texts import as_line

MOST_REPEATS = 256
"""Most repeats of a question if repeats go on until a score is precise."""
_DIGITS = 6
"""Most digits of a number of steps."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One sample to be made: a question as asked in one repeat, and how."""

    question: Question
    repeat_index: int
    sampling: Sampling
    task_version: str
    solver: Any = None
    role_sampling: Mapping[Role, Mapping[str, Json]] = field(default_factory=dict)

    @property
    def sample_key(self) -> SampleKey:
        """The key of the sample."""
        return SampleKey(self.question.task, self.question.id, self.repeat_index)

    @property
    def steps(self) -> int:
        """The number of prompts that solve the question one after the other."""
        return 1 if self.solver is None else steps_of(self.question)

    def sample(
        self,
        run_seed: int,
        fingerprints: dict[Role, str],
        ask: Generate,
        reasoning: Mapping[Role, ReasoningFormat],
        expected: float = 0.0,
    ) -> Sample:
        """Return the sample that a recipe works on."""
        return Sample(
            self.question,
            self.repeat_index,
            self.sampling,
            run_seed,
            self.task_version,
            fingerprints,
            ask,
            self.solver,
            role_sampling=self.role_sampling,
            reasoning=reasoning,
            expected=expected,
        )


class Work:
    """The work of a configuration: its tasks, questions and recipe.

    Raises:
        ConfigError: If a task or the recipe is unknown, or if the grader, the solver or the recipe cannot be called.
        DataError: If questions cannot be found.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.recipe: Recipe = recipe_for(config.recipe)
        self.role_sampling: dict[Role, Mapping[str, Json]] = {
            role: config.role_sampling(role) for role in ROLES[1:]
        }
        self.answer_judged = "answer_judge" in config.roles
        """Whether a model judges answers beside the rule."""
        self.sets = self._load()
        for questions in self.sets:
            self._check_until(questions)
            self._check_judge(questions)
            self.sampling_of(questions)
            self.grader_label(questions)
        solvers = [questions.task.solver() for questions in self.sets]
        self.asks_once = self.recipe is plain and not any(solvers)
        """Whether each sample is one request, an answer judge's aside."""

    def _load(self) -> list[QuestionSet]:
        overrides = {name: self.config.overrides_of(name) for name in self.config.tasks}
        tasks = load_tasks(self.config.tasks, overrides, self.config.include_path)
        return [load_questions(task, data=self.config.data, limit=self.config.limit) for task in tasks]

    def _check_until(self, questions: QuestionSet) -> None:
        if self.config.until is not None and questions.task.spec.error_unit:
            raise ConfigError(
                f"Task {questions.task.name} is measured by errors, and --until is a width of a score in points. Ask "
                "the task in a run of its own, with --repeats."
            )

    def _check_judge(self, questions: QuestionSet) -> None:
        if self.answer_judged or questions.task.spec.grader not in LEFT_TO_JUDGE:
            return
        judged = sum("decided_by" in item.metadata for item in questions.items())
        if judged:
            name = questions.task.name
            raise ConfigError(
                f"Task {name}: no rule can decide about {judged} of its {len(questions.items())} questions. Name a "
                f"judge with --set roles.answer_judge.model=MODEL, or do without one: --set {name}.only=rule."
            )

    def repeats_of(self, questions: QuestionSet) -> int:
        """Return the repeats of each question of a task; the task's own setting takes precedence over that for all."""
        own = self.config.overrides.get(questions.task.name)
        default = questions.task.repeats if self.config.until is None else MOST_REPEATS
        return (own.repeats if own else None) or self.config.repeats or default

    def sampling_of(self, questions: QuestionSet) -> Sampling:
        """Return the task's sampling with the run's changes; changes per task take precedence over those for all."""
        task = questions.task
        return sampling_with(task.sampling, self.config.overrides_of(task.name).sampling)

    def assignments(self) -> Iterator[Assignment]:
        """Yield all samples, the repeats of a question side by side; `Order` decides which is made first."""
        for questions in self.sets:
            sampling = self.sampling_of(questions)
            solver = questions.task.solver()
            repeats = range(self.repeats_of(questions))
            by_repeat = [questions.questions(repeat_index) for repeat_index in repeats]
            for number in range(len(by_repeat[0])):
                for repeat_index in repeats:
                    question = by_repeat[repeat_index][number]
                    yield Assignment(
                        question, repeat_index, sampling, questions.task.version, solver, self.role_sampling
                    )

    def is_settled(self, verdict: Verdict) -> bool:
        """Tell whether a sample needs no more work: it has a verdict, and the answer judge's decision if there is one.

        A judge whose replies were all unusable would give them again. A judge whose engine failed was not asked.
        """
        if verdict.outcome.is_infrastructure:
            return False
        word = verdict.notes.get(NOTE)
        return not self.answer_judged or (word is not None and ("failed" not in word or "asked" in word))

    async def respond(self, sample: Sample) -> Response:
        """Make the response to a sample by the recipe.

        Raises:
            EngineError: If an engine has given up, or a recipe of the user's failed.
        """
        return await self.respond_by(self.recipe, sample)

    async def respond_by(self, recipe: Recipe, sample: Sample) -> Response:
        """Make the response to a sample by a variant of the run's recipe; see `respond`."""
        name = self.config.recipe
        return await response_of(recipe, f"Recipe {name}", sample, is_ours=":" not in name)

    def is_graded(self, assignment: Assignment) -> bool:
        """Return whether a grader of ours decides about the sample."""
        return True

    def describe(
        self,
        info: EngineInfo,
        fingerprints: Mapping[Role, str],
        reasoning: Mapping[Role, ReasoningFormat] | None = None,
    ) -> RunRecord:
        """Return the ``run.json`` of a run of which nothing is done as yet."""
        twins = hashes_of_twins(self.sets)
        return RunRecord(
            k2eval=k2eval.__version__,
            format=FORMAT,
            name=self.config.out.name,
            model=model_record(info),
            recipe=self.config.recipe,
            repeats=max(self.repeats_of(questions) for questions in self.sets),
            seed=self.config.seed,
            reproducible=info.honours_seeds,
            reasoning=dict(reasoning or {}),
            engine=EngineRecord(settings=info.settings, notes=info.notes, fingerprints=dict(fingerprints)),
            machine=machine_record(info),
            tasks={
                questions.task.name: self.describe_task(questions, twins.get(questions.task.name))
                for questions in self.sets
            },
            # As it will be read again, so that both can be compared: YAML has dates and paths, JSON has not.
            config=RunConfig.model_validate(pinned_config(self.config).model_dump(mode="json")),
            sessions=(),
            complete=False,
            speculative=None,
        )

    @staticmethod
    def grader_label(questions: QuestionSet) -> str:
        """Name and version of the task's grader."""
        return grader_for(questions.task.spec.grader).label

    def describe_task(self, questions: QuestionSet, twins: Mapping[str, str] | None = None) -> TaskRecord:
        """Return a task's entry in ``run.json``; ``twins`` as `k2eval.tasks.hashes_of_twins` tells them."""
        task, spec = questions.task, questions.task.spec
        return TaskRecord(
            version=as_line(task.version),
            title=as_line(spec.title),
            kind=spec.kind,
            micro=spec.average_group,
            part=False,
            questions=len(questions.items()),
            expected_questions=questions.expected,
            fingerprint=questions.fingerprint,
            source=as_line(questions.source),
            repeats=self.repeats_of(questions),
            grader=self.grader_label(questions),
            protected=spec.protected,
            sampling=self.sampling_of(questions),
            prompt=task.prompt_hash,
            options=to_jsonable_python(spec.options),
            notes=questions.notes,
            hashes=questions.hashes,
            twins={name: other for name, other in (twins or {}).items() if name in questions.hashes},
            error_unit=as_line(spec.error_unit) if spec.error_unit else None,
            protocol=protocol_record(task),
        )


def protocol_record(task: Task) -> ProtocolRecord | None:
    """Return the entry on a task's protocol in ``run.json``; None if the task is asked by its own file."""
    if task.protocol is None:
        return None
    protocol, family = task.protocol.protocol, task.protocol.family
    recipe = {} if protocol.recipe.value is None else {"recipe": protocol.recipe.value}
    return ProtocolRecord(
        name=protocol.name,
        version=protocol.version,
        settings={**recipe, **to_jsonable_python(task.documented)},
        unknown=task.protocol.named("unknown"),
        told=task.protocol.told,
        inferred=tuple(name for name in task.protocol.named("inferred") if name not in task.protocol.told),
        remarks=family.remarks if family else (),
    )


def steps_of(question: Question) -> int:
    """Return the number in a question's tag ``steps``; 1 if it has none."""
    tag = question.tags.get("steps", "")
    return int(tag) if tag.isdecimal() and len(tag) <= _DIGITS else 1


def model_record(info: EngineInfo) -> ModelRecord:
    """Return the model's entry in ``run.json``."""
    return ModelRecord(
        name=info.name,
        fingerprint=info.fingerprint,
        engine=info.engine,
        context=info.context,
        commit=info.commit,
        weights=info.weights,
    )


def machine_record(info: EngineInfo) -> MachineRecord:
    """Return the machine's entry in ``run.json``."""
    return MachineRecord(
        python=platform.python_version(),
        system=platform.platform(),
        device=as_line(info.device) if info.device else None,
    )


def verdict_of(assignment: Assignment, response: Response, grade: Grade) -> Verdict:
    """Return a grade with its sample and its cost."""
    return Verdict(
        **assignment.sample_key._asdict(),
        outcome=grade.outcome,
        score=grade.score,
        extracted=grade.extracted,
        grader=grader_for(assignment.question.grader).label,
        selected=response.selected,
        generations=response.generations,
        output_tokens=response.output_tokens,
        recipe_tokens=response.recipe_tokens,
        finish_reason=response.finish_reason,
        tags=assignment.question.tags,
        detail=grade.detail,
        notes=response.notes,
    )


def outcome_of(error: EngineError) -> Outcome:
    """Return the outcome of a sample whose response an engine could not make."""
    return Outcome.PROMPT_TOO_LONG if isinstance(error, PromptTooLong) else Outcome.ENGINE_ERROR


def failed(assignment: Assignment, error: EngineError) -> Verdict:
    """Return the verdict on a sample that our own side could not finish."""
    return Verdict(
        **assignment.sample_key._asdict(),
        outcome=outcome_of(error),
        score=None,
        grader=grader_for(assignment.question.grader).label,
        tags=assignment.question.tags,
        detail={"reason": str(error)[:500]},
    )
