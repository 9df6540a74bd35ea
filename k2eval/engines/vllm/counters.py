"""vLLM's counts for a whole engine, step by step: speculation, and the number of running requests."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from k2eval.records import SpeculativeCounts


class Step(NamedTuple):
    """One scheduler step."""

    at: float
    """``time.monotonic()``."""
    running: int
    waiting: int


class EngineCounters:
    """Sums over all steps of an engine, its data-parallel ranks together.

    Give `logger` to vLLM as a stat logger. vLLM 0.25 to 0.33 all have it; counts per request come
    only with 0.32.
    """

    def __init__(self) -> None:
        self.count = 0
        """Number of steps so far."""
        self.drafts = 0
        self.drafted_tokens = 0
        self.accepted_tokens = 0
        self.accepted_per_position: list[int] = []
        self.steps: list[Step] | None = None
        """Every step, once someone has set this to a list."""

    @property
    def speculation(self) -> SpeculativeCounts | None:
        """Counts of speculation since the engine started; None if nothing was drafted."""
        if not self.drafts:
            return None
        return SpeculativeCounts(
            drafts=self.drafts,
            drafted_tokens=self.drafted_tokens,
            accepted_tokens=self.accepted_tokens,
            accepted_per_position=tuple(self.accepted_per_position),
        )

    def record(self, stats: Any) -> None:
        """Count one step, from vLLM's ``SchedulerStats``."""
        self.count += 1
        if self.steps is not None:
            self.steps.append(Step(time.monotonic(), stats.num_running_reqs, stats.num_waiting_reqs))
        drafted = getattr(stats, "spec_decoding_stats", None)
        if drafted is None:
            return
        self.drafts += drafted.num_drafts
        self.drafted_tokens += drafted.num_draft_tokens
        self.accepted_tokens += drafted.num_accepted_tokens
        by_position = list(drafted.num_accepted_tokens_per_pos)
        missing = len(by_position) - len(self.accepted_per_position)
        self.accepted_per_position += [0] * missing
        for position, accepted in enumerate(by_position):
            self.accepted_per_position[position] += accepted

    def logger(self, vllm_config: Any, engine_index: int = 0) -> Any:
        """Make a stat logger for vLLM that adds to these counts."""
        from vllm.v1.metrics.loggers import StatLoggerBase

        counters = self

        class Counting(StatLoggerBase):  # type: ignore[misc]  # vLLM's types are not looked at
            def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
                pass

            def record(self, scheduler_stats: Any, *rest: Any, **more: Any) -> None:
                if scheduler_stats is not None:
                    counters.record(scheduler_stats)

            def log_engine_initialized(self) -> None:
                pass

        return Counting(vllm_config, engine_index)


def without_histograms(llm: Any) -> None:
    """Take vLLM's own Prometheus metrics from an engine: nobody reads them, and they look at each token.

    Args:
        llm: An ``AsyncLLM``.
    """
    manager: Any = getattr(llm, "logger_manager", None)
    loggers = getattr(manager, "stat_loggers", ())
    kept = [one for one in loggers if "Prometheus" not in type(one).__name__]
    if len(kept) < len(loggers):
        manager.stat_loggers = kept
