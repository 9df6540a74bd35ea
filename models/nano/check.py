"""Quick scores during training, with our own sampler: no engine needed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import numpy as np
import torch
from tokenizers import Tokenizer

from k2eval.recipes import judge_messages, plan_messages, with_plan

from .documents import END, prompt_text
from .item import LEVELS, Ask
from .model import Nano
from .questions import KINDS, test_items
from .reinforce import Grade
from .rewards import JUDGE, Try, after_thinking, final_answer
from .sampler import LONGEST_PROMPT, Sampler
from .tokens import token_id


def check(
    model: Nano,
    tokenizer: Tokenizer,
    grade: Grade,
    *,
    runs: int = 8,
    seed: int = 7,
    most: int = 576,
    recipes: bool = True,
    per_level: int = 10,
) -> dict[str, dict[str, float]]:
    """Average, pass@k and majority of the test questions, for each kind; also planned, and judging."""
    torch.manual_seed(seed)
    speak = Speaker(model, tokenizer, most, batch=runs * per_level * len(LEVELS))
    table: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        items = list(test_items(kind))
        asks = [(item.level, ask) for item in items for ask in item.asks]
        asks = _thinned(asks, per_level)
        replies = speak([prompt_text(ask.messages) for _, ask in asks for _ in range(runs)])
        right = np.array(grade([Try(kind, asks[i // runs][1].gold, r) for i, r in enumerate(replies)]))
        right = right.reshape(len(asks), runs)
        row = {"avg": 100 * right.mean(), "pass": 100 * (right.max(1)).mean()}
        row["maj"] = 100 * np.mean(
            [_majority(kind, replies[i * runs : (i + 1) * runs], right[i]) for i in range(len(asks))]
        )
        row["tokens"] = float(np.mean(speak.sizes))
        row["ended"] = 100 * float(np.mean(["</answer>" in r for r in replies]))
        levels = defaultdict(list)
        for (level, _), wins in zip(asks, right, strict=True):
            levels[level].append(wins.mean())
        row |= {f"level {level}": 100 * float(np.mean(v)) for level, v in sorted(levels.items())}
        if recipes:
            row["planned"] = 100 * _planned(speak, grade, kind, [ask for _, ask in asks], runs)
            row["judge"], row["judge n"] = _judged(
                speak, kind, [ask for _, ask in asks], replies, right, seed
            )
        table[kind] = row
        print(kind, " ".join(f"{name} {value:.1f}" for name, value in row.items()), flush=True)
    return table


def _thinned(asks: list[tuple[int, Ask]], per_level: int) -> list[tuple[int, Ask]]:
    counts: Counter[int] = Counter()
    chosen = []
    for level, ask in asks:
        counts[level] += 1
        if counts[level] <= per_level:
            chosen.append((level, ask))
    return chosen


class Speaker:
    """Texts for prompts, at the temperature and top-p of evaluation."""

    def __init__(self, model: Nano, tokenizer: Tokenizer, most: int, batch: int) -> None:
        self.tokenizer = tokenizer
        self.sampler = Sampler(model, end=token_id(tokenizer, END), most=most, top_p=0.95, batch=batch)
        self.sizes: list[int] = []

    def __call__(self, prompts: list[str]) -> list[str]:
        """Draw one reply for each prompt."""
        ids = [e.ids for e in self.tokenizer.encode_batch(prompts, add_special_tokens=False)]
        draws = self.sampler([i if len(i) <= LONGEST_PROMPT else i[:1] for i in ids])
        self.sizes = [len(draw.tokens) for draw in draws]
        return list(self.tokenizer.decode_batch([d.tokens for d in draws], skip_special_tokens=True))


def _majority(kind: str, replies: list[str], right: np.ndarray) -> float:
    votes = Counter(answer for r in replies if (answer := final_answer(kind, r)) is not None)
    if not votes:
        return 0.0
    best = votes.most_common(1)[0][0]
    return float(next(w for r, w in zip(replies, right, strict=True) if final_answer(kind, r) == best))


def _planned(speak: Speaker, grade: Grade, kind: str, asks: list[Ask], runs: int) -> float:
    plans = speak([prompt_text(plan_messages(ask.messages)) for ask in asks for _ in range(runs)])
    prompts = [
        prompt_text(with_plan(asks[i // runs].messages, plan.partition("<plan>")[2].partition("</plan>")[0]))
        for i, plan in enumerate(plans)
    ]
    return float(np.mean(grade([Try(kind, asks[i // runs].gold, r) for i, r in enumerate(speak(prompts))])))


def _judged(
    speak: Speaker, kind: str, asks: list[Ask], replies: list[str], right: np.ndarray, seed: int
) -> tuple[float, float]:
    """Return the share of pairs, in percent, in which a judge chooses the right reply, and the number of pairs."""
    rng, runs = random.Random(seed), right.shape[1]
    prompts, golds = [], []
    for number, (ask, wins) in enumerate(zip(asks, right, strict=True)):
        texts = [after_thinking(reply) for reply in replies[number * runs : (number + 1) * runs]]
        good = [t for t, w in zip(texts, wins, strict=True) if t and w]
        bad = [t for t, w in zip(texts, wins, strict=True) if t and not w]
        for _ in range(4 if good and bad else 0):
            pair, better = [rng.choice(good), rng.choice(bad)], rng.randrange(2)
            shown = pair[::-1] if better else pair
            prompts.append(prompt_text(judge_messages(ask.messages[-1].content, *shown)))
            golds.append(better)
    if not prompts:
        return float("nan"), 0.0
    from .rewards import reward

    replies = speak(prompts)
    return 100 * float(
        np.mean([reward(Try(JUDGE, str(g), r)) for g, r in zip(golds, replies, strict=True)])
    ), len(golds)
