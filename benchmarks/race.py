"""Simulate races and scores to a wanted precision, and tell whether each promise of the documentation holds.

    python -m benchmarks.race [--races 500] [--scores 2000] [--seed 0]

Questions have chances to be solved from Beta laws, or from the per-question scores of the committed small runs
(``leaderboards/nano``). The second contestant's chances differ by a shift of their logits that makes the wanted effect,
and in half of the settings by noise with a standard deviation of 1 on that scale, so that each finds other questions
hard. Answers have log-normal lengths; wrong ones are half as long again.

Part 1, races: 32 looks, level 5 %. "No effect" gives the share of races that ever decide: that is the worst stopping.
"× 1" and "× 1.5" are effects of one and one and a half times the difference that the fixed evaluation of the same
budget finds in 80 % of cases, found by simulation: the power of the race, by how much the fixed evaluation (the same
sign-flip test, once, at the end, on the same answers) has more, and the median share of its tokens. "Held" is the
share of races whose confidence sequence held the truth at every look up to the decision.

Part 2, ``--until``: bias in points with twice its standard error, coverage of the 95 % interval, and samples used
against those of equally many repeats of every question for the same width.

Part 3: the seconds of a look at 1,000 questions × 64 repeats × 8 contestants.

The last lines say for each promise whether it holds: over all settings together, and in each setting as far as its
number of races can tell. A setting breaks a promise if its interval (95 % over all settings together) lies wholly
beyond. The command ends with 1 if a promise is broken.

``--replay RUN RUN …``, instead of all this: races of finished runs in 200 random orders each, every later run against
the first: decisions, and the share of tokens (median, and the middle nine tenths).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta as beta_law, binom

from benchmarks.racing import FACTORS, LAWS, Cell, Precision, Setting, cells_of, precision_of
from k2eval.decide import Contest, Entry, Rules, aligned, race_of_runs
from k2eval.leaderboard import load_runs
from k2eval.statistics import Array, Estimand, paired
from k2eval.system import cores

SIZES = ((30, 16), (100, 8), (500, 4))
PRECISIONS = ((30, 0.02), (30, 0.01), (200, 0.01))
ALPHA = 0.05


class Interval(NamedTuple):
    """A measured figure with its interval."""

    value: float
    low: float
    high: float


class Promise(NamedTuple):
    """A promise of the documentation, and what was measured."""

    words: str
    together: Interval
    """The figure over all settings; without width if the figure itself has to be as promised."""
    rows: Sequence[Interval]
    """The figure of each setting."""
    low: float
    """The least that is promised."""
    high: float
    """The most that is promised."""

    @property
    def broken(self) -> int:
        """The number of settings whose interval lies beyond."""
        return sum(row.high < self.low or row.low > self.high for row in self.rows)

    @property
    def holds(self) -> bool:
        """Whether the promise holds over all settings and in each."""
        within = self.together.low <= self.high and self.together.high >= self.low
        return bool(self.rows) and within and not self.broken

    @property
    def line(self) -> str:
        """The line that tells."""
        values = [row.value for row in self.rows]
        value, low, high = self.together
        own = f" ({low:.2f} to {high:.2f})" if low < high else ""
        line = f"{'pass' if self.holds else 'FAIL'}  {self.words}: {value:.2f}{own}"
        if len(values) > 1:
            line += f"; {min(values):.2f} to {max(values):.2f} in {len(values)} settings, {self.broken} beyond chance"
        return line


def exactly(value: float) -> Interval:
    """Return a figure that has to be as promised itself."""
    return Interval(value, value, value)


def share(hits: NDArray[np.bool_], confidence: float = 0.95) -> Interval:
    """Return a share in percent with its exact interval (Clopper and Pearson 1934).

    >>> [round(end, 1) for end in share(np.arange(100) < 5)]
    [5.0, 1.6, 11.3]
    """
    n, k = len(hits), int(hits.sum())
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(beta_law.ppf(tail, k, n - k + 1))
    high = 1.0 if k == n else float(beta_law.ppf(1 - tail, k + 1, n - k))
    return Interval(100 * k / n, 100 * low, 100 * high)


def mean(values: Array, confidence: float = 0.95) -> Interval:
    """Return a mean with its normal interval."""
    value = float(values.mean())
    margin = float(ndtri((1 + confidence) / 2) * values.std() / len(values) ** 0.5)
    return Interval(value, value - margin, value + margin)


def median(values: Array, confidence: float = 0.95) -> Interval:
    """Return a median with the exact interval of its order statistics.

    >>> median(np.arange(101.0))
    Interval(value=50.0, low=40.0, high=60.0)
    """
    ordered = np.sort(values)
    n = len(ordered)
    below = int(binom.ppf((1 - confidence) / 2, n, 0.5))
    return Interval(
        float(np.median(ordered)), float(ordered[max(below - 1, 0)]), float(ordered[min(n - below, n - 1)])
    )


def promises_of_races(cells: Sequence[Cell]) -> list[Promise]:
    """Return the promises about races."""
    possible = [cell for cell in cells if cell.outcomes]
    none, once, more = ([cell for cell in possible if cell.factor == factor] for factor in FACTORS)
    confidence = 1 - 0.05 / max(len(none), 1)
    found = [
        Promise(
            "% of races without a difference that ever decide, at most 5",
            share(np.concatenate([cell.decided for cell in none])),
            [share(cell.decided, confidence) for cell in none],
            0.0,
            100 * ALPHA,
        )
    ]
    for name, group in (("× 1", once), ("× 1.5", more)):
        gained = [mean(-100 * cell.lost, confidence) for cell in group]
        words = f"points of power at {name} beside the fixed evaluation, at least −2"
        found.append(Promise(words, exactly(_mean(gained)), gained, -2.0, 100.0))
    for name, group, most in (("× 1", once, 75.0), ("× 1.5", more, 50.0)):
        shares = [median(100 * cell.shares, confidence) for cell in group]
        whole = float(np.median(np.concatenate([100 * cell.shares for cell in group])))
        words = f"% of the fixed evaluation's tokens at {name}, median, at most {most:g}"
        found.append(Promise(words, exactly(whole), shares, 0.0, most))
    largest = exactly(100 * max(float(cell.shares.max()) for cell in possible))
    found.append(Promise("% of the tokens in the longest race, at most 100", largest, [largest], 0.0, 100.0))
    held = [share(cell.held, confidence) for cell in possible]
    words = "% of confidence sequences that hold the truth at all looks, at least 94"
    return [*found, Promise(words, exactly(_mean(held)), held, 94.0, 100.0)]


def promises_of_scores(scores: Sequence[Precision]) -> list[Promise]:
    """Return the promises about ``--until``."""
    confidence = 1 - 0.05 / max(len(scores), 1)
    coverage = [share(score.held, confidence) for score in scores]
    bias = [mean(score.errors, confidence) for score in scores]
    return [
        Promise(
            "% of --until intervals that hold the truth, 94 to 96",
            exactly(_mean(coverage)),
            coverage,
            94.0,
            96.0,
        ),
        Promise("points of bias of --until, at most 0.1", exactly(_mean(bias)), bias, -0.1, 0.1),
    ]


def _mean(rows: Sequence[Interval]) -> float:
    return float(np.mean([row.value for row in rows]))


def words_of_cells(cells: Sequence[Cell]) -> str:
    """Return one row of part 1."""
    parts = []
    for cell in cells:
        if not cell.outcomes:
            parts.append(f"× {cell.factor:g} not possible so near to 100 %")
            continue
        held = 100 * float(cell.held.mean())
        decided = share(cell.decided)
        if cell.factor == 0:
            parts.append(
                f"no effect {decided.value:.1f} % ({decided.low:.1f}–{decided.high:.1f}), held {held:.1f} %"
            )
        else:
            parts.append(
                f"× {cell.factor:g} ({100 * cell.effect:.1f} points) {decided.value:.1f} %, "
                f"{-100 * cell.lost.mean():+.1f}, "
                f"{100 * np.median(cell.shares):.0f} % of tokens, held {held:.1f} %"
            )
    return f"{cells[0].setting.words}: {'; '.join(parts)}"


def words_of_score(score: Precision) -> str:
    """Return one row of part 2."""
    bias = mean(score.errors)
    return (
        f"{score.law}, {score.questions} questions, ± {100 * score.half_width:g}: bias {bias.value:+.3f} ± "
        f"{bias.high - bias.value:.3f} points, coverage {100 * score.held.mean():.1f} %, "
        f"{score.samples.mean():.0f} samples, "
        f"{100 * score.samples.mean() / score.equal.mean():.0f} % of equal repeats"
    )


def look_ms(all_pairs: bool, estimand: Estimand) -> float:
    """Return the milliseconds of a look at 1,000 questions × 64 repeats of 8 contestants: the fastest of all looks.

    All looks compute about as much, and whatever else the machine does only adds to their time.
    """
    rng = np.random.default_rng(0)
    questions, repeats = 1000, 64
    entry = Entry("t", "T", tuple(f"{number:04}" for number in range(questions)), repeats)
    chances = rng.uniform(0.1, 0.9, questions)[:, None]
    tables = [{"t": (rng.random((questions, repeats)) < chances).astype(float)} for _ in range(8)]
    contest = Contest(
        [f"{number}" for number in range(8)], [entry], Rules(estimand=estimand, all_pairs=all_pairs)
    )
    seconds = []
    while not contest.is_over:
        contest.draw()
        started = time.perf_counter()
        contest.look(tables)
        seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds)


def settings() -> list[Setting]:
    """Return the settings of part 1: each law with each size and estimand, every second one with noise by question."""
    return [
        Setting(law, questions, repeats, float((place + size) % 2), estimand)
        for estimand, (place, law), (size, (questions, repeats)) in itertools.product(
            Estimand, enumerate(LAWS), enumerate(SIZES)
        )
    ]


def replay(paths: Sequence[Path], orders: int) -> None:
    """Race finished runs in many random orders, and print decisions and tokens."""
    runs = load_runs(paths)
    for other in runs[1:]:
        for estimand in Estimand:
            results = [
                race_of_runs([runs[0], other], Rules(estimand=estimand, seed=seed)) for seed in range(orders)
            ]
            share = 100 * np.quantile([result.share for result in results], [0.5, 0.05, 0.95])
            print(
                f"{other.info.name} against {runs[0].info.name}, {estimand.value}: {share[0]:.0f} % of the tokens "
                f"({share[1]:.0f}–{share[2]:.0f})"
            )
            for index, entry in enumerate(results[0].contest.entries):
                ends = Counter(
                    result.contest.standings[index].decision or "not decided" for result in results
                )
                words = ", ".join(f"{end} {100 * count / orders:.0f} %" for end, count in ends.most_common())
                whole = paired(aligned(runs[0], entry, "scores"), aligned(other, entry, "scores"))
                print(
                    f"  {entry.title}: {words}; the fixed evaluation {100 * whole.value:+.1f}, p = {whole.p:.3f}"
                )


def main() -> int:
    """Run all parts; return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--races", type=int, default=500, help="races of each kind, twice as many without an effect"
    )
    parser.add_argument("--scores", type=int, default=2000, help="scores of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=cores.count(), help="processes")
    parser.add_argument(
        "--replay", nargs="+", type=Path, metavar="RUN", help="run directories to race instead"
    )
    parser.add_argument("--orders", type=int, default=200, help="random orders of a replay")
    options = parser.parse_args()
    if options.replay:
        replay(options.replay, options.orders)
        return 0
    started = time.monotonic()
    looks = [
        (f"{28 if all_pairs else 7} pairs of 8 contestants, {estimand.value}", look_ms(all_pairs, estimand))
        for all_pairs in (False, True)
        for estimand in Estimand
    ]
    cells: list[Cell] = []
    scores: list[Precision] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        rows = [
            pool.submit(cells_of, setting, options.races, (options.seed, number))
            for number, setting in enumerate(settings())
        ]
        precisions = [
            pool.submit(
                precision_of, law, questions, half_width, options.scores, (options.seed, 1000 + number)
            )
            for number, (law, (questions, half_width)) in enumerate(itertools.product(LAWS, PRECISIONS))
        ]
        for row in rows:
            print(words_of_cells(row.result()), flush=True)
            cells += row.result()
        for precision in precisions:
            print(words_of_score(precision.result()), flush=True)
            scores.append(precision.result())
    for name, milliseconds in looks:
        print(f"a look at 1,000 questions × 64 repeats, {name}: {milliseconds:.0f} ms")
    slowest = max(milliseconds for _, milliseconds in looks)
    speed = Promise("ms of the slowest look, at most 50", exactly(slowest), [exactly(slowest)], 0.0, 50.0)
    promises = [*promises_of_races(cells), *promises_of_scores(scores), speed]
    for promise in promises:
        print(promise.line)
    print(
        f"{sum(promise.holds for promise in promises)} of {len(promises)} promises hold, "
        f"{time.monotonic() - started:.0f} s"
    )
    return int(not all(promise.holds for promise in promises))


if __name__ == "__main__":
    raise SystemExit(main())
