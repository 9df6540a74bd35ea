"""Simulate a run on 1 to 64 replicas in several orders of its samples, and compare the wall times.

    python -m benchmarks.schedule [--places 32] [--recipe k2] [--recorded leaderboards/nano/rl-plain] [--within 0.2]
        [--speculation 2]

k2eval's own `Order` decides, with the simulation's clock. A replica runs up to ``--places`` requests at once. Its
speed for n requests is that of a 32B model on one H200 (docs/measurements.md), between the measured points a power of
n; beyond the last it has the same speed for all requests together, so more ``--places`` only share it. With
``--speculation X`` one request alone is X times as fast, 256 requests gain nothing, and between them the gain is a
power of n. The driver hands out ``--ahead`` samples more than there are places; they wait in the order in which they
came.

The samples are 263 questions × 16 repeats of AIME 2024 and 2025, HMMT 2025 and Omni-MATH-HARD. Logarithms of their
lengths are normal, with a standard deviation of 0.5 between the questions of a task (``--between``) and of 0.35
within a question (``--within``), so siblings correlate with 0.67; 64,000 tokens cut them. Mean lengths are those of
K2-Think 32B: 21,482 tokens for AIME 2024 and 34,042 for Omni-MATH-HARD; 25,200 and 29,100 for the other two lie
between them. The small models under leaderboards/nano have 0.03 to 0.2 within and 0.3 to 0.8 between questions.
``--recorded RUN`` replays the lengths of a run instead, stretched until the longest has 64,000 tokens; a question
with too few repeats has those drawn again.

Orders:

- 0.1.0: by the limit of the task, which all share, so as given.
- random.
- k2eval: as it is now.
- k2eval, lengths: with ``--lengths-from`` a run of another checkpoint, whose questions' lengths differ by ``--drift``.
- means known: first repeats first, then by the true mean length of the question: all that can be known of questions,
  and nothing of single samples.
- oracle: the longest sample first, by its true length.

Half empty is the share of the wall time in which less than half of all places are taken.

The bound is the larger of two times: all tokens at the full speed of all replicas, and the longest sample alone on
one. The last line is the quotient of k2eval's and the oracle's wall time, worst of the numbers of replicas; the goal
is 1.05.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.schedule_lengths import (
    LIMIT,
    RECIPES,
    Lengths,
    Stages,
    by_law,
    earlier,
    means_of,
    recorded,
    stages_of,
)
from k2eval.records import Question, SampleKey, Sampling
from k2eval.run import Assignment, Order

SPEEDS: tuple[tuple[int, float], ...] = ((1, 52.6), (16, 808.0), (64, 2727.0), (256, 5648.0))
"""Requests at once and tokens/s of the replica."""


class Samples(Protocol):
    """Samples in some order, as the queue takes them."""

    def __len__(self) -> int: ...
    def pop(self) -> Assignment: ...
    def expect(self, assignment: Assignment) -> float: ...
    def end(self, assignment: Assignment, length: float | None) -> None: ...


class Fixed:
    """Samples in an order that never changes."""

    def __init__(self, assignments: Iterable[Assignment]) -> None:
        self._left = list(assignments)[::-1]

    def __len__(self) -> int:
        return len(self._left)

    def pop(self) -> Assignment:
        return self._left.pop()

    def expect(self, assignment: Assignment) -> float:
        return 0.0

    def end(self, assignment: Assignment, length: float | None) -> None:
        pass


def with_speculation(gain: float) -> tuple[tuple[int, float], ...]:
    """Return the speeds of a replica that speculates while it has few requests.

    >>> [round(speed) for _, speed in with_speculation(2)]
    [105, 1143, 3243, 5648]
    """
    most = SPEEDS[-1][0]
    return tuple((n, speed * gain ** (1 - math.log(n) / math.log(most))) for n, speed in SPEEDS)


def tokens_per_s(requests: int) -> float:
    """Return the tokens/s of one request among so many on a replica.

    >>> [round(tokens_per_s(requests), 1) for requests in (1, 32, 256, 1024)]
    [52.6, 46.4, 22.1, 5.5]
    """
    for (fewer, low), (more, high) in itertools.pairwise(SPEEDS):
        if requests <= more:
            share = math.log(requests / fewer) / math.log(more / fewer)
            return float(low * (high / low) ** share / requests)
    return SPEEDS[-1][1] / requests


@dataclass(slots=True)
class Replica:
    """One replica: all its requests advance at the same speed, so one counter of tokens serves all."""

    running: list[tuple[float, int, SampleKey]] = field(default_factory=list)
    """A heap of the counts at which requests end."""
    count: float = 0.0
    seen: float = 0.0

    def advance(self, now: float) -> None:
        if self.running:
            self.count += (now - self.seen) * tokens_per_s(len(self.running))
        self.seen = now

    @property
    def next_end(self) -> float:
        if not self.running:
            return math.inf
        left = max(0.0, self.running[0][0] - self.count)
        return self.seen + left / tokens_per_s(len(self.running))


class Fleet:
    """Replicas that make the samples of a run."""

    def __init__(self, replicas: int, places: int, ahead: int, priority: str = "none") -> None:
        self.now = 0.0
        self.first_row_s = 0.0
        """The time at which every question has an answer."""
        self.tail_s = 0.0
        """Seconds in which less than half of the places are taken."""
        self._taken = 0
        self._replicas = [Replica() for _ in range(replicas)]
        self._places = places
        self._capacity = replicas * (places + ahead)
        self._priority = priority
        self._waiting: list[tuple[float, int, float, SampleKey]] = []
        self._number = itertools.count()

    def clock(self) -> float:
        return self.now

    def run(self, samples: Samples, stages: Mapping[SampleKey, Stages]) -> float:
        """Make all samples; return the seconds."""
        started: dict[SampleKey, tuple[int, Assignment]] = {}
        left: dict[SampleKey, list[int]] = {}
        unanswered = {(key.task, key.question_id) for key in stages}
        expected: dict[SampleKey, float] = {}

        def rank(key: SampleKey, stage: int) -> float:
            if self._priority == "none":
                return 0.0
            if self._priority == "begun":
                return started[key][0]
            return sum(map(sum, stages[key][:stage])) - expected[key]

        def ask(key: SampleKey, stage: int) -> None:
            left[key] = [stage, len(stages[key][stage])]
            for length in stages[key][stage]:
                heapq.heappush(self._waiting, (rank(key, stage), next(self._number), length, key))

        while True:
            while samples and len(started) < self._capacity:
                assignment = samples.pop()
                key = assignment.sample_key
                started[key] = (next(self._number), assignment)
                expected[key] = samples.expect(assignment)
                ask(key, 0)
            self._fill()
            replica = min(self._replicas, key=lambda replica: replica.next_end)
            if not replica.running:
                return self.now
            end = replica.next_end
            if 2 * self._taken < len(self._replicas) * self._places:
                self.tail_s += end - self.now
            self.now = end
            replica.advance(self.now)
            *_, key = heapq.heappop(replica.running)
            self._taken -= 1
            left[key][1] -= 1
            if left[key][1]:
                continue
            if left[key][0] + 1 < len(stages[key]):
                ask(key, left[key][0] + 1)
                continue
            samples.end(started.pop(key)[1], sum(map(sum, stages[key])))
            if (key.task, key.question_id) in unanswered:
                unanswered.discard((key.task, key.question_id))
                self.first_row_s = self.now

    def _fill(self) -> None:
        while self._waiting:
            replica = min(self._replicas, key=lambda replica: len(replica.running))
            if len(replica.running) >= self._places:
                return
            _, number, length, key = heapq.heappop(self._waiting)
            replica.advance(self.now)
            heapq.heappush(replica.running, (replica.count + length, number, key))
            self._taken += 1


def assignments_of(lengths: Lengths) -> list[Assignment]:
    """Return the samples as a run has them: task by task, the repeats of a question side by side."""
    sampling = Sampling(max_tokens=LIMIT)
    made: dict[tuple[str, str], Question] = {}
    for key in lengths:
        question = (key.task, key.question_id)
        made.setdefault(question, Question(task=key.task, id=key.question_id, messages=(), gold=None))
    return [Assignment(made[key.task, key.question_id], key.repeat_index, sampling, "1") for key in lengths]


Maker = Callable[[Fleet], Samples]


def orders(lengths: Lengths, rng: random.Random, drift: float, within: float) -> dict[str, Maker]:
    """Return the orders to compare."""
    given = assignments_of(lengths)
    shuffled = rng.sample(given, len(given))
    means = means_of(lengths)
    by_mean = sorted(
        given, key=lambda each: (each.repeat_index > 0, -means[each.question.task, each.question.id])
    )
    longest = sorted(given, key=lambda each: -lengths[each.sample_key])
    before = earlier(lengths, rng, drift, within)
    return {
        "0.1.0": lambda fleet: Fixed(given),
        "random": lambda fleet: Fixed(shuffled),
        "k2eval": lambda fleet: Order(given, clock=fleet.clock),
        "k2eval, lengths": lambda fleet: Order(given, earlier=before, clock=fleet.clock),
        "means known": lambda fleet: Fixed(by_mean),
        "oracle": lambda fleet: Fixed(longest),
    }


def bound(stages: Iterable[Stages], replicas: int, places: int) -> float:
    """Return a time that no order beats."""
    stages = list(stages)
    work = sum(sum(map(sum, each)) for each in stages) / (replicas * places * tokens_per_s(places))
    return max(work, max(sum(map(max, each)) for each in stages) / tokens_per_s(1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicas", default="1,2,4,8,16,32,64")
    parser.add_argument(
        "--places",
        type=int,
        default=1024,
        help="Requests at once on a replica; on a large GPU vLLM has 1,024.",
    )
    parser.add_argument(
        "--ahead", type=int, default=0, help="Samples handed out beyond the places of each replica."
    )
    parser.add_argument(
        "--priority",
        choices=("none", "begun", "remaining"),
        default="none",
        help="Requests that go first: of samples that began earlier, or that have the most tokens left.",
    )
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument("--between", type=float, default=0.5)
    parser.add_argument("--within", type=float, default=0.35)
    parser.add_argument("--drift", type=float, default=0.15)
    parser.add_argument("--speculation", type=float, default=1.0, help="Gain of a request that is alone.")
    parser.add_argument("--recipe", choices=RECIPES, default="plain")
    parser.add_argument("--recorded", type=Path, help="Run directory whose lengths are replayed.")
    parser.add_argument("--rounds", type=int, default=3, help="Draws of the lengths.")
    options = parser.parse_args()
    global SPEEDS
    SPEEDS = with_speculation(options.speculation)
    replicas = [int(text) for text in options.replicas.split(",")]
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    for seed in range(options.rounds):
        rng = random.Random(seed)
        if options.recorded:
            lengths = recorded(options.recorded, rng, options.repeats)
        else:
            lengths = by_law(rng, options.between, options.within, options.repeats)
        stages = {key: stages_of(options.recipe, length, rng) for key, length in lengths.items()}
        totals = {key: sum(map(sum, each)) for key, each in stages.items()}
        makers = orders(totals, rng, options.drift, options.within)
        for count in replicas:
            seconds["bound", count].append(bound(stages.values(), count, options.places))
            for name, maker in makers.items():
                fleet = Fleet(count, options.places, options.ahead, options.priority)
                seconds[name, count].append(fleet.run(maker(fleet), stages))
                seconds[f"{name}: all rows", count].append(fleet.first_row_s)
                seconds[f"{name}: tail", count].append(100 * fleet.tail_s / fleet.now)
    print_table(seconds, replicas)


def print_table(seconds: Mapping[tuple[str, int], Sequence[float]], replicas: Sequence[int]) -> None:
    """Print wall times as quotients of the oracle's, and the oracle's in seconds."""
    print(f"{'replicas':24}" + "".join(f"{count:>9}" for count in replicas))
    quotients: dict[tuple[str, int], float] = {}
    for name in ("0.1.0", "random", "k2eval", "k2eval, lengths", "means known", "oracle", "bound"):
        for count in replicas:
            pairs = zip(seconds[name, count], seconds["oracle", count], strict=True)
            quotients[name, count] = statistics.fmean(own / oracle for own, oracle in pairs)
        print(f"{name:24}" + "".join(f"{quotients[name, count]:9.3f}" for count in replicas))
    for name, label in (
        ("oracle", "oracle, s"),
        ("k2eval", "k2eval, s"),
        ("0.1.0: all rows", "all rows in 0.1.0, s"),
        ("k2eval: all rows", "all rows in k2eval, s"),
        ("0.1.0: tail", "half empty in 0.1.0, %"),
        ("k2eval: tail", "half empty in k2eval, %"),
    ):
        means = [statistics.fmean(seconds[name, count]) for count in replicas]
        print(f"{label:24}" + "".join(f"{mean:9,.0f}" for mean in means))
    worst = max(quotients["k2eval", count] for count in replicas)
    informed = max(quotients["k2eval, lengths", count] for count in replicas)
    print(f"k2eval / oracle, worst: {worst:.3f} (with lengths of an earlier run {informed:.3f}; goal 1.05)")


if __name__ == "__main__":
    main()
