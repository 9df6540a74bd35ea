"""The protocol of a laboratory or a harness: what its sources say about each benchmark, and how sure that is.

A protocol is a YAML file of this folder. Each fact has a status. What nobody documents is ``unknown``: k2eval's own
setting is then used, and the run says so. Prompts are in words of k2eval's own; their structure is that of the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from k2eval.records import Json, Sampling
from k2eval.values import Line, Text

Status = Literal["documented", "inferred", "unknown"]
"""How sure a fact is: its source says so, something else suggests it, or nothing is known."""

OF_SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "stop", "reasoning_effort")
"""Fields that are settings of `Sampling`."""
SETTABLE = ("prompt", "system", *OF_SAMPLING, "repeats", "options")
"""Fields whose value a run takes over."""
FIELDS = (*SETTABLE, "grader", "averaging", "data")
"""All fields. Of the last three a protocol tells, and sets nothing."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(_Part):
    """What is known about one field."""

    status: Status
    value: Json = None
    """The setting that a run takes over; None if the fact is only told."""
    words: Text = ""
    """The fact for people, if the value is long or there is none."""
    source: Line = ""
    """The key of a source of the protocol."""
    note: Text = ""
    """Anything else that a reader must know."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.status == "unknown" and self.value is not None:
            raise ValueError(f"expected no value of a fact that is unknown, got {self.value!r:.50}")
        if self.status != "unknown" and not (self.source and (self.words or self.value is not None)):
            raise ValueError(f"expected a source, and a value or words, of a fact that is {self.status}")
        return self

    def inferred(self) -> Fact:
        """Return the fact for a benchmark that its source does not speak of."""
        return self if self.status == "unknown" else self.model_copy(update={"status": "inferred"})

    def shown(self) -> str:
        """Return the fact for a table.

        >>> Fact(status="documented", value=0.6, source="card").shown()
        '0.6'
        >>> Fact(status="documented", value=[], source="card").shown()
        'none'
        """
        if self.words or self.value is None:
            return self.words
        if isinstance(self.value, (list, tuple)):
            return ", ".join(map(str, self.value)) or "none"
        if isinstance(self.value, int):
            return f"{self.value:,}"
        return str(self.value) or "none"


UNKNOWN = Fact(status="unknown")


class Family(_Part):
    """Benchmarks that a source runs in the same way."""

    title: Line
    tasks: tuple[Line, ...] = ("*",)
    """Patterns of names of tasks, such as ``aime*``."""
    graders: tuple[Line, ...] = ()
    """Graders that such a task has; any if empty."""
    carried_from: Line = ""
    """The benchmark whose facts stand here although the source does not run these; they are inferred at best."""
    facts: dict[str, Fact] = Field(default_factory=dict)
    remarks: tuple[Line, ...] = ()
    """What k2eval does otherwise on purpose."""

    def fits(self, task: str, grader: str) -> bool:
        """Return whether a task belongs here."""
        named = any(fnmatchcase(task, pattern) for pattern in self.tasks)
        return named and (not self.graders or grader in self.graders)


class Protocol(_Part):
    """A protocol by name."""

    name: Line
    title: Line
    version: int = Field(ge=1)
    """Counts changes to the file; runs keep it."""
    about: Line
    sources: dict[str, Line]
    """Short references by key."""
    recipe: Fact = UNKNOWN
    facts: dict[str, Fact] = Field(default_factory=dict)
    """Facts of all families that do not have their own."""
    families: tuple[Family, ...] = Field(min_length=1)
    """The first that a task fits into counts."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        groups = [self.facts, *(family.facts for family in self.families)]
        for facts in groups:
            for name, fact in facts.items():
                self._check_fact(name, fact)
        self._check_fact("recipe", self.recipe)
        return self

    def _check_fact(self, name: str, fact: Fact) -> None:
        if name not in (*FIELDS, "recipe"):
            raise ValueError(f"expected facts about {', '.join(FIELDS)}, got {name!r:.50}")
        if fact.source and fact.source not in self.sources:
            raise ValueError(
                f"{name}: expected a source among {', '.join(self.sources)}, got {fact.source!r:.50}"
            )
        if name in OF_SAMPLING and fact.value is not None:
            Sampling.model_validate({name: fact.value})
        if name not in (*SETTABLE, "recipe") and fact.value is not None:
            raise ValueError(f"{name}: expected words alone, since a run does not take it over")

    @property
    def label(self) -> str:
        """Name and version, as runs keep them: ``matharena/1``."""
        return f"{self.name}/{self.version}"

    def for_task(self, task: str, grader: str) -> TaskProtocol:
        """Return what the protocol says about a task.

        Args:
            task: The name of the task.
            grader: The name of its grader.
        """
        family = next((each for each in self.families if each.fits(task, grader)), None)
        if family is None:
            return TaskProtocol(self, None, dict.fromkeys(FIELDS, UNKNOWN))
        facts = {name: UNKNOWN for name in FIELDS} | self.facts | family.facts
        if family.carried_from:
            facts = {name: fact.inferred() for name, fact in facts.items()}
        return TaskProtocol(self, family, {name: facts[name] for name in FIELDS})


@dataclass(frozen=True, slots=True)
class TaskProtocol:
    """What a protocol says about one task."""

    protocol: Protocol
    family: Family | None
    """None if the source says nothing about such a benchmark."""
    facts: Mapping[str, Fact]
    """A fact for each of `FIELDS`."""

    @property
    def sampling(self) -> dict[str, Json]:
        """The settings of `Sampling` that the protocol sets."""
        return {name: self.facts[name].value for name in OF_SAMPLING if self.facts[name].value is not None}

    @property
    def options(self) -> dict[str, Json]:
        """The options of the task that the protocol sets."""
        return dict(self.facts["options"].value or {})

    def text(self, field: Literal["prompt", "system"], own: str) -> str:
        """Return the protocol's template, or the task's own if it is unknown."""
        value = self.facts[field].value
        return own if value is None else str(value)

    def repeats(self, own: int) -> int:
        """Return the protocol's number of repeats, or the task's own if it is unknown."""
        return int(self.facts["repeats"].value or own)

    def named(self, status: Status) -> tuple[str, ...]:
        """Return the fields of a status, options aside if they are unknown."""
        fields = [name for name in FIELDS if name != "options" or status != "unknown"]
        return tuple(name for name in fields if self.facts[name].status == status)

    @property
    def told(self) -> tuple[str, ...]:
        """The settable fields that the source documents in words which set nothing."""
        return tuple(
            name
            for name in SETTABLE
            if self.facts[name].status != "unknown" and self.facts[name].value is None
        )
