"""Policies of `k2eval gate`: a list of rules in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from k2eval.config import explain, read_yaml
from k2eval.errors import ConfigError
from k2eval.records import Record
from k2eval.values import Number, PathText, Text

Measure = Literal["truncated", "no_answer", "failed", "tokens", "recipe_tokens"]
"""Figures of a run besides its scores, named as the columns of the leaderboard."""
MEASURES: tuple[Measure, ...] = get_args(Measure)
SHARES: tuple[Measure, ...] = ("truncated", "no_answer", "failed")
"""Measures that are shares of the samples, in percent."""
BASELINE = "baseline"
_CONDITIONS = ("not_worse_by", "better", "at_least", "below")


class Rule(Record):
    """One rule: what it is about, and what must hold. Scores and differences are in points of a percentage.

    >>> Rule(benchmark="aime25", not_worse_by=2).words
    'aime25 not worse than the baseline by more than 2 points'
    >>> Rule(measure="truncated", below=1).words
    'truncated below 1 %'
    """

    benchmark: Text | None = None
    """Name of a benchmark: its score, or the samples that a measure is taken from."""
    average: Text | None = None
    """``macro``, ``micro``, or those of a group: ``math_micro``."""
    over: tuple[Text, ...] = ()
    """The benchmarks of an average; those of the other run if empty."""
    measure: Measure | None = None
    against: PathText = BASELINE
    """The other run of a difference: ``baseline``, or a run directory."""
    not_worse_by: Annotated[Number, Field(ge=0, lt=100)] | None = None
    better: Literal[True] | None = None
    at_least: Annotated[Number, Field(gt=0, le=100)] | None = None
    below: Annotated[Number, Field(gt=0)] | None = None
    test: bool = False
    """Whether a share below a limit must be shown for questions like these; else the samples of the run count."""

    @field_validator("average")
    @classmethod
    def _check_average(cls, name: str | None) -> str | None:
        if name is not None and name.rpartition("_")[2] not in ("micro", "macro"):
            raise ValueError("expected macro, micro, or those of a group, such as math_micro")
        return name

    @model_validator(mode="after")
    def _check(self) -> Self:
        subjects = [name for name in ("benchmark", "average", "measure") if getattr(self, name) is not None]
        if len(subjects) != 1 and subjects != ["benchmark", "measure"]:
            raise ValueError(
                f"expected one of benchmark, average and measure (a measure may name a benchmark, too), got "
                f"{' and '.join(subjects) or 'none'}"
            )
        conditions = [name for name in _CONDITIONS if getattr(self, name) is not None]
        fitting = [name for name in _CONDITIONS if (name == "below") == (self.measure is not None)]
        if len(conditions) != 1 or conditions[0] not in fitting:
            raise ValueError(f"expected {_one_of(fitting)}, got {' and '.join(conditions) or 'none'}")
        if self.below is not None and self.measure in SHARES and self.below > 100:
            raise ValueError(f"below: expected at most 100 percent, which every share is, got {self.below:g}")
        if self.test and self.measure not in SHARES:
            raise ValueError(f"test: expected a rule on {_one_of(list(SHARES))}; rules on scores always test")
        if self.over and self.average is None:
            raise ValueError("over: expected an average")
        if len(set(self.over)) < len(self.over):
            raise ValueError(f"over: expected each benchmark once, got {', '.join(self.over)}")
        if self.average and not self.compares and not self.over:
            raise ValueError(
                "over: expected the benchmarks of the average, got none; else a run that lacks one would not be noticed"
            )
        if self.against != BASELINE and not self.compares:
            raise ValueError("against: expected a rule with not_worse_by or better")
        return self

    @property
    def compares(self) -> bool:
        """Whether the rule is about the difference from another run."""
        return self.not_worse_by is not None or self.better is not None

    @property
    def tests(self) -> bool:
        """Whether the rule needs an interval; else it looks at the figure of the run."""
        return self.measure is None or self.test

    @property
    def limit(self) -> float:
        """The limit of the figure that is measured: of a score, a difference, a share or a number of tokens."""
        if self.not_worse_by is not None:
            return -self.not_worse_by
        return next(limit for limit in (self.at_least, self.below, 0.0) if limit is not None)

    def holds(self, value: float) -> bool:
        """Return whether the condition holds for this value of the figure.

        >>> Rule(benchmark="t", not_worse_by=2).holds(-2), Rule(benchmark="t", better=True).holds(0)
        (True, False)
        """
        if self.below is not None:
            return value < self.limit
        return value > self.limit if self.better else value >= self.limit

    @property
    def words(self) -> str:
        """The rule in a few words."""
        subject = " of ".join(name for name in (self.measure, self.benchmark) if name) or str(self.average)
        subject += f" of {', '.join(self.over)}" if self.over else ""
        other = "the baseline" if self.against == BASELINE else self.against
        if self.not_worse_by is not None:
            return f"{subject} not worse than {other} by more than {self.not_worse_by:g} points"
        if self.better:
            return f"{subject} better than {other}"
        if self.at_least is not None:
            return f"{subject} at least {self.at_least:g}"
        return f"{subject} below {self.limit:g}{' %' if self.measure in SHARES else ''}"


class Policy(Record):
    """A policy: all rules must hold."""

    baseline: PathText | None = None
    """Run directory that rules compare with; a relative one begins at the policy's folder."""
    confidence: Annotated[Number, Field(ge=50, lt=100)] = 95
    """100 minus the chance, in percent, that any rule gets a false verdict."""
    may_differ: tuple[Text, ...] = ()
    """Settings in which the compared runs may differ, such as ``max_tokens``; ``questions`` allows other questions."""
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


def read_policy(file: Path, baseline: Path | None = None) -> Policy:
    """Read a policy; the runs that it compares with become absolute paths.

    Args:
        file: YAML file with the fields of `Policy`.
        baseline: Run directory to compare with instead of the policy's own.

    Raises:
        ConfigError: If the file is no policy, or a rule needs a baseline and there is none.
    """
    content = read_yaml(file, "policy")
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        heading = f"{file} is not a valid policy. docs/gate.md shows one"
        raise ConfigError(explain(error, heading, [*Policy.model_fields, *Rule.model_fields])) from error
    own = None if policy.baseline is None else str(file.parent / policy.baseline)
    chosen = own if baseline is None else str(baseline)
    rules = [
        rule.model_copy(update={"against": str(file.parent / rule.against)})
        if rule.against != BASELINE
        else rule
        for rule in policy.rules
    ]
    needing = [rule for rule in rules if rule.compares and rule.against == BASELINE]
    if chosen is None and needing:
        raise ConfigError(
            f"{file}: expected a baseline for the rule “{needing[0].words}”, got none. Write `baseline: RUN` into the "
            "policy, or give --baseline RUN."
        )
    return policy.model_copy(update={"baseline": chosen, "rules": tuple(rules)})


def _one_of(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
