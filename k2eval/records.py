"""The words of k2eval as types.

A *question* is asked in *repeats* (0 … k-1). A *recipe* turns it into one *response* by way of one or more
*generations*, each the engine's answer to one *request*. A grader's *grade* of a response, together with
where it belongs, is a *verdict*. Generations and verdicts are what a run directory keeps.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Json = Any
"""Anything ``json.loads`` can return."""

FinishReason = Literal["stop", "length"]

Role = Literal["solver", "planner", "judge", "answer_judge"]
"""Who is asked: each role may have an engine of its own."""
ROLES: tuple[Role, ...] = ("solver", "planner", "judge", "answer_judge")


class Record(BaseModel):
    """Base of all records: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_line(self) -> str:
        """One line of JSON, ASCII only, so that unpaired surrogates in model text survive."""
        return json.dumps(self.model_dump(mode="python", exclude_defaults=True), sort_keys=True)


class Outcome(StrEnum):
    """What became of one response."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """The model finished, but no answer could be found in its words."""
    TRUNCATED = "truncated"
    """The token limit, or an unclosed reasoning block, came before an answer."""
    TIMEOUT = "timeout"
    """A program, or the comparison of an answer, ran into its time limit."""
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    RUNTIME_ERROR = "runtime_error"
    COMPILE_ERROR = "compile_error"
    VIOLATION = "violation"
    """A program tried something that the sandbox forbids."""
    GRADER_ERROR = "grader_error"
    """Our failure: the grader or the sandbox could not decide."""
    ENGINE_ERROR = "engine_error"
    """Our failure: the engine, the planner or the judge gave no usable answer."""
    PROMPT_TOO_LONG = "prompt_too_long"
    """Our failure: the prompt does not fit the engine's context."""

    @property
    def is_infrastructure(self) -> bool:
        """Whether this says nothing about the model: never averaged as a wrong answer, always shown."""
        return self in _INFRASTRUCTURE


_INFRASTRUCTURE = frozenset({Outcome.GRADER_ERROR, Outcome.ENGINE_ERROR, Outcome.PROMPT_TOO_LONG})


class NoteKind(StrEnum):
    """The subject of a note."""

    LIMITED = "limited"
    """Only the first questions were asked."""
    MISSING = "missing"
    """Questions, or a part of what they are graded by, are not at hand."""
    QUESTIONS = "questions"
    """The questions themselves: known faults, how they count."""
    GRADING = "grading"
    """The way in which answers are graded."""
    CONTEXT = "context"
    """Answers that the engine's context cuts."""
    SEEDS = "seeds"
    """Seeds that are not honoured, or were not checked."""
    SERVER = "server"
    """Servers that were left out, were asked again, or count in a way of their own."""
    ENGINE = "engine"
    """The checkpoint or its engine."""
    OTHER = "other"
    """A note of k2eval 0.1.0, which kept notes without their kind."""


class Note(Record):
    """A fact that a reader of the scores must know. Programs go by its kind, never by its text."""

    kind: NoteKind
    text: str


class Message(Record):
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


SWITCHES = ("thinking", "reasoning_effort", "thinking_budget")
"""Fields of `Sampling` that say how much a model thinks; one that is not set is not written either."""


class Sampling(Record):
    """How an engine draws one answer. The defaults are K2-Think's protocol (arXiv 2509.07604)."""

    temperature: float = Field(1.0, ge=0.0)
    top_p: float = Field(0.95, gt=0.0, le=1.0)
    top_k: int = 0
    """0 leaves the vocabulary whole."""
    min_p: float = Field(0.0, ge=0.0, le=1.0)
    max_tokens: int = Field(64_000, ge=1)
    stop: tuple[str, ...] = ("</answer>",)
    """Stop strings; they stay in the text, so that a finished answer can be told from a cut one."""
    json_schema: dict[str, Json] | None = None
    """When set, the answer is constrained to this JSON schema."""
    chat_template: dict[str, Json] = Field(default_factory=dict)
    """Extra arguments of the chat template."""
    thinking: bool | None = None
    """Whether the model thinks first; None leaves it to its chat template. Which argument of the template, or
    which field of a server, this and the next two are, the engine finds out."""
    reasoning_effort: str | None = Field(None, min_length=1)
    """How hard it thinks, in the model's own word: ``low``, ``medium``, ``high`` …"""
    thinking_budget: int | None = Field(None, ge=0)
    """The most tokens that it may think."""

    @model_serializer(mode="wrap")
    def _leave_out_unset_switches(self, handler: SerializerFunctionWrapHandler) -> dict[str, Json]:
        fields: dict[str, Json] = handler(self)
        return {key: value for key, value in fields.items() if key not in SWITCHES or value is not None}

    @property
    def thinking_in_words(self) -> str:
        """The switches that are set, in a few words; empty if none is.

        >>> Sampling(thinking=True, thinking_budget=4096).thinking_in_words
        'on, budget 4,096'
        """
        words = [] if self.thinking is None else ["on" if self.thinking else "off"]
        words += [] if self.reasoning_effort is None else [f"effort {self.reasoning_effort}"]
        words += [] if self.thinking_budget is None else [f"budget {self.thinking_budget:,}"]
        return ", ".join(words)

    def identity(self) -> dict[str, Json]:
        """Return the fields that a generation's key holds.

        Thinking counts as the template's argument ``enable_thinking``, by which k2eval 0.1.0 switched it, so that
        what was generated then is found again.
        """
        fields: dict[str, Json] = self.model_dump(mode="json")
        thinking = fields.pop("thinking", None)
        if thinking is not None:
            fields["chat_template"] = {**fields["chat_template"], "enable_thinking": thinking}
        return fields


class ReasoningFormat(Record):
    """How a checkpoint marks what it thinks before it answers; see `k2eval.reasoning`."""

    name: str = "auto"
    """A name that `k2eval.reasoning` knows, or ``custom``."""
    pairs: tuple[tuple[str, str], ...] = ()
    """The marks that open and end reasoning, of a format without a known name."""


class Question(Record):
    """One item of a task, as asked in one repeat."""

    task: str
    id: str
    grader: str = ""
    """Name of the grader; where empty, the question's shape tells."""
    messages: tuple[Message, ...]
    gold: Json
    """What the grader compares with: an answer string, a letter, or tests."""
    options: tuple[str, ...] = ()
    """Texts of the options in the order shown (A, B, …); empty where there are none."""
    tags: dict[str, str] = Field(default_factory=dict)
    """What results can be broken down by: difficulty, platform, date …"""
    metadata: dict[str, Json] = Field(default_factory=dict)
    """What else the recipe or the grader of this task needs."""


class Request(Record):
    """One prompt for an engine."""

    key: str
    task: str
    question_id: str
    repeat_index: int
    stage: str
    """Which step of the recipe: ``plan``, ``solve``, ``judge.0-1`` …; unique within a response."""
    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int


class SpeculativeCounts(Record):
    """What speculative decoding did for one generation."""

    drafts: int
    """Verification steps that had a draft."""
    drafted_tokens: int
    accepted_tokens: int
    accepted_per_position: tuple[int, ...] = ()


class _OfSample(Record):
    """A record about one sample; ``repeat_index`` was called ``run_index`` in k2eval 0.1.0."""

    @model_validator(mode="before")
    @classmethod
    def _read_old_name(cls, content: Json) -> Json:
        if isinstance(content, dict) and "run_index" in content and "repeat_index" not in content:
            return {"repeat_index" if key == "run_index" else key: value for key, value in content.items()}
        return content


class Generation(_OfSample):
    """An engine's answer to one request."""

    key: str
    task: str
    question_id: str
    repeat_index: int
    stage: str
    text: str
    """The raw text, reasoning and stop string included."""
    finish_reason: FinishReason
    prefill: str = ""
    """What the chat template already opened for the model at the end of the prompt, such as ``<think>``."""
    prompt_tokens: int
    cached_tokens: int = 0
    """Prompt tokens served from the prefix cache."""
    output_tokens: int
    queue_s: float | None = None
    """Seconds between arrival at the engine and scheduling."""
    ttft_s: float | None = None
    """Seconds between arrival at the engine and the first token."""
    duration_s: float
    """Seconds between arrival at the engine and the last token."""
    seed: int
    model: str = ""
    """Name the engine goes by."""
    speculative: SpeculativeCounts | None = None

    @classmethod
    def answering(cls, request: Request, **answer: Json) -> Generation:
        """Return the generation that answers ``request``.

        Args:
            request: Gives the generation its key, its place and its seed.
            answer: All other fields.
        """
        return cls(
            key=request.key,
            task=request.task,
            question_id=request.question_id,
            repeat_index=request.repeat_index,
            stage=request.stage,
            seed=request.seed,
            **answer,
        )


class Response(Record):
    """What a recipe answers for one question in one repeat."""

    text: str
    """The selected text, raw, with the template's prefill in front."""
    finish_reason: FinishReason
    selected: str
    """Key of the generation that was selected."""
    generations: tuple[str, ...]
    """Keys of all generations that were made for it, planner and judge included."""
    output_tokens: int
    """Tokens of the selected generation."""
    recipe_tokens: int
    """Output tokens of all generations."""
    reasoning: ReasoningFormat = ReasoningFormat()
    """The format of whoever wrote the text."""
    notes: dict[str, Json] = Field(default_factory=dict)
    """What the recipe has to say: candidates missing, votes, judgements …"""


def score_fault(outcome: Outcome, score: float | None) -> str | None:
    """Return why ``score`` cannot belong to ``outcome``, or None if it can.

    >>> score_fault(Outcome.WRONG, 0.5)
    >>> score_fault(Outcome.WRONG, 1.0)
    'expected a score below 1 for the outcome wrong, got 1.0'
    """
    if outcome.is_infrastructure:
        return None if score is None else f"expected no score for the outcome {outcome}, got {score}"
    if score is None or not 0.0 <= score <= 1.0:
        return f"expected a score from 0 to 1 for the outcome {outcome}, got {score}"
    if outcome is Outcome.CORRECT and score < 1.0:
        return f"expected the score 1 for the outcome {outcome}, got {score}"
    if outcome is not Outcome.CORRECT and score == 1.0:
        return f"expected a score below 1 for the outcome {outcome}, got {score}"
    return None


class _Scored(Record):
    """A record with a score that its outcome must allow."""

    outcome: Outcome
    score: float | None = Field(strict=True)
    """1 for right, 0 for wrong, between for partial credit, None for an infrastructure failure."""

    @model_validator(mode="after")
    def _check_score(self) -> Self:
        fault = score_fault(self.outcome, self.score)
        if fault:
            raise ValueError(fault)
        return self


class Grade(_Scored):
    """A grader's word on one response: a pure function of question, text and grader version."""

    extracted: str | None = None
    """The answer as found in the text, capped in length."""
    detail: dict[str, Json] = Field(default_factory=dict)
    """Why, capped in size: the failed test, an error's last line …"""

    @classmethod
    def of(cls, outcome: Outcome, extracted: str | None = None, **detail: Json) -> Grade:
        """A grade whose score follows from its outcome."""
        score = None if outcome.is_infrastructure else float(outcome is Outcome.CORRECT)
        return cls(outcome=outcome, score=score, extracted=extracted, detail=detail)


class Verdict(_OfSample, _Scored):
    """A grade, and where it belongs. Holds nothing that differs between two identical runs."""

    task: str
    question_id: str
    repeat_index: int = Field(ge=0)
    extracted: str | None = None
    grader: str
    """Name and version of the grader, such as ``math/1``."""
    selected: str = ""
    generations: tuple[str, ...] = ()
    output_tokens: int = 0
    recipe_tokens: int = 0
    finish_reason: FinishReason | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    detail: dict[str, Json] = Field(default_factory=dict)
    notes: dict[str, Json] = Field(default_factory=dict)

    @property
    def sample_key(self) -> SampleKey:
        """Which sample this is about."""
        return SampleKey(self.task, self.question_id, self.repeat_index)


class SampleKey(NamedTuple):
    """One sample of a run: a question of a task, in one of its repeats."""

    task: str
    question_id: str
    repeat_index: int


def digest(*parts: Json) -> str:
    """A stable 128-bit hexadecimal digest of JSON-like ``parts``, the same on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def derive_seed(run_seed: int, sample: SampleKey, stage: str) -> int:
    """Return the seed of one request: 31 bits that depend on run seed, sample and stage alone."""
    return int(digest(run_seed, *sample, stage)[:8], 16) & 0x7FFF_FFFF


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
