"""Lengths of simulated samples: drawn by a law, or those of a run."""

from __future__ import annotations

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from k2eval.journal import read_run, read_verdicts
from k2eval.records import Outcome, SampleKey, Verdict
from k2eval.run import EarlierLengths

TASKS = (
    ("aime24", 30, 21_482),
    ("aime25", 30, 25_200),
    ("hmmt25", 30, 29_100),
    ("omni_math_hard", 173, 34_042),
)
LIMIT = 64_000
SHORT = 500
"""Tokens of a plan or a judgement."""
RECIPES = ("plain", "bo3", "k2")

Lengths = dict[SampleKey, float]
Stages = tuple[tuple[float, ...], ...]
"""The requests of a sample: those of one stage are asked together, once the stage before is answered."""


def by_law(rng: random.Random, between: float, within: float, repeats: int) -> Lengths:
    """Draw the lengths of a run; see above."""
    lengths: Lengths = {}
    for task, questions, mean in TASKS:
        logs: dict[SampleKey, float] = {}
        for number in range(questions):
            middle = rng.gauss(0, between)
            for index in range(repeats):
                logs[SampleKey(task, f"{number}", index)] = middle + rng.gauss(0, within)
        scale = _scale(list(logs.values()), mean)
        lengths |= {key: max(200.0, min(LIMIT, scale * math.exp(log))) for key, log in logs.items()}
    return lengths


def _scale(logs: Sequence[float], mean: float) -> float:
    """Return the factor with which lengths have this mean once the limit has cut them."""
    low, high = 1.0, 1e7
    for _ in range(60):
        middle = math.sqrt(low * high)
        if statistics.fmean(min(LIMIT, middle * math.exp(log)) for log in logs) < mean:
            low = middle
        else:
            high = middle
    return low


def recorded(folder: Path, rng: random.Random, repeats: int) -> Lengths:
    """Return the lengths of a run, stretched to the limit."""
    siblings: dict[tuple[str, str], list[int]] = defaultdict(list)
    for verdict in read_verdicts(folder, read_run(folder)):
        siblings[verdict.task, verdict.question_id].append(max(1, verdict.recipe_tokens))
    longest = max(map(max, siblings.values()))
    return {
        SampleKey(*question, index): LIMIT
        / longest
        * (tokens[index] if index < len(tokens) else rng.choice(tokens))
        for question, tokens in siblings.items()
        for index in range(repeats)
    }


def stages_of(recipe: str, length: float, rng: random.Random) -> Stages:
    """Return the requests of a sample whose mean solution has this length."""
    if recipe == "plain":
        return ((length,),)
    solutions = tuple(min(LIMIT, length * math.exp(rng.gauss(0, 0.35))) for _ in range(3))
    plans = ((SHORT,) * 3,) if recipe == "k2" else ()
    return (*plans, solutions, (SHORT,) * 2, (SHORT,) * 2)


def earlier(lengths: Lengths, rng: random.Random, drift: float, within: float) -> EarlierLengths:
    """Return the lengths of another checkpoint's run of the same questions."""
    drifts: dict[tuple[str, str], float] = defaultdict(lambda: rng.gauss(0, drift))
    means = means_of(lengths)
    verdicts = []
    for key in lengths:
        question = (key.task, key.question_id)
        tokens = means[question] * math.exp(drifts[question] + rng.gauss(0, within))
        outcome = Outcome.WRONG
        verdicts.append(
            Verdict(**key._asdict(), outcome=outcome, score=0.0, grader="", recipe_tokens=int(tokens) + 1)
        )
    return EarlierLengths([verdicts])


def means_of(lengths: Lengths) -> dict[tuple[str, str], float]:
    """Return the mean length of each question."""
    siblings: dict[tuple[str, str], list[float]] = defaultdict(list)
    for key, length in lengths.items():
        siblings[key.task, key.question_id].append(length)
    return {question: statistics.fmean(tokens) for question, tokens in siblings.items()}
