"""The counts of one start of a run: generations, tokens, and the time in which the engine had requests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from k2eval.journal import CountedGenerations, RunSpeculation, SessionRecord, SpeculationRecord
from k2eval.reasoning import AUTO, NONE, first_turn
from k2eval.records import Generation, ReasoningFormat, SpeculativeCounts, now
from k2eval.statistics import add_counts, ratios


@dataclass(slots=True)
class Session:
    """Counts of one start of a run.

    **Tokens/s**, here and wherever k2eval prints it of a run, is ``generated_tokens / generation_s``: the tokens of new
    generations over the time in which the engine had at least one request. Starting the engine, grading after the
    last answer, and generations that were replayed count in neither.
    """

    started: str = field(default_factory=now)
    generated: int = 0
    """New generations."""
    replayed: int = 0
    """Generations taken from the journal."""
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    first_request: float | None = None
    last_verdict: float | None = None
    speculative: dict[str, SpeculativeCounts] = field(default_factory=dict)
    """Speculation counts per task, summed over generations that carry their own counts."""
    with_speculation: int = 0
    """Number of new generations that carry their own counts."""
    shows_marks: bool = False
    """Whether any answer of the solver shows a mark of its reasoning format."""
    unmarked: int = 0
    """Answers of the solver before that, of those that could show one."""
    requests: int = 0
    """Requests that were sent, those that failed included."""
    _in_flight: int = 0
    _asked_since: float = 0.0
    _asked_before_s: float = 0.0

    @property
    def in_flight(self) -> int:
        """Requests that the engines have now."""
        return self._in_flight

    @property
    def is_empty(self) -> bool:
        """Whether no generation was made or replayed."""
        return not self.generated and not self.replayed

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Count the time as the engine's while at least one request is inside."""
        if not self._in_flight:
            self._asked_since = time.monotonic()
            if self.first_request is None:
                self.first_request = self._asked_since
        self._in_flight += 1
        self.requests += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._asked_before_s += time.monotonic() - self._asked_since

    @property
    def generation_s(self) -> float:
        """Seconds in which the engine had at least one request."""
        return self._asked_before_s + (time.monotonic() - self._asked_since if self._in_flight else 0.0)

    @property
    def tokens_per_s(self) -> float | None:
        """Generated tokens over the time in which the engine had requests; None before the first answer."""
        return self.generated_tokens / self.generation_s if self.generated_tokens else None

    def count(self, generation: Generation) -> None:
        """Count a new generation."""
        self.generated += 1
        self.generated_tokens += generation.output_tokens
        self.prompt_tokens += generation.prompt_tokens
        self.cached_tokens += generation.cached_tokens
        if generation.speculative:
            before = self.speculative.get(generation.task)
            self.speculative[generation.task] = add_counts(before, generation.speculative)
            self.with_speculation += 1

    def look_for_marks(self, generation: Generation, form: ReasoningFormat) -> None:
        """Look if an answer of the solver shows a mark of its reasoning format, as long as none has shown any."""
        if self.shows_marks or form in (AUTO, NONE):
            return
        split_off = bool(generation.prefill) or generation.answer_start is not None
        self.shows_marks = split_off or first_turn(generation.text, form) is not None
        self.unmarked += not self.shows_marks

    def describe(
        self, engine_speculative: SpeculativeCounts | None, swapped_from: str | None = None
    ) -> SessionRecord:
        """Return the session's entry in ``run.json``.

        Args:
            engine_speculative: The engines' counts of speculation, unfinished requests included.
            swapped_from: The checkpoint whose weights were replaced in the solver's running engine, if any were.
        """
        return SessionRecord(
            started=self.started,
            finished=now(),
            generated=self.generated,
            replayed=self.replayed,
            generated_tokens=self.generated_tokens,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            generation_s=round(self.generation_s, 3),
            work_s=_seconds(self.first_request, self.last_verdict),
            speculative=dict(self.speculative),
            generations_with_speculation=self.with_speculation,
            engine_speculative=engine_speculative,
            swapped_from=swapped_from,
        )


def _seconds(start: float | None, end: float | None) -> float:
    return round(end - start, 3) if start is not None and end is not None else 0.0


def total_speculation(sessions: Iterable[SessionRecord]) -> RunSpeculation | None:
    """Return the ``speculative`` entry of ``run.json`` over all sessions; None if nothing was drafted.

    The sums are the engine's, over all that it did. Of a session that ended before the engine could be asked, they
    are those of its finished requests.
    """
    tasks: dict[str, SpeculativeCounts] = {}
    whole: SpeculativeCounts | None = None
    generated = counted = 0
    for session in sessions:
        requests: SpeculativeCounts | None = None
        for task, counts in session.speculative.items():
            tasks[task] = add_counts(tasks.get(task), counts)
            requests = add_counts(requests, counts)
        own = session.engine_speculative or requests
        if own:  # else its engine did not speculate, as with when=auto a start may decide
            whole = add_counts(whole, own)
            generated += session.generated
            counted += session.generations_with_speculation
    if whole is None:
        return None
    return RunSpeculation(
        **_with_ratios(whole).model_dump(),
        counted="request" if tasks else "engine",
        generations=CountedGenerations(generated=generated, counted=counted),
        tasks={task: _with_ratios(counts) for task, counts in tasks.items()},
    )


def _with_ratios(counts: SpeculativeCounts) -> SpeculationRecord:
    return SpeculationRecord(**counts.model_dump(), **ratios(counts))
