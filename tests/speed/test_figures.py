"""Figures of timings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from k2eval.engines.measured import Load
from k2eval.records import SpeculativeCounts
from k2eval.speed.figures import LONG_ANSWER, figures_of, speed_while_full
from k2eval.speed.load import Trace

LOAD = Load(2, 5, 10, concurrency=2)


def trace(start: float, first: float, gap: float, pieces: int, tokens: int | None = None) -> Trace:
    arrivals = [start + first + gap * number for number in range(pieces)]
    return Trace(start, arrivals, pieces if tokens is None else tokens, 10)


def test_definitions() -> None:
    result = figures_of("a", LOAD, [trace(0, 0.1, 0.02, 5), trace(1, 0.3, 0.04, 5)])
    assert result.ttft.mean == pytest.approx(200)
    assert result.tpot.median == pytest.approx(30)
    assert result.itl.mean == pytest.approx(30)
    assert result.duration_s == pytest.approx(1.46)
    assert result.tokens_per_s == pytest.approx(10 / 1.46)
    assert result.tokens_per_s_each == pytest.approx((50 + 25) / 2)
    assert result.long_answer_s == pytest.approx(0.2 + 0.03 * (LONG_ANSWER - 1))


def test_pieces_of_several_tokens_lower_tpot_and_not_itl() -> None:
    result = figures_of("a", LOAD, [trace(0, 0.1, 0.03, 5, tokens=13)])
    assert result.itl.mean == pytest.approx(30)
    assert result.tpot.mean == pytest.approx(10)


def test_failures_count_in_no_figure_but_their_own() -> None:
    failed = Trace(0.0, [0.1], 1, 10, "EngineError: no")
    result = figures_of("a", LOAD, [trace(0, 0.1, 0.02, 5), failed, failed])
    assert (result.failed, result.requests, result.output_tokens) == (2, 3, 5)
    assert result.errors == ("EngineError: no",)


def test_nothing_finished_is_not_a_number() -> None:
    result = figures_of("a", LOAD, [Trace(0.0, [], 0, 0, "x")])
    assert math.isnan(result.tokens_per_s) and math.isnan(result.ttft.mean)


def test_acceptance_comes_from_the_counts() -> None:
    counts = SpeculativeCounts(drafts=4, drafted_tokens=12, accepted_tokens=6)
    row = figures_of("a", LOAD, [trace(0, 0.1, 0.02, 5)], speculation=counts).row()
    assert (row["acceptance_length"], row["acceptance_rate"]) == (2.5, 0.5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_figures_are_those_of_vllm_bench() -> None:
    pytest.importorskip("vllm")
    from vllm.benchmarks.lib.endpoint_request_func import RequestFuncOutput
    from vllm.benchmarks.serve import calculate_metrics

    draw = np.random.default_rng(0)
    traces, outputs = [], []
    for _ in range(50):
        start, first = float(draw.uniform(0, 5)), float(draw.uniform(0.05, 0.5))
        gaps = draw.exponential(0.02, int(draw.integers(1, 40)))
        arrivals = (start + first + np.concatenate([[0.0], np.cumsum(gaps)])).tolist()
        tokens = len(arrivals) + int(draw.integers(0, 30))
        traces.append(Trace(start, arrivals, tokens, 7))
        outputs.append(
            RequestFuncOutput(
                success=True, latency=arrivals[-1] - start, output_tokens=tokens, ttft=first, itl=gaps.tolist(),
                prompt_len=7, start_time=start,
            )
        )  # fmt: skip
    mine = figures_of("a", LOAD, traces)
    theirs, _ = calculate_metrics([], outputs, mine.duration_s, None, [99.0], {})
    assert mine.requests_per_s == pytest.approx(theirs.request_throughput)
    assert mine.tokens_per_s == pytest.approx(theirs.output_throughput)
    for name in ("ttft", "tpot", "itl"):
        spread = getattr(mine, name)
        assert spread.mean == pytest.approx(getattr(theirs, f"mean_{name}_ms"))
        assert spread.median == pytest.approx(getattr(theirs, f"median_{name}_ms"))
        assert spread.p99 == pytest.approx(dict(getattr(theirs, f"percentiles_{name}_ms"))[99.0])


def test_the_speed_while_full_leaves_the_end_of_the_load_out() -> None:
    full = [
        Trace(0.0, [1.0], 10, sizes=[10]),
        Trace(0.0, [1.0], 10, sizes=[10]),
        Trace(1.0, [2.0], 10, sizes=[10]),
    ]
    slow_end = Trace(1.0, [101.0], 10, sizes=[10])
    assert speed_while_full([*full, slow_end], concurrency=2) == 20.0


def test_without_more_requests_than_places_there_is_no_speed_while_full() -> None:
    assert math.isnan(speed_while_full([Trace(0.0, [1.0], 10, sizes=[10])], concurrency=1))


def test_a_piece_is_spread_over_the_time_since_the_piece_before() -> None:
    long, short = Trace(0.0, [4.0], 40, sizes=[40]), Trace(2.0, [4.0], 4, sizes=[4])
    assert speed_while_full([long, short], concurrency=1) == 10.0
