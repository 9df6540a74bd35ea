"""Supervised learning: the schedule, the loss, the gradient and the steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .feed import Batch, Tokenized, batches
from .model import Nano


@dataclass(frozen=True)
class Schedule:
    """Number of steps, and learning rate."""

    steps: int
    rate: float
    """Peak learning rate."""
    tokens: int = 24_576
    """Size of one batch; a step has ``groups`` of them."""
    groups: int = 4
    warmup: int = 100
    floor: float = 0.02
    """The rate at the end, as a part of the peak."""

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up, then a cosine."""
        rise = min(1.0, (step + 1) / self.warmup)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.steps))))
        return self.rate * rise * (self.floor + (1 - self.floor) * fall)


def optimizer_for(model: Nano, rate: float) -> torch.optim.AdamW:
    """Make AdamW with weight decay on matrices."""
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)


Loss = Callable[[Nano, Tensor, Tensor], Tensor]
"""The weighted loss of ids [B, T] with weights [B, T - 1]."""


def next_token_loss(model: Nano, ids: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted cross-entropy of the next tokens."""
    scores = model.logits(model(ids)[:, :-1]).float().flatten(0, 1)
    return (F.cross_entropy(scores, ids[:, 1:].flatten(), reduction="none") * weight.flatten()).sum()


class Gradient:
    """Adds the gradient of a loss to the parameters; on a GPU by replaying one graph for each batch shape.

    A model this small spends its time in launching kernels otherwise.
    """

    def __init__(self, model: Nano, loss: Loss) -> None:
        self.model, self.loss = model, loss
        self.device = model.cos.device
        self.total = torch.zeros((), device=self.device)
        """The loss summed over all batches so far."""
        self.graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)

    def add(self, batch: Batch) -> None:
        """Add the gradient of one batch."""
        if self.device.type != "cuda":
            self._run(batch.ids, batch.weight)
            return
        if batch.ids.shape not in self.graphs:
            self.graphs[batch.ids.shape] = self._capture(batch)
        graph, ids, weight = self.graphs[batch.ids.shape]
        ids.copy_(batch.ids.pin_memory(), non_blocking=True)
        weight.copy_(batch.weight.pin_memory(), non_blocking=True)
        graph.replay()

    def _run(self, ids: Tensor, weight: Tensor) -> None:
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu, cache_enabled=False):
            value = self.loss(self.model, ids, weight)
        value.backward()
        self.total += value.detach()

    def _capture(self, batch: Batch) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        ids = batch.ids.to(self.device)
        weight = torch.zeros_like(batch.weight, device=self.device)  # so that warming up adds nothing
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._run(ids, weight)
        torch.cuda.current_stream().wait_stream(stream)
        pool = next(iter(self.graphs.values()))[0].pool() if self.graphs else None
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            self._run(ids, weight)
        return graph, ids, weight


def fit(
    model: Nano,
    shards: Iterator[Tokenized],
    schedule: Schedule,
    *,
    loss: Loss = next_token_loss,
    seed: int = 0,
    name: str = "",
) -> None:
    """Learn from a stream of shards."""
    optimizer = optimizer_for(model, schedule.rate)
    gradient = Gradient(model, loss)
    started, seen = time.time(), 0
    for step, group in zip(range(1, schedule.steps + 1), _steps(shards, schedule, seed), strict=False):
        set_rate(optimizer, schedule.rate_at(step - 1))
        for batch in group:
            gradient.add(batch)
            seen += batch.ids.numel()
        descend(model, optimizer)
        if step % 250 == 0 or step == schedule.steps:
            mean = gradient.total.item() / (step % 250 or 250)
            spent = time.time() - started
            print(
                f"{name} step {step} loss {mean:.4f} {seen / spent / 1e6:.2f}M tokens/s {spent:.0f}s",
                flush=True,
            )
            gradient.total.zero_()


def _steps(shards: Iterator[Tokenized], schedule: Schedule, seed: int) -> Iterator[list[Batch]]:
    for number, shard in enumerate(shards):
        yield from batches(shard, schedule.tokens, schedule.groups, seed + number)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate from now on."""
    for part in optimizer.param_groups:
        part["lr"] = rate


def descend(model: Nano, optimizer: torch.optim.Optimizer) -> None:
    """Make one step with the gradient so far, clipped at norm 1, and set the gradient to zero."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
