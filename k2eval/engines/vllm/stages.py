"""vLLM's activity while it starts, read from its log."""

from __future__ import annotations

import re
from pathlib import Path

IMPORTING = "importing vLLM"
_TAIL = 1 << 16
_STAGES = (
    (re.compile(r"Initializing a V1 LLM engine"), "starting the engine's processes"),
    (re.compile(r"Fetching \d+ files: +(\d+)%"), "downloading the checkpoint, {} %"),
    (re.compile(r"Starting to load model"), "loading weights"),
    (re.compile(r"Loading \w+ checkpoint shards: +(\d+)%"), "loading weights, {} %"),
    (re.compile(r"Loading weights took|Model loading took"), "preparing the model"),
    (re.compile(r"Dynamo bytecode|Compiling a graph|Warming up model"), "compiling"),
    (re.compile(r"Available KV cache memory|KV cache size"), "reserving the key-value cache"),
    (re.compile(r"Capturing CUDA graphs[^:]*: +(\d+)%"), "capturing CUDA graphs, {} %"),
    (re.compile(r"init engine \(profile"), "getting ready to answer"),
)


def stage_of(text: str) -> str:
    """Return the last stage that lines of vLLM's log speak of.

    >>> stage_of("INFO Starting to load model m...\\nLoading safetensors checkpoint shards:  50% Completed | 1/2")
    'loading weights, 50 %'
    >>> stage_of("INFO [cpu.py:52] Using CPU_ATTN")
    'importing vLLM'
    """
    last, stage = -1, IMPORTING
    for pattern, words in _STAGES:
        for match in pattern.finditer(text):
            if match.start() > last:
                last, stage = match.start(), words.format(*match.groups())
    return stage


def current_stage(log: Path, start: int) -> str:
    """Return the stage that ``log`` speaks of last, from the byte ``start`` on; empty if it cannot be read."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - _TAIL))
            return stage_of(file.read().decode(errors="replace"))
    except OSError:
        return ""
