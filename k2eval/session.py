"""What one start of a run did, and the sums over all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from k2eval.records import Generation, Json, SpeculativeCounts
from k2eval.work import now


@dataclass(slots=True)
class Session:
    """What one start of a run did."""

    started: str = field(default_factory=now)
    generated: int = 0
    """New generations."""
    replayed: int = 0
    """Generations taken from the journal."""
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    first_request: float | None = None
    last_generation: float | None = None
    last_verdict: float | None = None
    speculative: dict[str, SpeculativeCounts] = field(default_factory=dict)

    def count(self, generation: Generation) -> None:
        """Count a new generation."""
        self.generated += 1
        self.generated_tokens += generation.output_tokens
        self.prompt_tokens += generation.prompt_tokens
        self.cached_tokens += generation.cached_tokens
        self.last_generation = time.monotonic()
        if generation.speculative:
            before = self.speculative.get(generation.task)
            self.speculative[generation.task] = add_counts(before, generation.speculative)

    def describe(self) -> dict[str, Json]:
        """The session's entry in ``run.json``."""
        return {
            "started": self.started,
            "finished": now(),
            "generated": self.generated,
            "replayed": self.replayed,
            "generated_tokens": self.generated_tokens,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "generation_s": _seconds(self.first_request, self.last_generation),
            "work_s": _seconds(self.first_request, self.last_verdict),
            "speculative": {
                task: counts.model_dump(mode="json") for task, counts in self.speculative.items()
            },
        }


def _seconds(start: float | None, end: float | None) -> float:
    return round(end - start, 3) if start is not None and end is not None else 0.0


def add_counts(one: SpeculativeCounts | None, other: SpeculativeCounts) -> SpeculativeCounts:
    """The sum of two counts."""
    if one is None:
        return other
    width = max(len(one.accepted_per_position), len(other.accepted_per_position))
    positions = [
        sum(
            counts[place]
            for counts in (one.accepted_per_position, other.accepted_per_position)
            if place < len(counts)
        )
        for place in range(width)
    ]
    return SpeculativeCounts(
        drafts=one.drafts + other.drafts,
        drafted_tokens=one.drafted_tokens + other.drafted_tokens,
        accepted_tokens=one.accepted_tokens + other.accepted_tokens,
        accepted_per_position=tuple(positions),
    )


def total_speculation(sessions: list[dict[str, Json]]) -> dict[str, Json] | None:
    """Counts over all sessions, in all and per task; None where nothing was speculated."""
    tasks: dict[str, SpeculativeCounts] = {}
    for session in sessions:
        for task, counts in session.get("speculative", {}).items():
            tasks[task] = add_counts(tasks.get(task), SpeculativeCounts.model_validate(counts))
    if not tasks:
        return None
    total: SpeculativeCounts | None = None
    for counts in tasks.values():
        total = add_counts(total, counts)
    assert total is not None
    return {
        **total.model_dump(mode="json"),
        "tasks": {task: counts.model_dump(mode="json") for task, counts in tasks.items()},
    }
