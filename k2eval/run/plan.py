"""What a run has to do: its tasks, questions and recipe, and the identity that must not change."""

from __future__ import annotations

import datetime
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import k2eval
from k2eval.config.run import RunConfig
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import JournalError
from k2eval.grading.registry import grader_for
from k2eval.journal.journal import FORMAT, RUN
from k2eval.recipes.answer_judge import NOTE
from k2eval.recipes.registry import Recipe, recipe_for
from k2eval.recipes.sample import ROLES, Generate, Role, Sample
from k2eval.records import Grade, Json, Outcome, Place, Question, Response, Sampling, Verdict, digest
from k2eval.tasks.data import QuestionSet, load_questions
from k2eval.tasks.task import import_object, load_tasks, sampling_with

# Engine arguments that change what a checkpoint says, unlike those that change how fast it says it.
_SHAPING_ARGUMENTS = (
    "dtype", "quantization", "max_model_len", "revision", "tokenizer", "hf_overrides", "load_format", "chat_template",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assignment:
    """One sample to be made: a question as asked in one run, and how."""

    question: Question
    run_index: int
    sampling: Sampling
    task_version: str
    solver: Any = None
    role_sampling: Mapping[Role, Mapping[str, Json]] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Which sample this is."""
        return Place(self.question.task, self.question.id, self.run_index)

    def sample(self, run_seed: int, fingerprints: dict[Role, str], ask: Generate) -> Sample:
        """What a recipe works on."""
        return Sample(
            self.question,
            self.run_index,
            self.sampling,
            run_seed,
            self.task_version,
            fingerprints,
            ask,
            self.solver,
            role_sampling=self.role_sampling,
        )


class Work:
    """Everything a configuration asks for.

    Raises:
        ConfigError: When a task or the recipe is unknown.
        DataError: When questions cannot be found.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.recipe: Recipe = recipe_for(config.recipe)
        self.role_sampling: dict[Role, Mapping[str, Json]] = {
            role: config.roles.get(role, {}).get("sampling", {}) for role in ROLES[1:]
        }
        self.answer_judged = "answer_judge" in config.roles
        """Whether a model gives its word on answers beside the rule."""
        self.sets = self._load()
        for questions in self.sets:
            self.sampling_of(questions)

    def _load(self) -> list[QuestionSet]:
        tasks = load_tasks(self.config.tasks, self.config.overrides)
        return [load_questions(task, data=self.config.data, limit=self.config.limit) for task in tasks]

    def runs_of(self, questions: QuestionSet) -> int:
        """How many independent runs a task gets; the task's own setting wins over that for all."""
        own = self.config.overrides.get(questions.task.name)
        return (own.runs if own else None) or self.config.runs or questions.task.runs

    def sampling_of(self, questions: QuestionSet) -> Sampling:
        """The task's sampling with the changes of this run; changes per task win over those for all."""
        task = questions.task
        own = self.config.overrides.get(task.name)
        return sampling_with(task.sampling, {**self.config.sampling, **(own.sampling if own else {})})

    def assignments(self) -> Iterator[Assignment]:
        """All samples, the repeats of a question side by side so that they share its prefill."""
        for questions in self.sets:
            spec = questions.task.spec
            sampling = self.sampling_of(questions)
            solver = import_object(spec.solver, f"solver of task {spec.task}") if spec.solver else None
            runs = range(self.runs_of(questions))
            asked = [questions.questions(run_index) for run_index in runs]
            for number in range(len(asked[0])):
                for run_index in runs:
                    question = asked[run_index][number]
                    yield Assignment(
                        question, run_index, sampling, questions.task.version, solver, self.role_sampling
                    )

    def is_settled(self, verdict: Verdict) -> bool:
        """Whether nothing is left to do about a sample: decided, and by the answer judge too if there is one.

        A judge whose replies were all unusable would give them again; one whose engine failed has not been asked.
        """
        if verdict.outcome.is_infrastructure:
            return False
        word = verdict.notes.get(NOTE)
        return not self.answer_judged or (word is not None and ("failed" not in word or "asked" in word))

    def describe(self, info: EngineInfo, fingerprints: Mapping[Role, str]) -> dict[str, Json]:
        """The part of ``run.json`` that does not depend on progress."""
        return {
            "k2eval": k2eval.__version__,
            "format": FORMAT,
            "name": self.config.out.name,
            "model": {
                "name": info.name,
                "fingerprint": info.fingerprint,
                "engine": info.engine,
                "context": info.context,
            },
            "recipe": self.config.recipe,
            "runs": max(self.runs_of(questions) for questions in self.sets),
            "seed": self.config.seed,
            "reproducible": info.honours_seeds,
            "engine": {
                "settings": info.settings,
                "notes": list(info.notes),
                "fingerprints": dict(fingerprints),
            },
            "machine": {"python": platform.python_version(), "system": platform.platform()},
            "tasks": {questions.task.name: self.describe_task(questions) for questions in self.sets},
            "config": self.config.model_dump(mode="json"),
        }

    @staticmethod
    def grader_label(questions: QuestionSet) -> str:
        """Name and version of the task's grader."""
        return grader_for(questions.task.spec.grader).label

    def describe_task(self, questions: QuestionSet) -> dict[str, Json]:
        """A task's entry in ``run.json``."""
        task, spec = questions.task, questions.task.spec
        return {
            "version": task.version,
            "title": spec.title,
            "kind": spec.kind,
            "micro": spec.micro,
            "questions": len(questions.items()),
            "expected_questions": questions.expected,
            "fingerprint": questions.fingerprint,
            "source": questions.source,
            "runs": self.runs_of(questions),
            "grader": self.grader_label(questions),
            "protected": spec.protected,
            "sampling": self.sampling_of(questions).model_dump(mode="json"),
            "prompt": digest(task.system, task.prompt)[:16],
            "options": spec.options,
            "notes": questions.notes,
            "hashes": questions.hashes,
        }


def identity(run: Mapping[str, Any]) -> dict[str, Json]:
    """What must not change while a run directory grows, as flat names and values.

    Raises:
        JournalError: When the description lacks something, as one that was edited by hand may.
    """
    try:
        return _identity(run)
    except (KeyError, TypeError, AttributeError) as error:
        raise JournalError(
            f"{RUN} is not what `k2eval run` writes: {type(error).__name__} {error}. Restore it, or give another --out."
        ) from error


def _identity(run: Mapping[str, Any]) -> dict[str, Json]:
    config = run.get("config", {})
    arguments = config.get("engine", {}).get("arguments", {})
    fingerprints = dict(run["engine"]["fingerprints"])
    roles = {name: _shaping(role) for name, role in config.get("roles", {}).items()}
    answer_judge = fingerprints.pop("answer_judge", None), roles.pop("answer_judge", None)
    facts: dict[str, Json] = {
        "model": fingerprints,
        "recipe": run["recipe"],
        "seed": run["seed"],
        "speculative": config.get("speculative"),
        "roles": {name: role for name, role in roles.items() if role},
    }
    if answer_judge[1] is not None:  # shapes no response, so it may join a run that was made without it
        facts["answer_judge"] = list(answer_judge)
    for key in _SHAPING_ARGUMENTS:
        facts[f"engine.{key}"] = arguments.get(key)
    for name, task in run["tasks"].items():
        for key in ("version", "prompt", "options"):
            facts[f"{name}.{key}"] = task[key]
        facts[f"{name}.questions"] = task["fingerprint"]
        for key, value in task["sampling"].items():
            facts[f"{name}.sampling.{key}"] = value
    return facts


def _shaping(role: Mapping[str, Any]) -> dict[str, Json]:
    """What shapes a role's words; not where it is served, or how fast."""
    kept = ("model", "sampling", "speculative", *_SHAPING_ARGUMENTS)
    return {key: value for key, value in role.items() if key in kept and value}


def merge_run(before: Mapping[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """``now``, extended by what an earlier session left: other tasks, more runs, earlier sessions.

    Raises:
        JournalError: When the two have different identities; lists what differs.
    """
    if not before:
        return {**now, "sessions": [], "complete": False}
    old, new = identity(before), identity(now)
    changed = [key for key in new if key in old and old[key] != new[key]]
    if changed:
        lines = "\n".join(
            f"  {key}: {_said(key, old[key], before)} there, {_said(key, new[key], now)} now"
            for key in changed
        )
        raise JournalError(
            f"{now['config']['out']} holds a different run. What differs:\n{lines}\n"
            "Give another --out, or the settings of that run; more tasks or more runs may be added to it."
        )
    tasks = dict(before["tasks"])
    for name, task in now["tasks"].items():
        kept = tasks.get(name, {"runs": 0, "questions": 0})
        fuller = kept if kept["questions"] > task["questions"] else task  # whose notes name the limit
        tasks[name] = {
            **task,
            "runs": max(task["runs"], kept["runs"]),
            "questions": fuller["questions"],
            "notes": fuller["notes"],
            "hashes": fuller.get("hashes", {}),
        }
    overrides = {**before["config"].get("overrides", {}), **now["config"]["overrides"]}
    return {
        **now,
        # What the engine said once it had started holds until it has started again.
        "model": {**before["model"], "name": now["model"]["name"]},
        "engine": {**before["engine"], "fingerprints": now["engine"]["fingerprints"]},
        "runs": max(before["runs"], now["runs"]),
        "tasks": tasks,
        "config": {**now["config"], "overrides": overrides},
        "sessions": before.get("sessions", []),
        "complete": False,
    }


def _said(key: str, value: Json, run: Mapping[str, Any]) -> str:
    if key == "model":  # a name for people, a digest since two checkpoints may share a name
        same = len(set(value.values())) == 1
        digests = [f"{'' if same else role + ' '}{str(digest)[:12]}" for role, digest in value.items()]
        return f"{run['model']['name']} ({', '.join(dict.fromkeys(digests))})"
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


def is_complete(run: Mapping[str, Any], settled: Iterable[Place]) -> bool:
    """Whether every sample that ``run.json`` speaks of is among the settled ones."""
    done = Counter(place.task for place in settled if place.run_index < run["tasks"][place.task]["runs"])
    return all(done[name] >= task["questions"] * task["runs"] for name, task in run["tasks"].items())


def limits_of_context(run: Mapping[str, Any], context: int | None) -> list[str]:
    """A note where tasks allow longer answers than the engine's context has room for."""
    longer: dict[int, list[str]] = {}
    for name, task in run["tasks"].items():
        if context is not None and task["sampling"]["max_tokens"] >= context:
            longer.setdefault(task["sampling"]["max_tokens"], []).append(name)
    return [
        f"max_tokens is {allowed}, but prompt and answer must fit a context of {context} tokens: longer answers "
        f"are cut there ({', '.join(names)})"
        for allowed, names in longer.items()
    ]


def verdict_of(assignment: Assignment, response: Response, grade: Grade) -> Verdict:
    """A grade with where it belongs and what it cost."""
    return Verdict(
        **assignment.place._asdict(),
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


def failed(assignment: Assignment, outcome: Outcome, reason: str) -> Verdict:
    """The verdict on a sample that our own side could not finish."""
    return Verdict(
        **assignment.place._asdict(),
        outcome=outcome,
        score=None,
        grader=grader_for(assignment.question.grader).label,
        tags=assignment.question.tags,
        detail={"reason": reason[:500]},
    )


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
