"""A batch of lm-eval's requests as samples of a run.

lm-eval repeats a request by listing the same instance several times. Here each occurrence has its own repeat index
and its own seed. Our own tasks keep their question ids, prompts and graders. So generations made through lm-eval and
through ``k2eval run`` have the same keys and may be in the same run directory.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from k2eval.config import RunConfig
from k2eval.errors import ConfigError, EngineError, EngineStopped
from k2eval.interop.lm_eval import QUESTION
from k2eval.journal import RUN, Archive, TaskRecord
from k2eval.recipes import Sample
from k2eval.records import (
    Generation,
    Grade,
    Json,
    Message,
    Note,
    NoteKind,
    Question,
    ReasoningFormat,
    Request,
    Response,
    Role,
    SampleKey,
    Sampling,
    Verdict,
)
from k2eval.run import Assignment, NotKept, Work, outcome_of
from k2eval.tasks import (
    DataSpec,
    Item,
    Items,
    QuestionSet,
    Task,
    TaskSpec,
    load_questions,
    load_tasks,
    task_files,
    text_hash,
)

ELSEWHERE = "k2eval.interop.elsewhere"


class Chat(str):
    """A prompt as lm-eval passes it around: the JSON of its messages."""

    @classmethod
    def of(cls, turns: Sequence[Mapping[str, Any]]) -> Chat:
        """Make the prompt of these messages."""
        return cls(json.dumps(list(turns), ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of an instance in a batch: a request for one sample."""

    question: Question
    repeat_index: int
    sampling: Sampling
    until: tuple[str, ...]
    own: bool
    """Whether the task is one of our own."""

    @property
    def sample_key(self) -> SampleKey:
        """The key of the sample."""
        return SampleKey(self.question.task, self.question.id, self.repeat_index)


def read_batch(
    instances: Sequence[Any], default_max_tokens: int, chat_template: Mapping[str, Json]
) -> list[Occurrence]:
    """Read lm-eval's requests, in its order.

    Raises:
        ConfigError: If a request cannot be asked as a chat, or its sampling is unknown.
    """
    own_tasks, counts, occurrences = task_files(), Counter[int](), []
    for instance in instances:
        number = counts[id(instance)]
        counts[id(instance)] += 1
        sampling, until = _sampling(instance, default_max_tokens, chat_template)
        messages = _messages(instance)
        name = str(instance.task_name)
        line = instance.doc.get(QUESTION) if isinstance(instance.doc, Mapping) else None
        if line is not None and name in own_tasks:
            question = Question.model_validate({**json.loads(line), "messages": messages})
            repeat_index = int(instance.doc.get("repeat_index", 0)) * (instance.repeats or 1) + number
        else:
            part = f".{instance.idx}" if instance.idx else ""
            question = Question(
                task=name, id=f"{instance.doc_id}{part}", grader=ELSEWHERE, messages=messages, gold=None
            )
            repeat_index = number
        own = question.grader != ELSEWHERE
        occurrences.append(Occurrence(question, repeat_index, sampling, until, own))
    return occurrences


def _messages(instance: Any) -> tuple[Message, ...]:
    prompt, *rest = instance.args
    if not isinstance(prompt, str) or len(rest) != 1:
        raise ConfigError(
            f"Task {instance.task_name}: expected requests of a text and its settings, got {len(rest) + 1} parts. "
            "k2eval asks in text only; choose another --model for this task."
        )
    if not isinstance(prompt, Chat):
        return (Message(role="user", content=prompt),)
    turns = tuple(Message(role=turn["role"], content=turn["content"]) for turn in json.loads(prompt))
    if turns and turns[-1].role == "assistant":
        raise ConfigError(
            f"Task {instance.task_name} begins the answer itself (gen_prefix {turns[-1].content[:60]!r}). k2eval asks "
            "in whole turns; run this task without --apply_chat_template, or choose another --model for it."
        )
    return turns


_NAMES = {"top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "temperature": "temperature"}
_WITHOUT_MEANING = ("do_sample", "until", "stop", "max_gen_toks", "seed")


def _sampling(
    instance: Any, default_max_tokens: int, chat_template: Mapping[str, Json]
) -> tuple[Sampling, tuple[str, ...]]:
    from lm_eval.models.utils import normalize_gen_kwargs

    arguments = dict(instance.args[1])
    settings = dict(normalize_gen_kwargs(arguments, default_max_tokens))
    stop = arguments.get("stop") or []
    until = tuple([*settings["until"], *([stop] if isinstance(stop, str) else stop)])
    unknown = [key for key in settings if key not in _NAMES and key not in _WITHOUT_MEANING]
    if unknown:
        raise ConfigError(
            f"Task {instance.task_name}: unknown generation settings {', '.join(unknown)}. Known: until, "
            f"max_gen_toks, do_sample, {', '.join(_NAMES)}. Leave them out with --gen_kwargs or in the task's YAML."
        )
    fields = {name: settings[key] for key, name in _NAMES.items() if settings.get(key) is not None}
    fields["top_k"] = max(0, int(fields.get("top_k", 0)))
    if not settings.get("do_sample"):
        fields["temperature"] = 0.0
    return Sampling.model_validate(
        {
            "top_p": 1.0,
            **fields,
            "max_tokens": settings["max_gen_toks"],
            "stop": tuple(text for text in until if text),
            "chat_template": dict(chat_template),
        }
    ), until


class Batch(Work):
    """lm-eval's requests as the work of a run. Keeps the responses, which lm-eval needs back."""

    def __init__(self, config: RunConfig, occurrences: Sequence[Occurrence]) -> None:
        self._occurrences = {request.sample_key: request for request in occurrences}
        self.responses: dict[SampleKey, Response] = {}
        """Responses that were made now, or whose generations the run directory has."""
        self.failures: dict[SampleKey, Grade] = {}
        """The reason for each response that is missing because our own side failed."""
        super().__init__(config)
        self._tasks = {questions.task.name: questions.task for questions in self.sets}

    def __len__(self) -> int:
        """Return the number of samples that lm-eval asks for."""
        return len(self._occurrences)

    @property
    def own(self) -> list[SampleKey]:
        """The samples that our own graders grade."""
        return [key for key, request in self._occurrences.items() if request.own]

    def _load(self) -> list[QuestionSet]:
        by_task: dict[str, list[Occurrence]] = {}
        for request in self._occurrences.values():
            by_task.setdefault(request.question.task, []).append(request)
        return [self._own(task) if task[0].own else _foreign(task) for task in by_task.values()]

    def _own(self, occurrences: Sequence[Occurrence]) -> QuestionSet:
        first = occurrences[0]
        [task] = load_tasks([first.question.task], include=self.config.include_path)
        questions = load_questions(task, data=self.config.data)
        questions.limit = len({request.question.id for request in occurrences})
        same = next(
            question
            for question in questions.questions(first.repeat_index)
            if question.id == first.question.id
        )
        changes: dict[str, Any] = {"sampling": first.sampling, "repeats": _repeats(occurrences)}
        if same.messages != first.question.messages:
            changes |= {"system": "", "prompt": f"lm-eval: {task.system}\n\n{task.prompt}"}
        questions.task = replace(task, **changes)
        return questions

    def describe_task(self, questions: QuestionSet, twins: Mapping[str, str] | None = None) -> TaskRecord:
        """Return a task's entry in ``run.json``; a task that lm-eval grades is in none of our totals."""
        described = super().describe_task(questions, twins)
        asked = {key.question_id for key in self._occurrences if key.task == questions.task.name}
        hashes = {item.id: text_hash(item) for item in questions.all_items if item.id in asked}
        return described.model_copy(
            update={"part": questions.task.spec.grader == ELSEWHERE, "hashes": hashes}
        )

    def assignments(self) -> Iterator[Assignment]:
        """Yield all samples of our own tasks, to grade them, and the samples of other tasks that need an engine."""
        for request in self._occurrences.values():
            if request.own or request.sample_key not in self.responses:
                yield self._assignment(request)

    def _assignment(self, request: Occurrence) -> Assignment:
        task = self._tasks[request.question.task]
        return Assignment(
            request.question,
            request.repeat_index,
            request.sampling,
            task.version,
            task.solver(),
            self.role_sampling,
        )

    def is_graded(self, assignment: Assignment) -> bool:
        """Tell whether one of our graders grades the sample."""
        return assignment.question.grader != ELSEWHERE

    def is_settled(self, verdict: Verdict) -> bool:
        """Tell whether a sample needs no more work; its response must be at hand, for lm-eval."""
        return super().is_settled(verdict) and verdict.sample_key in self.responses

    async def respond(self, sample: Sample) -> Response:
        """Make the response to a sample, and keep it, or the reason why there is none."""
        key = SampleKey(sample.question.task, sample.question.id, sample.repeat_index)
        try:
            self.responses[key] = await super().respond(sample)
        except EngineStopped:
            raise
        except EngineError as error:
            self.failures[key] = Grade.of(outcome_of(error), reason=str(error)[:500])
            raise
        return self.responses[key]

    async def replay(self, fingerprints: dict[Role, str], reasoning: Mapping[Role, ReasoningFormat]) -> None:
        """Make the responses whose generations the run directory already has."""
        if not (self.config.out / RUN).exists():
            return
        archive = Archive([self.config.out])

        async def ask(request: Request, role: Role) -> Generation:
            if (generation := archive.find(request.key)) is None:
                raise NotKept("not in the journal")
            return generation

        for request in self._occurrences.values():
            with contextlib.suppress(NotKept):
                sample = self._assignment(request).sample(self.config.seed, fingerprints, ask, reasoning)
                await self.respond(sample)


def _repeats(occurrences: Sequence[Occurrence]) -> int:
    return max(request.repeat_index for request in occurrences) + 1


def _foreign(occurrences: Sequence[Occurrence]) -> QuestionSet:
    """Return the questions of a task that is not our own, described as far as lm-eval tells."""
    name = occurrences[0].question.task
    spec = TaskSpec(task=name, title=name, kind="general", grader=ELSEWHERE, data=DataSpec())
    task = Task(
        name=name,
        version="lm-eval",
        spec=spec,
        system="",
        prompt="",
        sampling=occurrences[0].sampling,
        repeats=_repeats(occurrences),
    )
    items = [
        Item(
            request.question.id,
            None,
            {"question": "\n\n".join(turn.content for turn in request.question.messages)},
        )
        for request in occurrences
        if request.repeat_index == 0
    ]
    note = Note(kind=NoteKind.GRADING, text="graded by lm-eval")
    return QuestionSet(task, [], "lm-eval", _items={0: Items(items, [note])})
