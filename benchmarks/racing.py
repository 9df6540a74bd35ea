"""Simulated contestants, races and scores to a wanted precision, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri

from k2eval.leaderboard import load_run
from k2eval.statistics import (
    PILOT,
    Array,
    Estimand,
    Hypothesis,
    PairNoise,
    Race,
    Scores,
    Stage,
    detectable_difference,
    next_stage,
    precise_mean,
    question_means,
    sign_flip_p,
)

Law = Callable[[np.random.Generator, int], Array]
LOOKS = 32
FACTORS = (0.0, 1.0, 1.5)
"""Effects, as multiples of the difference that the fixed evaluation finds in 80 % of cases."""
_DRAWS = 4099
_FIXED_DRAWS = 1999
_PILOTS = ((1000, 200), (5000, 600))
"""Fixed evaluations by which the detectable difference is found, roughly, then closely; how many the test decides."""
_NANO = Path(__file__).resolve().parents[1] / "leaderboards" / "nano"


def beta(a: float, b: float) -> Law:
    """Return the law of chances from a Beta distribution."""
    return lambda rng, count: np.clip(rng.beta(a, b, count), 1e-3, 1 - 1e-3)


def nano(run: str) -> Law:
    """Return the law of chances drawn from the questions of a committed run, smoothed by one success and failure."""
    tasks = load_run(_NANO / run).benchmarks.values()
    means = np.concatenate([question_means(task.scores) for task in tasks])
    chances = (2 * means + 1) / 4
    return lambda rng, count: rng.choice(chances, count)


LAWS: dict[str, Law] = {
    "Beta(1, 1)": beta(1, 1),
    "Beta(4, 0.4)": beta(4, 0.4),
    "Beta(0.3, 0.3)": beta(0.3, 0.3),
    "nano sft": nano("sft-plain"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A simulated benchmark and two contestants."""

    law: str
    questions: int
    repeats: int
    noise: float
    """Standard deviation of the contestants' difference by question, on the scale of logits."""
    estimand: Estimand

    @property
    def words(self) -> str:
        """The setting in a few words."""
        hard = ", each finds other questions hard" if self.noise else ""
        return f"{self.law}, {self.questions} × {self.repeats}{hard}, {self.estimand.value}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one race."""

    decided: bool
    fixed: bool
    """Whether one look at the end rejects."""
    held: bool
    """Whether the confidence sequence held the truth at every look up to the decision."""
    share: float
    """Share of the tokens of the fixed evaluation."""


@dataclass(frozen=True, slots=True)
class Cell:
    """All races of one setting with one effect."""

    setting: Setting
    factor: float
    effect: float
    """The true difference, as a fraction."""
    outcomes: tuple[Outcome, ...]
    """Empty if no questions by this law can have the effect."""

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which races decided."""
        return np.array([outcome.decided for outcome in self.outcomes], dtype=bool)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which confidence sequences held the truth."""
        return np.array([outcome.held for outcome in self.outcomes], dtype=bool)

    @property
    def lost(self) -> Array:
        """Whether the fixed evaluation alone found the effect (1), or the race alone (-1), or neither or both (0)."""
        fixed = np.array([outcome.fixed for outcome in self.outcomes], dtype=float)
        return fixed - self.decided

    @property
    def shares(self) -> Array:
        """Shares of the tokens of the fixed evaluation."""
        return np.array([outcome.share for outcome in self.outcomes])


@dataclass(frozen=True, slots=True)
class Precision:
    """Scores to a wanted precision, of one law."""

    law: str
    questions: int
    half_width: float
    errors: Array
    """Score minus truth, in points."""
    held: NDArray[np.bool_]
    samples: Array
    equal: Array
    """Samples of as precise a score by equally many repeats of every question."""


def contestants(setting: Setting, effect: float, rng: np.random.Generator) -> tuple[Array, Array] | None:
    """Return both contestants' chances; None if these questions cannot have the effect."""
    base = logit(LAWS[setting.law](rng, setting.questions))
    noise = setting.noise * rng.standard_normal(setting.questions)
    # Both sides get half of the noise, so that the law of the chances makes no effect.
    first, second = expit(base - noise / 2), base + noise / 2
    if setting.estimand is Estimand.LIKE_THESE:
        if effect == 0:
            return first, expit(second)
        target = float(expit(second).mean()) + effect
    else:
        target = float(first.mean()) + effect
    if not 0.0 < target < 1.0:
        return None
    shift = brentq(lambda by: float(expit(second + by).mean() - target), -40, 40)
    return first, expit(second + shift)


def detectable(setting: Setting, rng: np.random.Generator) -> float:
    """Return the effect that the fixed evaluation finds in 80 % of cases.

    The formula of `k2eval power` begins; simulated fixed evaluations correct it twice: most of them by the normal
    approximation of the test, which the test itself corrects in some of them (a control variate).
    """
    sizes = []
    for _ in range(40):
        sides = contestants(setting, 0.0, rng)
        if sides is not None:
            within = float((sides[0] * (1 - sides[0]) + sides[1] * (1 - sides[1])).mean())
            noise = PairNoise(within, float((sides[1] - sides[0]).var()))
            sizes.append(detectable_difference(noise, setting.questions, setting.repeats, setting.estimand))
    size = float(np.mean(sizes))
    for pilots, tests in _PILOTS:
        about: list[bool] = []
        apart: list[int] = []
        for _ in range(pilots):
            if (sides := contestants(setting, size, rng)) is None:
                continue
            units = _units(_tables(sides, setting.repeats, rng), setting.estimand)
            about.append(_is_about_significant(units))
            if len(apart) < tests:
                apart.append(_is_significant(units) - about[-1])
        if len(about) < pilots / 4:
            return size
        power = float(np.clip(np.mean(about) + np.mean(apart), 0.05, 0.995))
        size *= float((ndtri(0.975) + ndtri(0.8)) / (ndtri(0.975) + ndtri(power)))
    return size


def race_once(setting: Setting, effect: float, rng: np.random.Generator) -> Outcome | None:
    """Run one race to its end; None if these questions cannot have the effect."""
    sides = contestants(setting, effect, rng)
    if sides is None:
        return None
    questions, repeats = setting.questions, setting.repeats
    tables = _tables(sides, repeats, rng)
    lengths = np.sum([_lengths(table, rng) for table in tables], axis=0)
    race = Race(
        [Hypothesis(0, 1, ((0, 1.0),))],
        [(questions, repeats)],
        estimand=setting.estimand,
        seed=int(rng.integers(2**31)),
        draws=_DRAWS,
    )
    held, decided, share = True, False, 1.0
    for mask in _looks(questions, repeats, rng):
        (standing,) = race.look([[np.where(mask, table, np.nan) for table in tables]])
        held = held and standing.low - 1e-9 <= effect <= standing.high + 1e-9
        if standing.decision:
            decided, share = True, float(lengths[mask].sum() / lengths.sum())
            break
    return Outcome(decided, _is_significant(_units(tables, setting.estimand)), held, share)


def _tables(sides: tuple[Array, Array], repeats: int, rng: np.random.Generator) -> list[Scores]:
    return [(rng.random((len(side), repeats)) < side[:, None]).astype(float) for side in sides]


def _lengths(table: Scores, rng: np.random.Generator) -> Array:
    """Return the tokens of the answers: log-normal by question and by sample, and longer if wrong."""
    normal = 0.5 * rng.standard_normal((len(table), 1)) + 0.35 * rng.standard_normal(table.shape)
    lengths: Array = np.exp(normal) * np.where(table == 1, 1.0, 1.5)
    return lengths


def _looks(questions: int, repeats: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    order = np.concatenate([rng.permutation(questions) * repeats + repeat for repeat in range(repeats)])
    size = -(-len(order) // LOOKS)
    for drawn in range(size, len(order) + size, size):
        mask = np.zeros(len(order), dtype=bool)
        mask[order[:drawn]] = True
        yield mask.reshape(questions, repeats)


def _units(tables: list[Scores], estimand: Estimand) -> Array:
    gaps = tables[1] - tables[0]
    return question_means(gaps) if estimand is Estimand.LIKE_THESE else gaps.ravel()


def _is_significant(units: Array) -> bool:
    return sign_flip_p(units, draws=_FIXED_DRAWS) <= 0.05


def _is_about_significant(units: Array) -> bool:
    return bool(abs(units.sum()) >= ndtri(0.975) * np.sqrt(units @ units))


def cells_of(setting: Setting, races: int, seed: tuple[int, int]) -> list[Cell]:
    """Race one setting with each of the effects; twice as often without any."""
    rng = np.random.default_rng(seed)
    size = detectable(setting, rng)
    cells = []
    for factor in FACTORS:
        count = races if factor else 2 * races
        outcomes = [race_once(setting, factor * size, rng) for _ in range(count)]
        possible = tuple(outcome for outcome in outcomes if outcome is not None)
        cells.append(Cell(setting, factor, factor * size, possible if len(possible) > count / 4 else ()))
    return cells


def precision_of(
    law: str, questions: int, half_width: float, scores: int, seed: tuple[int, int]
) -> Precision:
    """Simulate scores to a wanted precision."""
    rng = np.random.default_rng(seed)
    errors, held, samples, equal = [], [], [], []
    for _ in range(scores):
        chances = LAWS[law](rng, questions)
        stages: list[Stage] = []
        counts = np.full(questions, PILOT, dtype=np.intp)
        while counts.any():
            stages.append(Stage(rng.binomial(counts, chances).astype(float), counts))
            counts = next_stage(stages, half_width)
        score, truth = precise_mean(stages, half_width), float(chances.mean())
        errors.append(100 * (score.value - truth))
        held.append(score.low <= truth <= score.high)
        samples.append(score.repeats)
        equal.append(float((chances * (1 - chances)).mean()) / (score.margin / ndtri(0.975)) ** 2)
    return Precision(
        law, questions, half_width, np.array(errors), np.array(held), np.array(samples), np.array(equal)
    )
