"""Batches of training documents, made by worker processes in an order that depends only on the seed."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from .documents import Document, chat_document, plain_document

MAKERS: dict[str, Callable[[random.Random], Document]] = {"base": plain_document, "chat": chat_document}


@dataclass(frozen=True)
class Tokenized:
    """Documents as tokens."""

    tokens: NDArray[np.uint16]
    """All documents one after the other."""
    sizes: NDArray[np.int32]
    read: NDArray[np.int32]
    """The number of tokens at the start of each document that are read and not learned."""


def tokenize(tokenizer: Tokenizer, documents: list[Document]) -> Tokenized:
    """Encode prompts and replies apart, so that the border between them is a token border."""
    prompts = tokenizer.encode_batch([d.prompt for d in documents], add_special_tokens=False)
    replies = tokenizer.encode_batch([d.reply for d in documents], add_special_tokens=False)
    ids = [p.ids + r.ids for p, r in zip(prompts, replies, strict=True)]
    return Tokenized(
        np.concatenate([np.asarray(i, dtype=np.uint16) for i in ids]),
        np.asarray([len(i) for i in ids], dtype=np.int32),
        np.asarray([len(p.ids) for p in prompts], dtype=np.int32),
    )


def make_shard(tokenizer: Tokenizer, maker: str, seed: int, index: int, size: int) -> Tokenized:
    """Make shard number ``index`` of a stream: always the same documents."""
    rng = random.Random(f"{maker} {seed} {index}")
    return tokenize(tokenizer, [MAKERS[maker](rng) for _ in range(size)])


def _work(path: str, maker: str, seed: int, size: int, worker: int, workers: int, queue: object) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(path)
    index = worker
    while True:
        queue.put(make_shard(tokenizer, maker, seed, index, size))  # type: ignore[attr-defined]
        index += workers


class Feed:
    """A stream of shards, made ahead by worker processes."""

    def __init__(self, tokenizer: str, maker: str, seed: int, size: int = 8192, workers: int = 12) -> None:
        context = multiprocessing.get_context("spawn")
        self.queues = [context.Queue(maxsize=2) for _ in range(workers)]
        self.workers = [
            context.Process(target=_work, args=(tokenizer, maker, seed, size, i, workers, queue), daemon=True)
            for i, queue in enumerate(self.queues)
        ]
        for worker in self.workers:
            worker.start()

    def __iter__(self) -> Iterator[Tokenized]:
        while True:
            for queue in self.queues:
                yield queue.get()

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.terminate()


WIDTHS = (96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512, 640, 768, 1024, 1280)
"""Lengths that sequences are padded to: few enough that a GPU graph can be kept for each."""


@dataclass(frozen=True)
class Batch:
    """Sequences padded at the end, and what each token's loss counts."""

    ids: Tensor
    """[B, T]; B depends on T alone."""
    weight: Tensor
    """[B, T - 1]: how much the loss of the token after each state counts; 0 for what is only read."""


def rows_for(width: int, tokens: int) -> int:
    """Return the number of sequences of this width in a batch of ``tokens`` tokens."""
    return max(1, tokens // width)


def batches(shard: Tokenized, tokens: int, groups: int, seed: int) -> Iterator[list[Batch]]:
    """Yield optimizer steps, each of one batch from every length group, so that every step has all lengths.

    Weights add up to 1 over a step.

    Args:
        shard: The documents; those longer than the largest width are left out.
        tokens: Size of one batch in tokens, padding included.
        groups: Number of batches in a step.
        seed: Seed of the order of batches.
    """
    starts = np.concatenate([[0], np.cumsum(shard.sizes)])
    order = np.argsort(shard.sizes, kind="stable")
    order = order[shard.sizes[order] <= WIDTHS[-1]]
    mass = np.cumsum(shard.sizes[order])
    bounds = np.searchsorted(mass, np.linspace(0, mass[-1], groups + 1)[1:-1])
    rng = random.Random(seed)
    lists = [list(_cut(part, shard.sizes, tokens)) for part in np.split(order, bounds)]
    for part in lists:
        rng.shuffle(part)
    for step in zip(*lists, strict=False):
        count = sum(int((shard.sizes[c] - np.maximum(shard.read[c], 1)).sum()) for c, _ in step)
        yield [_pad(shard, starts, chosen, width, tokens, 1.0 / count) for chosen, width in step]


def _cut(
    order: NDArray[np.int64], sizes: NDArray[np.int32], tokens: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield the documents of one batch after the other, with the batch's width; the longest come first."""
    end = len(order)
    while end > 0:
        width = next(w for w in WIDTHS if w >= sizes[order[end - 1]])
        begin = max(0, end - rows_for(width, tokens))
        yield order[begin:end], width
        end = begin


def _pad(
    shard: Tokenized,
    starts: NDArray[np.int64],
    chosen: NDArray[np.int64],
    width: int,
    tokens: int,
    weight: float,
) -> Batch:
    rows = rows_for(width, tokens)
    ids = np.zeros((rows, width), dtype=np.int64)
    weights = np.zeros((rows, width - 1), dtype=np.float32)
    for row, document in enumerate(chosen):
        size, read = int(shard.sizes[document]), int(shard.read[document])
        ids[row, :size] = shard.tokens[starts[document] : starts[document] + size]
        weights[row, max(read, 1) - 1 : size - 1] = weight
    return Batch(torch.from_numpy(ids), torch.from_numpy(weights))
