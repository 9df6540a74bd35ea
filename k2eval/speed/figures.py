"""Timings -> figures, by the same definitions as ``vllm bench serve``.

TTFT is the time from sending a request to its first piece. The TPOT of one request is (last piece - first piece) /
(tokens - 1). The inter-token latency (ITL) is the time between two pieces, over all requests. With speculation, or
from a server that bundles tokens, a piece can hold several tokens. So ITL can rise while TPOT falls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from k2eval.engines import Load
from k2eval.records import Json, SpeculativeCounts
from k2eval.speed.load import Trace
from k2eval.statistics import ratios

LONG_ANSWER = 32_000
"""Number of tokens of the long answer whose time is estimated."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, median and 99th percentile, in milliseconds; NaN if nothing was measured."""

    mean: float
    median: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Compute the spread of times in seconds."""
        if not seconds:
            return cls(np.nan, np.nan, np.nan)
        values = 1000 * np.asarray(seconds)
        return cls(float(values.mean()), float(np.median(values)), float(np.percentile(values, 99)))


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one configuration under one load."""

    config: str
    load: str
    requests: int
    failed: int
    duration_s: float
    prompt_tokens: float
    """Mean over finished requests."""
    output_tokens: float
    """Mean over finished requests."""
    requests_per_s: float
    tokens_per_s: float
    """Output tokens of finished requests per second, all requests together."""
    tokens_per_s_each: float
    """Mean over requests of 1 / TPOT, the speed of a single answer."""
    ttft: Spread
    tpot: Spread
    itl: Spread
    long_answer_s: float
    """Seconds for an answer of `LONG_ANSWER` tokens: mean TTFT, plus mean TPOT for each further token."""
    acceptance_length: float = np.nan
    acceptance_rate: float = np.nan
    peak_gpu_gib: float = np.nan
    peak_rss_gib: float = np.nan
    tokens_per_s_full: float = np.nan
    """Output tokens per second while as many requests were in flight as the load keeps there; NaN if never."""
    errors: tuple[str, ...] = ()
    """Kinds of failures, the most frequent first."""

    def row(self) -> dict[str, Json]:
        """Return the figures as a flat row: one number per column."""
        flat: dict[str, Json] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                flat.update({f"{name}_ms_{part}": number for part, number in value.items()})
            else:
                flat[name] = "; ".join(value) if isinstance(value, tuple) else value
        return flat


def figures_of(
    config: str,
    load: Load,
    traces: Sequence[Trace],
    *,
    speculation: SpeculativeCounts | None = None,
    gpu_gib: float = np.nan,
    rss_gib: float = np.nan,
) -> Figures:
    """Compute the figures of one load from its traces.

    Args:
        config: Name of the configuration.
        load: The load that was measured.
        traces: One trace per request.
        speculation: Counts of speculative decoding during the load.
        gpu_gib: Peak GPU memory.
        rss_gib: Peak resident memory.
    """
    good = [trace for trace in traces if trace.error is None]
    first = min((trace.started for trace in traces), default=0.0)
    duration = max((trace.arrivals[-1] for trace in good), default=first) - first
    ttft = Spread.of([trace.arrivals[0] - trace.started for trace in good])
    per_token = [_tpot(trace) for trace in good if trace.tokens > 1]
    tpot = Spread.of(per_token)
    gaps = [gap for trace in good for gap in np.diff(trace.arrivals).tolist()]
    kinds = [trace.error or "" for trace in traces if trace.error is not None]
    acceptance = ratios(speculation) if speculation else {}
    return Figures(
        config=config,
        load=load.title,
        requests=len(traces),
        failed=len(kinds),
        duration_s=duration,
        prompt_tokens=_mean([trace.prompt_tokens for trace in good]),
        output_tokens=_mean([trace.tokens for trace in good]),
        requests_per_s=len(good) / duration if duration > 0 else np.nan,
        tokens_per_s=sum(trace.tokens for trace in good) / duration if duration > 0 else np.nan,
        tokens_per_s_each=_mean([1 / value for value in per_token if value > 0]),
        ttft=ttft,
        tpot=tpot,
        itl=Spread.of(gaps),
        long_answer_s=(ttft.mean + (LONG_ANSWER - 1) * tpot.mean) / 1000,
        acceptance_length=acceptance.get("acceptance_length", np.nan),
        acceptance_rate=acceptance.get("acceptance_rate", np.nan),
        peak_gpu_gib=gpu_gib,
        peak_rss_gib=rss_gib,
        tokens_per_s_full=speed_while_full(traces, load.concurrency) if load.concurrency else np.nan,
        errors=tuple(sorted(set(kinds), key=kinds.count, reverse=True)[:3]),
    )


def speed_while_full(traces: Sequence[Trace], concurrency: int) -> float:
    """Return tokens per second from the moment at which all places are taken until the last request is sent.

    Until then each answer that ends is followed by the next request; after it, places run empty. The tokens of a piece
    are spread evenly over the time since the piece before.

    Args:
        traces: Of one load, one per request.
        concurrency: Requests that the load keeps in flight.

    >>> from k2eval.speed.load import Trace
    >>> one, two = Trace(0.0, [1.0, 2.0], 8, sizes=[4, 4]), Trace(2.0, [3.0, 6.0], 8, sizes=[4, 4])
    >>> speed_while_full([one, two], concurrency=1)
    4.0
    """
    begun = sorted(trace.started for trace in traces)
    if len(begun) <= concurrency:
        return np.nan
    start, end = begun[concurrency - 1], begun[-1]
    tokens = 0.0
    for trace in traces:
        before = trace.started
        for arrival, size in zip(trace.arrivals, trace.sizes, strict=False):
            inside = min(arrival, end) - max(before, start)
            if inside > 0:
                tokens += size * inside / (arrival - before)
            before = arrival
    return tokens / (end - start) if end > start else np.nan


def _tpot(trace: Trace) -> float:
    return (trace.arrivals[-1] - trace.arrivals[0]) / (trace.tokens - 1)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else np.nan
