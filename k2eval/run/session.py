"""What one start of a run did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from k2eval.records import Generation, Json, SpeculativeCounts, now
from k2eval.statistics.acceptance import add_counts


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
    """Of the requests that the engine counted, by task."""
    with_speculation: int = 0
    """How many new generations these are."""
    engine_speculative: SpeculativeCounts | None = None
    """What the engines counted in all, requests that were never finished included."""

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
            self.with_speculation += 1

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
            "generations_with_speculation": self.with_speculation,
            "engine_speculative": self.engine_speculative and self.engine_speculative.model_dump(mode="json"),
        }


def _seconds(start: float | None, end: float | None) -> float:
    return round(end - start, 3) if start is not None and end is not None else 0.0
