"""Sample many replies at once from a small model, with a static key-value cache and GPU graphs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .model import HEAD, Nano

_SMALLEST = 256
"""A smaller batch takes no share of the work off a batch smaller than this."""
_STRIDE = 128
"""Attention reaches over a multiple of so many positions: one graph for each."""


LONGEST_PROMPT = 1024


@dataclass(frozen=True)
class Draw:
    """One sampled reply."""

    tokens: list[int]
    """Without the prompt; the end token included where the model came to it."""
    logprobs: list[float]
    """Log-probabilities of the tokens, at temperature 1 over the whole vocabulary."""
    finished: bool


class Sampler:
    """A sampler with its own copy of a model, in bfloat16 on a GPU. Random numbers come from torch's own seed.

    Args:
        model: The model whose weights are copied; `refresh` copies them again.
        end: The token that ends a reply.
        most: The largest number of tokens of a reply.
        top_p: Keep the smallest set of tokens with this probability together.
        greedy: Take the likeliest token instead of drawing.
        batch: Number of replies sampled at once.
        longest: The longest prompt, in tokens.
        shared: A copy of the model to use instead of a new copy.
    """

    def __init__(
        self,
        model: Nano,
        *,
        end: int,
        most: int,
        top_p: float = 1.0,
        greedy: bool = False,
        batch: int = 2048,
        longest: int = LONGEST_PROMPT,
        shared: Nano | None = None,
    ) -> None:
        self.source, self.end, self.most, self.top_p, self.greedy = model, end, most, top_p, greedy
        self.batch, self.longest = batch, longest
        device = model.cos.device
        self.on_gpu = device.type == "cuda"
        kind = torch.bfloat16 if self.on_gpu else torch.float32
        self.model = copy.deepcopy(model).to(kind).requires_grad_(False) if shared is None else shared
        room = -(-(longest + most) // _STRIDE) * _STRIDE
        self.cache = [
            (torch.zeros(size, dtype=kind, device=device), torch.zeros(size, dtype=kind, device=device))
            for size in [(batch, room, HEAD)] * model.shape.layers
        ]
        self.scores = torch.zeros(batch, model.shape.vocabulary, device=device)
        self.positions = torch.zeros(batch, dtype=torch.long, device=device)
        self.at = torch.zeros(1, dtype=torch.long, device=device)
        self.done = torch.zeros(batch, dtype=torch.bool, device=device)
        self.tokens = torch.zeros(batch, most, dtype=torch.long, device=device)
        self.logprobs = torch.zeros(batch, most, device=device)
        self.graphs = self._capture_all(room) if self.on_gpu else {}
        self.small: Sampler | None = None
        """Takes over when few replies are unfinished."""
        if batch >= _SMALLEST:
            self.small = Sampler(
                model,
                end=end,
                most=most,
                top_p=top_p,
                greedy=greedy,
                longest=longest,
                batch=batch // 4,
                shared=self.model,
            )

    def refresh(self) -> None:
        """Take over the model's weights as they are now."""
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), self.source.parameters(), strict=True):
                mine.copy_(theirs)

    @torch.no_grad()
    def __call__(self, prompts: Sequence[Sequence[int]]) -> list[Draw]:
        """Draw one reply for each prompt, in the order given."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        draws: dict[int, Draw] = {}
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            draws.update(zip(chosen, self._draw([prompts[i] for i in chosen]), strict=True))
        return [draws[i] for i in range(len(prompts))]

    def _draw(self, prompts: list[Sequence[int]]) -> list[Draw]:
        lengths = [len(prompt) for prompt in prompts]
        reach = max(lengths)
        if reach > self.longest:
            raise ValueError(f"Expected prompts of at most {self.longest} tokens, got one of {reach}.")
        self._prefill(prompts, reach)
        self._run(reach, 0)
        tokens, logprobs = self.tokens.tolist(), self.logprobs.tolist()
        return [self._cut(tokens[row], logprobs[row]) for row in range(len(prompts))]

    def _run(self, reach: int, begin: int) -> None:
        """Continue from token number ``begin`` until all replies have ended."""
        for i in range(begin, self.most):
            self._go(-(-(reach + i + 1) // _STRIDE) * _STRIDE)
            if i % 16 == 15:
                left = len(self.done) - int(self.done.sum())
                if left == 0:
                    return
                if self.small is not None and left <= self.small.batch:
                    self._hand_over(self.small, reach, i + 1)
                    return

    def _hand_over(self, small: Sampler, reach: int, begin: int) -> None:
        """Let the smaller sampler finish what is unfinished."""
        rows = (~self.done).nonzero()[:, 0]
        count = len(rows)
        for mine, theirs in zip(self.cache, small.cache, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                b[:count] = a[rows]
        small.positions.zero_()
        small.positions[:count] = self.positions[rows]
        small.scores[:count] = self.scores[rows]
        small.at.copy_(self.at)
        small.tokens.fill_(self.end)
        small.done.fill_(True)
        small.done[:count] = False
        small._run(reach, begin)
        self.tokens[rows, begin:] = small.tokens[:count, begin:]
        self.logprobs[rows, begin:] = small.logprobs[:count, begin:]

    def _cut(self, tokens: list[int], logprobs: list[float]) -> Draw:
        finished = self.end in tokens
        size = tokens.index(self.end) + 1 if finished else len(tokens)
        return Draw(tokens[:size], logprobs[:size], finished)

    def _prefill(self, prompts: list[Sequence[int]], longest: int) -> None:
        device = self.scores.device
        ids = torch.zeros(self.batch, longest, dtype=torch.long)
        lengths = torch.ones(self.batch, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.as_tensor(prompt)
            lengths[row] = len(prompt)
        ids, lengths = ids.to(device), lengths.to(device)
        for start in range(0, self.batch, 512):
            part = slice(start, start + 512)
            hidden, cache = self.model.prefill(ids[part])
            for (keys, values), (k, v) in zip(self.cache, cache, strict=True):
                keys[part, :longest], values[part, :longest] = k, v
            rows = torch.arange(len(hidden), device=device)
            self.scores[part] = self.model.logits(hidden[rows, lengths[part] - 1]).float()
        self.positions.copy_(lengths)
        self.at.zero_()
        self.tokens.fill_(self.end)
        self.done.zero_()
        self.done[len(prompts) :] = True

    def _go(self, reach: int) -> None:
        if self.on_gpu:
            self.graphs[reach].replay()
        else:
            self._advance(reach)

    def _advance(self, reach: int) -> None:
        """Draw one more token for each row and score what may follow it."""
        new, logprobs = pick(self.scores, self.top_p, self.greedy)
        new = torch.where(self.done, self.end, new)
        self.tokens.index_copy_(1, self.at, new[:, None])
        self.logprobs.index_copy_(1, self.at, logprobs[:, None])
        self.done.logical_or_(new == self.end)
        self.scores.copy_(self.model.step(new, self.positions, self.cache, reach))
        self.positions.add_(1)
        self.at.add_(1)

    @torch.no_grad()
    def _capture_all(self, room: int) -> dict[int, torch.cuda.CUDAGraph]:
        graphs: dict[int, torch.cuda.CUDAGraph] = {}
        for reach in range(_STRIDE, room + 1, _STRIDE):
            self.positions.zero_()
            self.at.zero_()
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(2):
                    self._advance(reach)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            pool = next(iter(graphs.values())).pool() if graphs else None
            with torch.cuda.graph(graph, pool=pool):
                self._advance(reach)
            graphs[reach] = graph
        return graphs


def pick(scores: Tensor, top_p: float, greedy: bool) -> tuple[Tensor, Tensor]:
    """Pick one token for each row of scores, and return its log-probability before any cut."""
    logprobs = scores.log_softmax(-1)
    if greedy:
        new = scores.argmax(-1)
    else:
        chances = logprobs.exp()
        if top_p < 1:
            ranked, where = chances.sort(-1, descending=True)
            ranked = ranked.masked_fill(ranked.cumsum(-1) - ranked >= top_p, 0.0)
            chances = torch.zeros_like(chances).scatter(-1, where, ranked)
        # The largest of chance over exponential noise is a draw from the chances.
        new = (chances / torch.empty_like(chances).exponential_()).argmax(-1)
    return new, logprobs.gather(-1, new[:, None])[:, 0]
