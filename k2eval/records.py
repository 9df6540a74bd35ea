"""The vocabulary of k2eval as types.

A *question* is asked in *repeats* (0 … k-1). A *recipe* makes one *response* from one or more *generations*. A
generation is the engine's answer to one *request*. A *verdict* is a grader's *grade* of a response, with the key of
its sample. A run directory keeps generations and verdicts.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from k2eval.values import Amount, Count, Duration, Integer, Number, ShownText, Text

Json = Any
"""Any value that ``json.loads`` can return."""
FinishReason = Literal["stop", "length"]
Role = Literal["solver", "planner", "judge", "answer_judge"]
"""The role of a request; each role may have its own engine."""
ROLES: tuple[Role, ...] = ("solver", "planner", "judge", "answer_judge")


class Record(BaseModel):
    """Base of all records: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_line(self) -> str:
        r"""Return one line of JSON, ASCII only, so that unpaired surrogates in model text survive.

        >>> Message(role="user", content="2 × 3?").to_line()
        '{"content": "2 \\u00d7 3?", "role": "user"}'
        """
        return json.dumps(self.model_dump(mode="python", exclude_defaults=True), sort_keys=True)


class Outcome(StrEnum):
    """The outcome of one response."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """The model finished, but no answer was found in its text."""
    TRUNCATED = "truncated"
    """The token limit cut the text, or its reasoning never ended, before an answer."""
    TIMEOUT = "timeout"
    """A program, or the comparison of an answer, reached its time limit."""
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
    UNDECIDED = "undecided"
    """Our failure: no rule can decide about the answer, and no judge has decided."""

    @property
    def is_infrastructure(self) -> bool:
        """Whether the failure is ours: it is never averaged as a wrong answer, and always shown."""
        return self in _INFRASTRUCTURE


_INFRASTRUCTURE = frozenset(
    {Outcome.GRADER_ERROR, Outcome.ENGINE_ERROR, Outcome.PROMPT_TOO_LONG, Outcome.UNDECIDED}
)


class NoteKind(StrEnum):
    """The subject of a note."""

    LIMITED = "limited"
    """Only the first questions were asked."""
    MISSING = "missing"
    """Questions, or data that their grader needs, are not at hand."""
    QUESTIONS = "questions"
    """The questions themselves: known faults, or their weights."""
    GRADING = "grading"
    """The way in which answers are graded."""
    CONTEXT = "context"
    """Answers that the engine's context cuts."""
    SEEDS = "seeds"
    """Seeds that are not honoured, or were not checked."""
    SERVER = "server"
    """Servers that were left out, were asked again, or count tokens in their own way."""
    REASONING = "reasoning"
    """Reasoning that could not be told from the answer, or was cut."""
    STOPPED = "stopped"
    """Responses that a stop string ended inside their reasoning."""
    ENGINE = "engine"
    """The checkpoint or its engine."""
    LOAD = "load"
    """Other programs on the machine, which made it slower."""
    REPLICAS = "replicas"
    """Replicas that died, hung or left while others went on."""
    OTHER = "other"
    """A note of k2eval 0.1.0, which kept notes without a kind."""


class Note(Record):
    """A fact that a reader of the scores must know. Programs use its kind, never its text."""

    kind: NoteKind
    text: ShownText


class Message(Record):
    """One turn of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


SWITCHES = ("thinking", "reasoning_effort", "thinking_budget")
"""Fields of `Sampling` that say how much a model thinks; one that is not set is not written either."""


class Sampling(Record):
    """The sampling of one answer. The defaults are K2-Think's protocol (arXiv 2509.07604)."""

    temperature: Number = Field(1.0, ge=0.0, le=100.0)
    top_p: Number = Field(0.95, gt=0.0, le=1.0)
    top_k: Integer = Field(0, ge=-1, le=1_000_000_000)
    """0 or -1 means the whole vocabulary."""
    min_p: Number = Field(0.0, ge=0.0, le=1.0)
    max_tokens: Count = 64_000
    stop: tuple[Annotated[Text, Field(min_length=1)], ...] = ("</answer>",)
    """Stop strings; they stay in the text, so that a finished answer differs from one that was cut."""
    json_schema: dict[str, Json] | None = None
    """If set, the answer is constrained to this JSON schema."""
    chat_template: dict[str, Json] = Field(default_factory=dict)
    """Extra arguments of the chat template."""
    thinking: bool | None = None
    """Whether the model thinks first; None leaves it to the chat template. The engine knows the argument or field."""
    reasoning_effort: Annotated[Text, Field(min_length=1)] | None = None
    """How hard it thinks, in the model's own word: ``low``, ``medium``, ``high`` …"""
    thinking_budget: Annotated[Integer, Field(ge=0)] | None = None
    """The most tokens that it may think."""

    @model_serializer(mode="wrap")
    def _leave_out_unset_switches(self, handler: Any) -> dict[str, Json]:
        fields: dict[str, Json] = handler(self)
        return {key: value for key, value in fields.items() if key not in SWITCHES or value is not None}

    def identity(self) -> dict[str, Json]:
        """Return what a generation's key holds; thinking as the template's argument by which 0.1.0 switched it."""
        fields: dict[str, Json] = self.model_dump(mode="json")
        if (thinking := fields.pop("thinking", None)) is not None:
            fields["chat_template"] = {**fields["chat_template"], "enable_thinking": thinking}
        return fields


class ReasoningFormat(Record):
    """The marks around a checkpoint's reasoning; see `k2eval.reasoning`."""

    name: str = "auto"
    """A name that `k2eval.reasoning` knows, or ``custom``."""
    pairs: tuple[tuple[str, str], ...] = ()
    """The marks that open and end reasoning, of a format without a known name."""


class Question(Record):
    """One item of a task, as one repeat asks it."""

    task: str
    id: str
    grader: str = ""
    """Name of the grader; if empty, it follows from the question's shape."""
    messages: tuple[Message, ...]
    gold: Json
    """The right answer for the grader: a text, a letter, or tests."""
    options: tuple[str, ...] = ()
    """Texts of the options in the order of the prompt (A, B, …); empty if there are none."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags by which results can be broken down: difficulty, platform, date …"""
    metadata: dict[str, Json] = Field(default_factory=dict)
    """Further data for the recipe or the grader of this task."""


class Request(Record):
    """One prompt for an engine."""

    key: str
    task: str
    question_id: str
    repeat_index: int
    stage: str
    """The step of the recipe: ``plan``, ``solve``, ``judge.0-1`` …; unique within a response."""
    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    priority: int = 0
    """Where requests wait, one with a smaller number goes first; no part of the key."""
    begun: Generation | None = None
    """An answer that the engine goes on with, its reasoning ended by the format's mark; None if it begins one."""
    begun_tokens: int = Field(0, ge=0)
    """Number of first tokens of that answer that are kept."""


class SpeculativeCounts(Record):
    """Counts of speculative decoding, for one generation or a sum of several."""

    drafts: Amount
    """Number of verification steps that had a draft."""
    drafted_tokens: Amount
    accepted_tokens: Amount
    accepted_per_position: tuple[Amount, ...] = ()


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

    key: Text
    task: Text
    question_id: Text
    repeat_index: int
    stage: Text
    text: str
    """The raw text, reasoning and stop string included."""
    finish_reason: FinishReason
    prefill: str = ""
    """The start of the answer that stood at the end of the prompt: from its template (``<think>``), or gone on with."""
    answer_start: int | None = Field(None, ge=0)
    """Index in ``prefill + text`` of the answer's first character if a server split reasoning off; None if the marks
    in the text tell. It is the length of the text if no answer came."""
    prompt_tokens: Amount
    cached_tokens: Amount = 0
    """Number of prompt tokens served from the prefix cache."""
    output_tokens: Amount
    queue_s: Duration | None = None
    """Seconds between arrival at the engine and scheduling."""
    ttft_s: Duration | None = None
    """Seconds between arrival at the engine and the first token."""
    duration_s: Duration
    """Seconds between arrival at the engine and the last token."""
    seed: int
    model: ShownText = ""
    """The engine's name for its model."""
    speculative: SpeculativeCounts | None = None

    @classmethod
    def answering(cls, request: Request, **answer: Json) -> Generation:
        """Return the generation that answers ``request``.

        Args:
            request: The request, which gives the generation its key, its sample and its seed.
            answer: All other fields.
        """
        shared = ("key", "task", "question_id", "repeat_index", "stage", "seed")
        return cls(**{name: getattr(request, name) for name in shared}, **answer)


class Response(Record):
    """The text that a recipe finally answers for one question in one repeat."""

    text: str
    """The selected text, raw, with the template's prefill in front."""
    finish_reason: FinishReason
    selected: str
    """Key of the generation that was selected."""
    generations: tuple[str, ...]
    """Keys of all generations made for the response, planner and judge included."""
    output_tokens: int
    """Number of tokens of the selected generation."""
    recipe_tokens: int
    """Number of output tokens of all generations."""
    reasoning: ReasoningFormat = ReasoningFormat()
    """The format of the checkpoint that wrote the text."""
    answer_start: int | None = Field(None, ge=0)
    """Index in the text of the answer's first character if a server split reasoning off; None if the marks tell."""
    notes: dict[str, Json] = Field(default_factory=dict)
    """Notes of the recipe: missing candidates, votes, judgements …"""


def score_fault(outcome: Outcome, score: float | None) -> str | None:
    """Return the reason why ``score`` cannot belong to ``outcome``; None if it can.

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
    """1 if right, 0 if wrong, between 0 and 1 for partial credit, None for an infrastructure failure."""

    @model_validator(mode="after")
    def _check_score(self) -> Self:
        if fault := score_fault(self.outcome, self.score):
            raise ValueError(fault)
        return self


class Grade(_Scored):
    """A grader's result on one response: a pure function of question, text and grader version."""

    extracted: str | None = None
    """The answer found in the text, limited in length."""
    detail: dict[str, Json] = Field(default_factory=dict)
    """The reason, limited in size: the failed test, an error's last line …"""

    @classmethod
    def of(cls, outcome: Outcome, extracted: str | None = None, **detail: Json) -> Grade:
        """Return a grade whose score follows from its outcome.

        >>> Grade.of(Outcome.CORRECT).score, Grade.of(Outcome.TRUNCATED).score, Grade.of(Outcome.GRADER_ERROR).score
        (1.0, 0.0, None)
        """
        score = None if outcome.is_infrastructure else float(outcome is Outcome.CORRECT)
        return cls(outcome=outcome, score=score, extracted=extracted, detail=detail)


class Verdict(_OfSample, _Scored):
    """A grade with its sample and its cost. No field differs between two identical runs."""

    task: Text
    question_id: Text
    repeat_index: int = Field(ge=0)
    extracted: str | None = None
    grader: ShownText
    """Name and version of the grader, such as ``math/1``."""
    selected: Text = ""
    generations: tuple[Text, ...] = ()
    output_tokens: Amount = 0
    recipe_tokens: Amount = 0
    finish_reason: FinishReason | None = None
    tags: dict[Text, Text] = Field(default_factory=dict)
    detail: dict[str, Json] = Field(default_factory=dict)
    notes: dict[str, Json] = Field(default_factory=dict)

    @property
    def sample_key(self) -> SampleKey:
        """The key of the sample."""
        return SampleKey(self.task, self.question_id, self.repeat_index)


class SampleKey(NamedTuple):
    """One sample of a run: a question of a task, in one of its repeats."""

    task: str
    question_id: str
    repeat_index: int


def digest(*parts: Json) -> str:
    """Return a 128-bit hexadecimal digest of JSON-like ``parts``, the same on every machine.

    >>> digest("aime24", "1", 0)
    'fd827e8c4a252f2ae3123798dffdab43'
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def derive_seed(run_seed: int, sample: SampleKey, stage: str) -> int:
    """Return the seed of one request: 31 bits that depend only on run seed, sample and stage.

    >>> derive_seed(0, SampleKey("aime24", "1", 0), "solve")
    1138903899
    """
    return int(digest(run_seed, *sample, stage)[:8], 16) & 0x7FFF_FFFF


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
