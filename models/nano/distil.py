"""A draft for speculative decoding: a smaller model that learns the probabilities of its teacher's next tokens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import torch
from tokenizers import Tokenizer
from torch import Tensor

from k2eval.recipes import judge_messages, plan_messages, with_plan

from .documents import END, Document, candidate, draw_item, prompt_text
from .feed import Tokenized, tokenize
from .item import Ask
from .learn import Loss, Schedule, fit
from .model import Nano
from .pen import POOR, STUDENT
from .sampler import LONGEST_PROMPT, Sampler
from .tokens import token_id

SHARD = 1024


def distil(
    model: Nano,
    teacher: Nano,
    tokenizer: Tokenizer,
    shards: Iterator[Tokenized],
    schedule: Schedule,
    prompts: int,
    seed: int,
) -> None:
    """Learn the teacher's probabilities: on demonstrations for most of the steps, then on the teacher's replies.

    Args:
        model: The draft.
        teacher: The model whose probabilities the draft learns.
        tokenizer: The tokenizer of both models.
        shards: Demonstrations.
        schedule: The schedule of the whole training.
        prompts: Number of the teacher's replies to learn from.
        seed: Seed of the prompts and the replies.
    """
    start_from(model, teacher)
    first = replace(schedule, steps=schedule.steps * 9 // 16, floor=0.25)
    loss = match(teacher.requires_grad_(False))
    fit(model, shards, first, loss=loss, seed=seed, name="draft on demonstrations")
    replies = teacher_replies(teacher, tokenizer, prompts, seed)
    rest = replace(schedule, steps=schedule.steps - first.steps, rate=0.75 * schedule.rate, warmup=20)
    fit(model, cycle(replies), rest, loss=loss, seed=seed, name="draft on replies")


def match(teacher: Nano) -> Loss:
    """Return the cross-entropy with all the teacher's probabilities as a loss (Hinton et al., arXiv 1503.02531)."""

    def loss(model: Nano, ids: Tensor, weight: Tensor) -> Tensor:
        with torch.no_grad():
            targets = teacher.logits(teacher(ids)[:, :-1]).float().softmax(-1)
        scores = model.logits(model(ids)[:, :-1]).float().log_softmax(-1)
        return -((targets * scores).sum(-1) * weight).sum()

    return loss


def start_from(model: Nano, teacher: Nano) -> None:
    """Take over the teacher's embedding, turned onto its principal directions and cut to the model's width."""
    known = teacher.model.embed_tokens.weight.detach().float()
    _, _, directions = torch.linalg.svd(known - known.mean(0), full_matrices=False)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(known @ directions[: model.shape.width].T)


def teacher_replies(teacher: Nano, tokenizer: Tokenizer, count: int, seed: int) -> list[Tokenized]:
    """Draw the teacher's replies to training prompts of all stages, sampled as in evaluation."""
    rng = random.Random(f"draft {seed}")
    torch.manual_seed(seed)
    end = token_id(tokenizer, END)
    sampler = Sampler(teacher, end=end, most=576, top_p=0.95, batch=min(SHARD, count))
    shards = []
    for start in range(0, count, SHARD):
        drawn = [_prompt(rng, rng.choice(draw_item(rng).asks)) for _ in range(min(SHARD, count - start))]
        encoded = tokenizer.encode_batch(drawn, add_special_tokens=False)
        short = [
            (text, e.ids) for text, e in zip(drawn, encoded, strict=True) if len(e.ids) <= LONGEST_PROMPT
        ]
        draws = sampler([ids for _, ids in short])
        documents = [
            Document(text, tokenizer.decode(draw.tokens, skip_special_tokens=False))
            for (text, _), draw in zip(short, draws, strict=True)
            if draw.finished
        ]
        if documents:
            shards.append(tokenize(tokenizer, documents))
    return shards


def _prompt(rng: random.Random, ask: Ask) -> str:
    stage = rng.choices(("plain", "plan", "with_plan", "judge"), (7, 1, 2, 2))[0]
    if stage == "plain":
        return prompt_text(ask.messages)
    if stage == "plan":
        return prompt_text(plan_messages(ask.messages))
    if stage == "with_plan":
        return prompt_text(with_plan(ask.messages, ask.plan_text))
    pair = [candidate(ask.solve(rng, habits), rng) for habits in (STUDENT, POOR)]
    rng.shuffle(pair)
    return prompt_text(judge_messages(ask.messages[-1].content, *pair))
