"""A draft for speculative decoding: a smaller model that learns the distribution of its teacher."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle

import torch
from tokenizers import Tokenizer

from k2eval.recipes.prompts import judge_messages, plan_messages, with_plan

from .documents import END, Document, candidate, draw_item, prompt_text
from .feed import Tokenized, tokenize
from .item import Ask
from .learn import Schedule, distillation_loss, fit
from .model import Nano
from .pen import POOR, STUDENT
from .sampler import LONGEST_PROMPT, Sampler

SHARD = 8192


def distil(
    model: Nano,
    teacher: Nano,
    tokenizer: Tokenizer,
    shards: Iterator[Tokenized],
    schedule: Schedule,
    prompts: int,
    seed: int,
) -> None:
    """Learn from the teacher on demonstrations for a third of the steps, then on its own replies.

    Args:
        model: The draft.
        teacher: What it shall predict.
        tokenizer: Shared by both.
        shards: Demonstrations.
        schedule: Of the whole.
        prompts: How many replies of the teacher to learn from.
        seed: Of the prompts and the replies.
    """
    start_from(model, teacher)
    first = Schedule(
        schedule.steps // 3, schedule.rate, schedule.tokens, schedule.groups, schedule.warmup, 0.5
    )
    fit(model, shards, first, loss=distillation_loss(teacher), seed=seed, name="draft on demonstrations")
    replies = teacher_replies(teacher, tokenizer, prompts, seed)
    rest = Schedule(schedule.steps - first.steps, schedule.rate / 2, schedule.tokens, schedule.groups, 20)
    fit(model, cycle(replies), rest, loss=distillation_loss(teacher), seed=seed, name="draft on replies")


def start_from(model: Nano, teacher: Nano) -> None:
    """Take over the teacher's embedding, turned onto its principal directions and cut to the model's width."""
    known = teacher.model.embed_tokens.weight.detach().float()
    _, _, directions = torch.linalg.svd(known - known.mean(0), full_matrices=False)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(known @ directions[: model.shape.width].T)


def teacher_replies(teacher: Nano, tokenizer: Tokenizer, count: int, seed: int) -> list[Tokenized]:
    """What the teacher says to training prompts of all stages."""
    rng = random.Random(f"draft {seed}")
    torch.manual_seed(seed)
    sampler = Sampler(teacher, end=tokenizer.token_to_id(END), most=576, batch=min(2048, count))
    shards = []
    for start in range(0, count, SHARD):
        texts = [_prompt(rng, rng.choice(draw_item(rng).asks)) for _ in range(min(SHARD, count - start))]
        ids = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
        kept = [i for i in range(len(ids)) if len(ids[i]) <= LONGEST_PROMPT]
        texts, ids = [texts[i] for i in kept], [ids[i] for i in kept]
        draws = sampler(ids)
        documents = [
            Document(text, tokenizer.decode(draw.tokens, skip_special_tokens=False))
            for text, draw in zip(texts, draws, strict=True)
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
