"""``run.json`` as types: the description of a run directory.

Every field is written and every field is required, so that no lost or misspelt field is taken for a default. Only
``config`` and ``sampling`` are as in a YAML file: a missing setting has its default. A field that this version does
not know is refused: a later version may have added it for a reason, and the next start of the run would drop it from
the file. A version that adds a field gives it a default, or raises ``FORMAT`` and teaches `read_run_record` to read
the older format.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, ValidationError

import k2eval
from k2eval.config import RunConfig
from k2eval.errors import JournalError
from k2eval.journal.format_1 import name_in_format_1, upgraded
from k2eval.journal.protocol_record import OWN, ProtocolRecord
from k2eval.journal.weights_record import WeightsRecord
from k2eval.records import (
    ROLES,
    SWITCHES,
    Json,
    Note,
    ReasoningFormat,
    Record,
    Role,
    Sampling,
    SpeculativeCounts,
)
from k2eval.system import open_file
from k2eval.values import MOST, Line, Text, as_json, read_json

FORMAT = 2
"""The format of new run directories. Format 1, that of k2eval 0.1.0, can be read too."""


def _moment(text: str) -> str:
    datetime.datetime.fromisoformat(text)
    return text


def _of_all_roles(fingerprints: dict[Role, str]) -> dict[Role, str]:
    missing = [role for role in ROLES if role not in fingerprints]
    if missing:
        raise ValueError(f"expected one for each of {', '.join(ROLES)}; {', '.join(missing)} missing")
    return fingerprints


Moment = Annotated[str, AfterValidator(_moment)]
"""A time in ISO 8601, such as ``2026-11-28T20:56:02Z``."""
Count = Annotated[StrictInt, Field(ge=0, le=MOST)]
Repeats = Annotated[StrictInt, Field(ge=1, le=MOST)]
Seconds = Annotated[StrictFloat, Field(ge=0, le=MOST)]


class ModelRecord(Record):
    """The checkpoint that was asked, and the engine that ran it."""

    name: Line
    fingerprint: Line
    engine: Line
    context: Count | None
    """Longest prompt plus answer in tokens; None if the engine does not tell."""
    commit: Line | None = None
    """The commit of a model on the hub; None of a folder or a server."""
    weights: WeightsRecord | None = None
    """The kind and the size of its weights; None if the engine does not tell."""


class EngineRecord(Record):
    """The engine's settings, and its notes for the user."""

    settings: dict[str, Json]
    notes: tuple[Note, ...]
    fingerprints: Annotated[dict[Role, Line], AfterValidator(_of_all_roles)]
    """The checkpoint behind each role."""


class MachineRecord(Record):
    """The machine of the last start."""

    python: Line
    system: Line
    device: Line | None = None
    """The cards or the processor that computed; None if the engine does not tell."""


class TaskRecord(Record):
    """A benchmark as the run asks it."""

    version: Line
    title: Line
    kind: Line
    micro: Line | None
    """Name of the group of benchmarks whose average includes this task."""
    part: StrictBool
    """Whether the task is another view of a benchmark, such as its steps: shown, but in no total or average."""
    questions: Count
    """Number of questions asked in each repeat."""
    expected_questions: Count | None
    """Number of questions of the whole benchmark."""
    fingerprint: Line
    """Hash of the questions; scores with different hashes are not comparable."""
    source: Line
    repeats: Repeats
    grader: Line
    protected: StrictBool
    """Whether the authors ask users not to publish the texts."""
    sampling: Sampling
    prompt: Line
    """Hash of the prompt's template."""
    options: dict[str, Json]
    notes: tuple[Note, ...]
    hashes: dict[Text, Line]
    """Digests of the questions' texts by id."""
    error_unit: Line | None = None
    """Unit of the errors of numeric answers; None if answers are right or wrong."""
    twins: dict[Text, Line] = Field(default_factory=dict)
    """Ids of near duplicates of questions of an earlier task of the run -> the digests of the texts there."""
    protocol: ProtocolRecord | None = None
    """The protocol of others by which the task is asked; None if by its own file."""

    @property
    def protocol_label(self) -> str:
        """Name and version of the protocol; scores under different ones are not ranked together."""
        return self.protocol.label if self.protocol else OWN

    def deviations(self, recipe: str) -> dict[str, str]:
        """Return in what the task deviates from its protocol, in words by the name of the setting.

        Args:
            recipe: The recipe of the run.
        """
        return self.protocol.deviations(self._under_names_of_protocol(recipe)) if self.protocol else {}

    def protocol_notes(self, recipe: str) -> list[str]:
        """Return what a reader of the scores must know about the protocol; nothing without one.

        Args:
            recipe: The recipe of the run.
        """
        return self.protocol.notes(self._under_names_of_protocol(recipe)) if self.protocol else []

    def _under_names_of_protocol(self, recipe: str) -> dict[str, Json]:
        options: dict[str, Json] = {f"options.{name}": value for name, value in self.options.items()}
        own = {"recipe": recipe, "repeats": self.repeats, "prompt": self.prompt, **options}
        return {**own, **self.sampling.model_dump(mode="json")}

    def identity_of(self, question: str) -> str | None:
        """Return what is equal for a question that several benchmarks ask; None if its text alone does not tell."""
        is_choice = self.grader.startswith("choice/")  # whose text may be "Which is true?"
        return self.twins.get(question) or (None if is_choice else self.hashes.get(question))

    @property
    def settings(self) -> dict[str, Json]:
        """Everything that shapes the scores besides checkpoint, recipe and questions."""
        own = {"prompt": self.prompt, "version": self.version, "grader": self.grader}
        own |= {"protocol": self.protocol_label}
        unset: dict[str, Json] = dict.fromkeys(SWITCHES, "unset")  # which a switch that is set differs from
        return {**own, **unset, **self.sampling.model_dump(mode="json")}


class SessionRecord(Record):
    """One start of the program that added to the run."""

    started: Moment
    finished: Moment
    generated: Count
    """Number of new generations."""
    replayed: Count
    """Number of generations taken from the journal."""
    generated_tokens: Count
    prompt_tokens: Count
    cached_tokens: Count
    generation_s: Seconds
    """From the first request to the last generation."""
    work_s: Seconds
    """From the first request to the last verdict."""
    speculative: dict[str, SpeculativeCounts]
    """Speculation counts per task, summed over generations that carry their own counts."""
    generations_with_speculation: Count
    """Number of new generations that carry their own counts."""
    engine_speculative: SpeculativeCounts | None
    """Speculation counts of the engines, unfinished requests included."""
    swapped_from: str | None = None
    """The checkpoint whose weights were replaced in the solver's running engine; None if the engine was started."""


class SpeculationRecord(SpeculativeCounts):
    """Counts of speculation, and their ratios."""

    acceptance_rate: StrictFloat
    """Accepted tokens divided by drafted tokens."""
    acceptance_length: StrictFloat
    """Mean tokens per verification step, the target's own one included."""
    acceptance_per_position: tuple[StrictFloat, ...]


class CountedGenerations(Record):
    """The generations that carry their own counts; vLLM gives none to an answer that ends at a stop string."""

    generated: Count
    counted: Count


class RunSpeculation(SpeculationRecord):
    """Speculation over all sessions."""

    counted: Literal["request", "engine"]
    """Whether the engine counts each request, so that every task has its own counts."""
    generations: CountedGenerations
    tasks: dict[str, SpeculationRecord]


class RunRecord(Record):
    """The content of ``run.json``."""

    k2eval: Line
    """The version of k2eval that wrote it."""
    format: Literal[2]
    name: Line
    model: ModelRecord
    recipe: Line
    repeats: Repeats
    """The most repeats of any task."""
    seed: StrictInt
    reproducible: StrictBool
    """Whether every engine that shapes responses honours seeds."""
    reasoning: dict[Role, ReasoningFormat] = Field(default_factory=dict)
    """The reasoning format of the checkpoint behind each role; a role without one is read as ``auto``."""
    engine: EngineRecord
    machine: MachineRecord
    tasks: dict[Line, TaskRecord]
    config: RunConfig
    """The configuration of the last start."""
    sessions: tuple[SessionRecord, ...]
    complete: StrictBool
    stopped_early: str | None = None
    """The reason why the missing samples were not to be made; None if the run is complete, or goes on."""
    speculative: RunSpeculation | None
    """None if nothing was drafted."""

    @property
    def tokens_per_s(self) -> float | None:
        """Generated tokens per second of generation; replayed generations are in neither number."""
        seconds = sum(session.generation_s for session in self.sessions)
        tokens = sum(session.generated_tokens for session in self.sessions)
        return tokens / seconds if seconds > 0 and tokens > 0 else None

    @property
    def prompt_tokens(self) -> int:
        """Number of prompt tokens that the engine read."""
        return sum(session.prompt_tokens for session in self.sessions)

    @property
    def prefix_cache_hits(self) -> float | None:
        """Share of prompt tokens that the prefix cache served."""
        cached = sum(session.cached_tokens for session in self.sessions)
        return cached / self.prompt_tokens if self.prompt_tokens else None

    def acceptance_length(self, task: str | None = None) -> float | None:
        """Return the mean tokens per verification step, of the run or of one task; None if nothing was drafted."""
        counts: SpeculativeCounts | None = self.speculative
        if task is not None:
            counts = self.speculative.tasks.get(task) if self.speculative else None
        return 1 + counts.accepted_tokens / counts.drafts if counts and counts.drafts else None

    def to_json(self) -> str:
        """Return the text of ``run.json``: ASCII only, fields in the order above."""
        return json.dumps(as_json(self.model_dump(mode="json")), indent=1) + "\n"


def read_run_record(path: Path) -> RunRecord:
    """Read a ``run.json`` of format 2, or of format 1 as if it were of format 2.

    Raises:
        FileNotFoundError, NotADirectoryError: If there is no such file.
        JournalError: If `k2eval run` does not write such a file; names the file, the field and the expected value.
    """
    try:
        with open_file(path) as file:
            content = read_json(file.read())
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:
        raise JournalError(
            f"Cannot read {path}: expected the JSON that `k2eval run` writes; {error}. {_REMEDY}"
        ) from error
    version = content.get("format") if isinstance(content, dict) else type(content).__name__
    if version not in (1, FORMAT) or isinstance(version, (bool, float)):
        raise JournalError(
            f"{path}: expected format {FORMAT}, got {version!r}. It was not written by this k2eval "
            f"({k2eval.__version__}). Read it with the k2eval that made it, or update k2eval."
        )
    try:
        return RunRecord.model_validate(upgraded(content, FORMAT) if version == 1 else content)
    except ValidationError as error:
        raise JournalError(_explained(error, path, content)) from error


_REMEDY = "Restore the file, or make the run again with another --out."


def _explained(error: ValidationError, path: Path, content: dict[str, Any]) -> str:
    """Name the first field that is wrong, and the value that was expected."""
    problem = error.errors(include_url=False)[0]
    parts = [str(part) for part in problem["loc"]]
    field = ".".join(map(name_in_format_1, parts) if content["format"] == 1 else parts)
    where = f"{path} is not what `k2eval run` writes:"
    if problem["type"] == "missing":
        return f"{where} it lacks the field {field}. {_REMEDY}"
    if problem["type"] == "extra_forbidden":
        return (
            f"{where} it has an unknown field {field}. If k2eval {content.get('k2eval')} made it, update k2eval (this "
            f"is {k2eval.__version__}); else remove the field."
        )
    expected = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
    return f"{where} field {field}: {expected}, got {problem['input']!r:.100}. {_REMEDY}"
