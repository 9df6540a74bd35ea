"""The lines between a driver and its crews. The first letter of a line says what it is."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Order(bytes, Enum):
    """First letters of the lines that a crew reads."""

    QUESTION = b"q"
    """Number and JSON of a question that jobs name."""
    JOB = b"j"
    """`JobHeader` as JSON; the next line has the rest of the job."""
    FORGET = b"f"
    """No job names the questions so far any more."""
    HASTEN = b"h"


class Word(bytes, Enum):
    """First letters of the lines that a crew writes."""

    READY = b"r"
    """`Hello` as JSON, once."""
    GRADE = b"g"
    """Number of the job, and the grade as JSON."""
    PIDS = b"p"
    """Process ids of the workers."""
    ALIVE = b"a"
    """Nothing new, while there are jobs."""


class JobHeader(NamedTuple):
    """The part of a job that a crew must understand."""

    number: int
    question: int
    grader: str
    limit_s: float
    runs_programs: bool


class Hello(NamedTuple):
    """The first word of a crew."""

    version: str
    """Version of k2eval."""
    labels: dict[str, str]
    """Name and version of each grader that the crew has tried, the sandbox's self-test included."""
    failures: dict[str, str]
    """The reasons for which it cannot use a grader."""
    workers: int


class CrewSettings(NamedTuple):
    """The argument of the program, as JSON."""

    workers: int
    """Number of processes; one for each core that this process may use if 0."""
    stall_s: float
    graders: list[str]
    idle: bool
    proves: bool
    """Whether it must try its graders, with the sandbox's self-test, before it says hello."""
