"""Metrics of servers, from their page in the format of Prometheus."""

from __future__ import annotations

import re
from dataclasses import dataclass

from k2eval.records import SpeculativeCounts

_SPECULATION = re.compile(r"^vllm:spec_decode_num_(\w+?)_total(\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
_LINE = re.compile(r"^(?:vllm|sglang|llamacpp)[:_](\w+)(?:\{[^}\n]*\})? ([0-9.e+]+)$", re.MULTILINE)
_PROGRESS = {
    "generation_tokens_total", "prompt_tokens_total", "tokens_predicted_total", "n_decode_total",
    "request_success_total",
}  # fmt: skip
_RUNNING = {"num_requests_running", "num_running_reqs", "requests_processing"}
_WAITING = {"num_requests_waiting", "num_queue_reqs", "requests_deferred"}


@dataclass(frozen=True, slots=True)
class Activity:
    """Activity of a server at one moment, summed over its engines."""

    running: int
    waiting: int
    progress: float
    """Counter that grows while the server works."""


def parse_activity(page: str) -> Activity | None:
    """Return the activity of vLLM, SGLang or llama.cpp from its page of metrics; None if it is another page.

    >>> parse_activity('vllm:num_requests_running{engine="0"} 3.0\\nvllm:generation_tokens_total{engine="0"} 70.0')
    Activity(running=3, waiting=0, progress=70.0)
    """
    running = waiting = 0.0
    progress = None
    for name, number in _LINE.findall(page):
        if name in _PROGRESS:
            progress = (progress or 0.0) + float(number)
        elif name in _RUNNING:
            running += float(number)
        elif name in _WAITING:
            waiting += float(number)
    return None if progress is None else Activity(int(running), int(waiting), progress)


def parse_metrics(page: str) -> SpeculativeCounts | None:
    """Return the speculation in a page of vLLM, summed over its engines; None if there is none."""
    sums: dict[str, int] = {}
    positions: dict[int, int] = {}
    for name, labels, value in _SPECULATION.findall(page):
        if name == "accepted_tokens_per_pos":
            for place in map(int, re.findall(r'position="(\d+)"', labels)):
                positions[place] = positions.get(place, 0) + int(float(value))
        else:
            sums[name] = sums.get(name, 0) + int(float(value))
    if not sums.get("drafts"):
        return None
    return SpeculativeCounts(
        drafts=sums["drafts"],
        drafted_tokens=sums.get("draft_tokens", 0),
        accepted_tokens=sums.get("accepted_tokens", 0),
        accepted_per_position=tuple(positions[place] for place in sorted(positions)),
    )
