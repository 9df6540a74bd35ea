"""Reinforcement learning with verifiable rewards: GRPO over questions, planned questions and judgements.

Every round draws several replies to each of many prompts, and rewards the right ones. The policy moves towards
replies that did better than the others to the same prompt (Shao et al., arXiv 2402.03300). There is no division by
the standard deviation (as in Liu et al., arXiv 2503.20783) and no reference policy. Pairs for judging are right and
wrong replies of the round before. Demonstrations of planning are mixed in, so that planning is not forgotten.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from k2eval.recipes import judge_messages, with_plan

from .documents import END, draw_item, plan_document, prompt_text
from .feed import Batch, batches, tokenize
from .item import Ask
from .learn import Gradient, descend, next_token_loss, optimizer_for, set_rate
from .model import Nano
from .rewards import JUDGE, Try, after_thinking
from .sampler import LONGEST_PROMPT, Draw, Sampler
from .tokens import token_id

Grade = Callable[[list[Try]], list[float]]


@dataclass(frozen=True)
class Policy:
    """The settings of reinforcement learning."""

    rounds: int
    """The learning rate falls as over so many rounds."""
    rate: float
    last: int | None = None
    """Stop early, after this round."""
    prompts: int = 448
    replies: int = 8
    batch: int = 1792
    """Replies sampled at once."""
    most: int = 576
    """Longest reply; a longer one is wrong."""
    clip: float = 0.2
    minibatches: int = 4
    shares: tuple[float, float, float] = (0.55, 0.2, 0.25)
    """Shares of plain questions, questions with a plan, and judgements."""
    keep: float = 0.1
    """Weight of the demonstrations of planning."""
    share: float = 0.5
    """Share of the trained weights in the final average with the weights before (Ramé et al., arXiv 2406.16768).

    The average answers better than both models, and varies more than the trained one, so that votes gain more."""


class Prompt(NamedTuple):
    """A prompt to sample from, and its right answer."""

    text: str
    kind: str
    gold: str
    ask: Ask


class Rounds:
    """Reinforcement learning of one model."""

    def __init__(self, model: Nano, tokenizer: Tokenizer, grade: Grade, policy: Policy, seed: int) -> None:
        self.model, self.tokenizer, self.grade, self.policy, self.seed = model, tokenizer, grade, policy, seed
        self.sampler = Sampler(model, end=token_id(tokenizer, END), most=policy.most, batch=policy.batch)
        self.plans = Gradient(model, lambda *batch: policy.keep * next_token_loss(*batch))
        self.pairs: list[Prompt] = []

    def run(self) -> None:
        """Run all rounds, and print a line for every tenth."""
        torch.manual_seed(self.seed)
        rng = random.Random(f"rl {self.seed}")
        optimizer = optimizer_for(self.model, self.policy.rate)
        started, tallies = time.time(), defaultdict(list)
        for number in range(self.policy.last or self.policy.rounds):
            rise, fall = min(1.0, (number + 1) / 10), max(0.1, 1 - number / self.policy.rounds)
            set_rate(optimizer, self.policy.rate * rise * fall)
            prompts = self.draw_prompts(rng)
            draws, rewards = self.roll_out(prompts)
            for prompt, wins in zip(prompts, rewards, strict=True):
                tallies[prompt.kind].append(float(np.mean(wins)))
            self.update(optimizer, prompts, draws, rewards, number)
            if number % 10 == 9:
                means = " ".join(f"{kind} {100 * np.mean(v):.1f}" for kind, v in sorted(tallies.items()))
                size = np.mean([len(draw.tokens) for draw in draws])
                spent = time.time() - started
                print(f"rl round {number + 1} {means} tokens {size:.0f} {spent:.0f}s", flush=True)
                tallies.clear()

    def draw_prompts(self, rng: random.Random) -> list[Prompt]:
        """Draw the prompts of one round."""
        plain, planned, judged = (round(s * self.policy.prompts) for s in self.policy.shares)
        prompts = []
        for i in range(plain + planned):
            item = draw_item(rng)
            ask = rng.choice(item.asks)
            messages = ask.messages if i < plain else with_plan(ask.messages, ask.plan_text)
            prompts.append(Prompt(prompt_text(messages), item.kind, ask.gold, ask))
        rng.shuffle(self.pairs)
        chosen = prompts + self.pairs[:judged]
        sizes = [len(ids) for ids in self._encode(chosen)]
        return [prompt for prompt, size in zip(chosen, sizes, strict=True) if size <= LONGEST_PROMPT]

    def roll_out(self, prompts: list[Prompt]) -> tuple[list[Draw], list[list[float]]]:
        """Draw replies to each prompt, one prompt after the other, and their rewards."""
        many = self.policy.replies
        self.sampler.refresh()
        draws = self.sampler([ids for ids in self._encode(prompts) for _ in range(many)])
        texts = self.tokenizer.decode_batch([d.tokens for d in draws], skip_special_tokens=True)
        tries = [Try(prompts[i // many].kind, prompts[i // many].gold, text) for i, text in enumerate(texts)]
        graded = self.grade(tries)
        rewards = [graded[i : i + many] for i in range(0, len(graded), many)]
        self._remember_pairs(prompts, texts, rewards)
        return draws, rewards

    def _remember_pairs(self, prompts: list[Prompt], texts: list[str], rewards: list[list[float]]) -> None:
        many = self.policy.replies
        pairs = []
        for number, (prompt, wins) in enumerate(zip(prompts, rewards, strict=True)):
            if prompt.kind == JUDGE or not 0 < sum(wins) < many:
                continue
            replies = texts[number * many : (number + 1) * many]
            right, wrong = (after_thinking(replies[wins.index(value)]) for value in (1.0, 0.0))
            if right and wrong:
                better = number % 2
                shown = (wrong, right) if better else (right, wrong)
                text = prompt_text(judge_messages(prompt.ask.messages[-1].content, *shown))
                pairs.append(Prompt(text, JUDGE, str(better), prompt.ask))
        self.pairs = pairs

    def update(
        self,
        optimizer: torch.optim.Optimizer,
        prompts: list[Prompt],
        draws: list[Draw],
        rewards: list[list[float]],
        number: int,
    ) -> None:
        """Move the policy towards the better replies."""
        rows: list[Row] = []
        encoded = self._encode(prompts)
        for i, draw in enumerate(draws):
            wins = rewards[i // self.policy.replies]
            advantage = wins[i % self.policy.replies] - float(np.mean(wins))
            if advantage:
                rows.append((encoded[i // self.policy.replies], draw, advantage))
        random.Random(number).shuffle(rows)
        size = max(1, -(-len(rows) // self.policy.minibatches))
        plans = self._plan_batches(number)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            tokens = sum(len(draw.tokens) for _, draw, _ in part)
            for lot in _padded(part, self.model.cos.device):
                (self._loss(lot) / tokens).backward()
            for batch in plans:
                self.plans.add(batch)
            descend(self.model, optimizer)

    def _loss(self, lot: Lot) -> Tensor:
        device = lot.ids.device.type
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            scores = self.model.logits(self.model(lot.ids)[:, :-1]).float()
        logprobs = scores.log_softmax(-1).gather(-1, lot.ids[:, 1:, None])[..., 0]
        ratio = (logprobs - lot.old).exp()
        bound = ratio.clamp(1 - self.policy.clip, 1 + self.policy.clip)
        return -torch.minimum(ratio * lot.gain, bound * lot.gain).sum()

    def _encode(self, prompts: list[Prompt]) -> list[list[int]]:
        texts = [prompt.text for prompt in prompts]
        return [e.ids for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def _plan_batches(self, number: int) -> list[Batch]:
        rng = random.Random(f"plans {self.seed} {number}")
        documents = [plan_document(rng, rng.choice(draw_item(rng).asks)) for _ in range(80)]
        shard = tokenize(self.tokenizer, documents)
        return next(batches(shard, 32_768, 1, 0))


Row = tuple[list[int], Draw, float]


class Lot(NamedTuple):
    """Replies of similar length; everything but the ids is [B, T - 1] and 0 outside the replies."""

    ids: Tensor
    old: Tensor
    """Log-probability of each token when it was drawn."""
    gain: Tensor
    """Advantage of the reply."""


def _padded(rows: list[Row], device: torch.device, tokens: int = 65_536) -> Iterator[Lot]:
    rows = sorted(rows, key=lambda row: len(row[0]) + len(row[1].tokens))
    while rows:
        width = len(rows[-1][0]) + len(rows[-1][1].tokens)
        count = max(1, tokens // width)
        part, rows = rows[-count:], rows[:-count]
        ids = np.zeros((len(part), width), dtype=np.int64)
        old = np.zeros((len(part), width - 1), dtype=np.float32)
        gain = np.zeros((len(part), width - 1), dtype=np.float32)
        for row, (prompt, draw, advantage) in enumerate(part):
            begin, size = len(prompt), len(prompt) + len(draw.tokens)
            ids[row, :size] = prompt + draw.tokens
            old[row, begin - 1 : size - 1] = draw.logprobs
            gain[row, begin - 1 : size - 1] = advantage
        yield Lot(*(torch.from_numpy(x).to(device, non_blocking=True) for x in (ids, old, gain)))
