"""A large model, grown from a small trained one, running in vLLM; and the bytes that its GPU can read at most."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.expand import SHAPES, Expansion, Shape
from k2eval.config import Schedule
from k2eval.engines.vllm import FIELD, Probe, VllmEngine

DATA_SHEET = {"H100": 3.35e12, "H200": 4.8e12}
"""Bytes/s that a card's memory can read, by its maker's word."""


@asynccontextmanager
async def grown(
    options: argparse.Namespace, *, draft_tokens: int = 0, schedule: Schedule | None = None
) -> AsyncIterator[Probe]:
    """Start the small model in the large shape in vLLM, with the grown draft if tokens are to be drafted."""
    large = SHAPES[options.shape]
    expansion, place = Expansion(options.small, large), options.scratch / options.shape
    folder = expansion.write(place) if options.store else expansion.write_config(place)
    settings: dict[str, Any] = {
        "max_model_len": 4096, "max_num_seqs": options.max_num_seqs, "gpu_memory_utilization": 0.93,
        "dtype": "bfloat16", "enforce_eager": options.eager, "worker_extension_cls": "benchmarks.fill.Filler",
    }  # fmt: skip
    if not options.store:
        settings["load_format"] = "dummy"
    speculative, shape = None, None
    if draft_tokens:
        shape = draft_shape(options)
        grown_draft, place = Expansion(options.draft, shape), options.scratch / f"draft-{shape.width}"
        draft = grown_draft.write(place) if options.store else grown_draft.write_config(place)
        if not options.store:
            # The check before start-up wants weights to be there; these are filled in later.
            (draft / "unused.safetensors").touch()
        speculative = {
            "method": "draft_model", "model": str(draft), "num_speculative_tokens": draft_tokens,
            "draft_sample_method": options.draft_sample,
        }  # fmt: skip
        if schedule:
            speculative[FIELD] = schedule
            os.environ["VLLM_USE_V2_MODEL_RUNNER"] = "0"  # the second one ignores schedules
    start = time.perf_counter()
    async with Probe(VllmEngine(str(folder), settings | options.engine, speculative)) as probe:
        started = time.perf_counter() - start
        rpc = probe.engine.llm.collective_rpc
        if options.store:
            await rpc("repair")
        else:
            await rpc("fill", args=(str(options.small.resolve()), asdict(large)))
            if shape is not None:
                await rpc("fill", args=(str(options.draft.resolve()), asdict(shape), True))
            await probe.refresh()
        filled = time.perf_counter() - start - started
        cache = probe.engine.llm.vllm_config.cache_config
        blocks, size = getattr(cache, "num_gpu_blocks", None), getattr(cache, "block_size", None)
        room = f"{blocks * size:,} tokens" if blocks and size else "an unknown number of tokens"
        print(f"started in {started:.0f} s, filled in {filled:.0f} s, KV cache of {room}", flush=True)
        yield probe


def draft_shape(options: argparse.Namespace) -> Shape:
    """Return the draft's own shape with the target's vocabulary, or the shape of the options."""
    if options.draft_shape:
        return SHAPES[options.draft_shape]
    own = Shape.of(json.loads((options.draft / "config.json").read_text(encoding="utf-8")))
    # Twice as wide, so that there is room for the coordinate that silences the added tokens.
    return Shape(
        own.layers,
        2 * own.width,
        2 * own.heads,
        own.groups,
        own.inner,
        SHAPES[options.shape].vocabulary,
        own.head,
    )


async def card_of(probe: Probe, options: argparse.Namespace) -> dict[str, Any]:
    """Return the card's name and the bytes/s that its memory reads: by its data sheet, and measured by a copy."""
    if options.store:
        return {"card": "", "data_sheet": None, "copy": None}
    [(name, copied)] = await probe.engine.llm.collective_rpc("card")
    sheet = next((speed for kind, speed in DATA_SHEET.items() if kind in name), None)
    return {"card": name, "data_sheet": sheet, "copy": copied}


def read_per_step(shape: Shape) -> float:
    """Return the bytes of weights that one step of decoding reads, in bfloat16, without the embedding."""
    attention = (2 * shape.heads + 2 * shape.groups) * shape.head * shape.width
    return 2.0 * (shape.layers * (attention + 3 * shape.inner * shape.width) + shape.vocabulary * shape.width)


def kept_per_token(shape: Shape) -> float:
    """Return the bytes of keys and values of one token of context, in bfloat16, all read at each step."""
    return 2.0 * 2 * shape.layers * shape.groups * shape.head
