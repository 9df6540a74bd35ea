"""The differences that runs will show: repeats, tokens and hours, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from k2eval.errors import ConfigError
from k2eval.leaderboard import ABSENT, RunScores, TaskScores
from k2eval.statistics import (
    Estimand,
    PairNoise,
    detectable_difference,
    question_means,
    questions_needed,
    repeats_needed,
)

_FEW_QUESTIONS = 10


@dataclass(frozen=True, slots=True)
class Bench:
    """One benchmark of which a comparison is planned."""

    title: str
    questions: int
    repeats: int
    noise: PairNoise
    source: str
    """Where the noise is from, in words."""
    tokens: float
    """Tokens of one sample; NaN if unknown."""

    @property
    def has_noise(self) -> bool:
        """Whether there is any noise to plan with; answers that are all right or all wrong show none."""
        return self.noise.repeats > 0 or self.noise.questions > 0


@dataclass(frozen=True, slots=True)
class Power:
    """What a comparison of two runs on one benchmark will show. Differences are fractions."""

    bench: Bench
    difference: float
    """The difference that is wanted."""
    detectable: dict[Estimand, float]
    """The difference shown in 80 % of cases."""
    floor: float
    """The same "on questions like these" with endless repeats."""
    needed: dict[Estimand, int | None]
    """Repeats that show the wanted difference; None if none do."""
    hours_per_token: float
    """NaN if the speed is unknown."""

    def tokens(self, repeats: int) -> float:
        """Return the tokens that both runs write with so many repeats."""
        return 2 * self.bench.questions * repeats * self.bench.tokens

    @property
    def advice(self) -> str:
        """The recommendation, in one sentence."""
        if not self.bench.has_noise:
            return (
                f"Name other runs, or guess a --mean between 0 and 100: there is no noise in {self.bench.source}, so "
                "nothing tells how far two runs differ by chance."
            )
        bench, points = self.bench, f"{100 * self.difference:.3g} points"
        like, these = self.needed[Estimand.LIKE_THESE], self.needed[Estimand.THESE]
        if like is not None:
            return f"Ask every question {_times(like)} to see {points} on questions like these{self._cost(like)}."
        more = questions_needed(bench.noise, inf, self.difference, Estimand.LIKE_THESE)
        if these is None:
            return (
                f"Take a benchmark of at least {more:,} questions: no number of repeats shows {points} here."
            )
        return (
            f"Ask every question {_times(these)} to see {points} on these questions{self._cost(these)}; on questions "
            f"like these no number of repeats shows it, but more than {more:,} questions do."
        )

    def _cost(self, repeats: int) -> str:
        tokens = self.tokens(repeats)
        if np.isnan(tokens):
            return ""
        hours = tokens * self.hours_per_token
        time = (
            "" if np.isnan(hours) else f", {hours:.2g} hours" if hours >= 1 else f", {60 * hours:.0f} minutes"
        )
        return f" ({amount(tokens)} tokens for both runs{time})"


def _times(repeats: int) -> str:
    return "once" if repeats == 1 else "twice" if repeats == 2 else f"{repeats} times"


def amount(number: float) -> str:
    """Return a large number in few letters.

    >>> amount(1_234_000), amount(950)
    ('1.2 M', '950')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}" if number >= 10 * size else f"{number / size:.2g} {letter}"
    return f"{number:.0f}"


def benches_of(runs: Sequence[RunScores], tasks: Sequence[str] = ()) -> list[Bench]:
    """Return the benchmarks of one run, or those that two runs share, with the noise that they show.

    Args:
        runs: One run (a pilot, or an earlier checkpoint) or two.
        tasks: Names of the benchmarks; all if empty.

    Raises:
        ConfigError: If there are more than two runs, or a benchmark has no scores.
    """
    if len(runs) not in (1, 2):
        raise ConfigError(
            f"Expected one run or two, got {len(runs)}. Name a pilot, or two runs to learn from."
        )
    names = [name for name in runs[0].benchmarks if all(name in run.benchmarks for run in runs)]
    unknown = [name for name in tasks if name not in names]
    if unknown or not names:
        known = f"has {', '.join(names)}" if names else "shares none"
        raise ConfigError(
            f"Expected benchmarks of {' and '.join(str(run.path) for run in runs)}, which {known}; got "
            f"{', '.join(unknown) or 'none'}."
        )
    return [
        _bench(name, [run.benchmarks[name] for run in runs]) for name in names if not tasks or name in tasks
    ]


def _bench(name: str, sides: Sequence[TaskScores]) -> Bench:
    if not all(side.graded for side in sides):
        raise ConfigError(f"{name}: expected scores to learn from, got none. Finish the run first.")
    first = sides[0]
    if len(sides) == 2:
        rows = [{question: row for row, question in enumerate(side.questions)} for side in sides]
        shared = [question for question in first.questions if question in rows[1]]
        tables = [
            side.scores[[row_of[question] for question in shared]]
            for side, row_of in zip(sides, rows, strict=True)
        ]
        together = np.isfinite(question_means(tables[0]) + question_means(tables[1]))
        questions, source = int(together.sum()), "two runs"
        if not questions:
            raise ConfigError(
                f"{name}: expected runs that share questions, got two without a score on the same one. Name one "
                "run, or two on the same questions."
            )
        noise = PairNoise.of_pair(*tables)
        counts = np.isfinite(tables[0][:, : tables[1].shape[1]]).sum(axis=1)
    else:
        noise, source = PairNoise.of_run(first.scores), "one run"
        questions = int(np.isfinite(question_means(first.scores)).sum())
        counts = np.isfinite(first.scores).sum(axis=1)
    if counts.max() < 2:
        source += " of one repeat, and a guess"
    if questions < _FEW_QUESTIONS:
        source += f"; only {questions} question{'s' if questions > 1 else ''}"
    return Bench(
        title=first.info.title or name,
        questions=questions,
        repeats=first.info.repeats,
        noise=noise,
        source=source,
        tokens=float(np.mean([_tokens_of(side) for side in sides])),
    )


def _tokens_of(task: TaskScores) -> float:
    """Return the mean tokens of a sample, with all questions alike: ``--until`` asks the hard ones more often."""
    tokens = np.where(np.isfinite(task.scores), task.recipe_tokens.astype(float), np.nan)
    return float(np.nanmean(question_means(tokens)))


def power_of(
    bench: Bench, difference: float, repeats: int | None = None, speed: float | None = None
) -> Power:
    """Return what a comparison on a benchmark will show.

    Args:
        bench: The benchmark.
        difference: The wanted difference, as a fraction.
        repeats: Repeats of every question, if not those of the benchmark.
        speed: Tokens per second.

    >>> bench = Bench("AIME", 30, 16, PairNoise.of_chances(0.5, 0.3), "a guess", 20_000.0)
    >>> print(power_of(bench, 0.10, speed=5_000).advice)
    Ask every question 52 times to see 10 points on questions like these (62.4 M tokens for both runs, 3.5 hours).
    """
    if repeats is not None:
        bench = Bench(bench.title, bench.questions, repeats, bench.noise, bench.source, bench.tokens)
    noise, questions = bench.noise, bench.questions
    return Power(
        bench=bench,
        difference=difference,
        detectable={
            estimand: detectable_difference(noise, questions, bench.repeats, estimand)
            for estimand in Estimand
        },
        floor=detectable_difference(noise, questions, inf, Estimand.LIKE_THESE),
        needed={estimand: repeats_needed(noise, questions, difference, estimand) for estimand in Estimand},
        hours_per_token=1 / speed / 3600 if speed else float("nan"),
    )


def power_table(lines: Sequence[Power]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table that `k2eval power` shows."""
    wanted = f"{100 * lines[0].difference:.3g}" if lines else ""
    header = [
        "Benchmark", "Questions × repeats", "Shows, these questions", "Shows, questions like these",
        "Least, endless repeats", f"Repeats for {wanted}, these", f"Repeats for {wanted}, like these", "Tokens",
        "Noise from",
    ]  # fmt: skip
    rows = []
    for line in lines:
        bench = line.bench
        tokens = line.tokens(bench.repeats)
        rows.append(
            [
                bench.title,
                f"{bench.questions} × {bench.repeats}",
                *(_cells(line) if bench.has_noise else [ABSENT] * 5),
                ABSENT if np.isnan(tokens) else amount(tokens),
                bench.source,
            ]
        )
    return header, rows


def _cells(line: Power) -> list[str]:
    needed = [line.needed[estimand] for estimand in Estimand]
    return [
        *(_size(line.detectable[estimand]) for estimand in Estimand),
        _size(line.floor),
        *("none" if repeats is None else f"{repeats:,}" for repeats in needed),
    ]


def _size(difference: float) -> str:
    """Return a difference in points; none is larger than the scale."""
    return f"± {100 * difference:.1f}" if difference < 1 else "none"


EXPLANATION = (
    "“Shows” is the smallest true difference between two such runs that a paired test finds in 80 % of cases "
    "(two-sided, 5 %). On these questions: only the randomness of the answers is sampled. On questions like these: the "
    "questions are a sample, too; repeats cannot remove that part of the noise. Tokens are those of both runs."
)
