"""Train k2-nano: ``python -m models.nano.train``.

Stages, in order: ``tokenizer``, ``base`` (language modelling on worked solutions), ``sft`` (demonstrations in the
chat format), ``rl`` (verifiable rewards) and ``draft`` (distillation of `rl` for speculative decoding). Each
stage reads the results of earlier stages below ``--out``, and is skipped if its own result is there. So the same
command continues an interrupted training. ``--small`` rehearses everything on a CPU in minutes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from .check import check
from .distil import distil
from .documents import END, END_OF_TEXT
from .feed import Feed, Tokenized
from .learn import Schedule, fit
from .model import DRAFT, NANO, TINY, Nano, Shape, blend, load_checkpoint, save_checkpoint
from .reinforce import Grade, Policy, Rounds
from .rewards import Try, reward
from .tokens import save_tokenizer, token_id, train_tokenizer

STAGES = ("tokenizer", "base", "sft", "rl", "draft")


@dataclass(frozen=True)
class Plan:
    """Sizes and lengths of everything."""

    nano: Shape
    draft: Shape
    base: Schedule
    sft: Schedule
    rl: Policy
    distil: Schedule
    distil_prompts: int
    shard: int = 8192


FULL = Plan(
    nano=NANO,
    draft=DRAFT,
    base=Schedule(steps=5000, rate=3e-3),
    sft=Schedule(steps=1500, rate=1e-3),
    rl=Policy(rounds=36, last=19, rate=3e-4),
    distil=Schedule(steps=2400, rate=4e-3),
    distil_prompts=8192,
)
SMALL = Plan(
    nano=TINY,
    draft=TINY,
    base=Schedule(steps=60, rate=3e-3, tokens=4096, groups=2, warmup=10),
    sft=Schedule(steps=30, rate=1e-3, tokens=4096, groups=2, warmup=10),
    rl=Policy(rounds=2, rate=3e-4, prompts=16, replies=4, batch=64, most=64, minibatches=2),
    distil=Schedule(steps=10, rate=3e-3, tokens=4096, groups=2, warmup=5),
    distil_prompts=64,
    shard=512,
)


@dataclass(frozen=True)
class Training:
    """One training, with its folder."""

    plan: Plan
    out: Path
    seed: int
    device: torch.device
    workers: int
    grade: Grade

    def tokenizer(self) -> None:
        """Fit the tokenizer."""
        train_tokenizer(self.seed).save(str(self.tokenizer_file))

    def base(self) -> None:
        """Train `base` by language modelling on worked solutions."""
        torch.manual_seed(self.seed)
        model = Nano(self.plan.nano).to(self.device)
        self._fit(model, "base", self.plan.base)
        self._save(model, "base")

    def sft(self) -> None:
        """Train `sft` on demonstrations of reasoning, planning and judging."""
        model = self.load("base", self.plan.nano)
        self._fit(model, "chat", self.plan.sft)
        self._save(model, "sft")

    def rl(self) -> None:
        """Train `rl` with verifiable rewards; blend its weights with those of `sft`."""
        model = self.load("sft", self.plan.nano)
        Rounds(model, self.read_tokenizer(), self.grade, self.plan.rl, self.seed).run()
        blend(model, self.load("sft", self.plan.nano), self.plan.rl.share)
        self._save(model, "rl")

    def draft(self) -> None:
        """Train `draft` by distilling `rl`: first on demonstrations, then on the replies of `rl`."""
        torch.manual_seed(self.seed + 1)
        teacher = self.load("rl", self.plan.nano)
        model = Nano(self.plan.draft).to(self.device)
        with self._feed("chat") as shards:
            distil(
                model,
                teacher,
                self.read_tokenizer(),
                shards,
                self.plan.distil,
                self.plan.distil_prompts,
                self.seed,
            )
        self._save(model, "draft")

    @property
    def tokenizer_file(self) -> Path:
        """The file of the tokenizer between stages."""
        return self.out / "tokenizer.json"

    def read_tokenizer(self) -> Tokenizer:
        """Read the tokenizer of this training."""
        return Tokenizer.from_file(str(self.tokenizer_file))

    def load(self, name: str, shape: Shape) -> Nano:
        """Load a checkpoint of this training onto the device."""
        model: Nano = load_checkpoint(self.out / name, shape).to(self.device)
        return model

    def is_done(self, stage: str) -> bool:
        """Tell whether the stage's result is there."""
        result = self.tokenizer_file if stage == "tokenizer" else self.out / stage / "model.safetensors"
        return result.exists()

    def _save(self, model: Nano, name: str) -> None:
        tokenizer = self.read_tokenizer()
        end = END_OF_TEXT if name == "base" else END
        save_checkpoint(model, self.out / name, token_id(tokenizer, end))
        save_tokenizer(tokenizer, self.out / name, end)

    def _fit(self, model: Nano, maker: str, schedule: Schedule) -> None:
        with self._feed(maker) as shards:
            fit(model, shards, schedule, seed=self.seed, name=maker)

    def _feed(self, maker: str) -> Shards:
        return Shards(str(self.tokenizer_file), maker, self.seed, self.plan.shard, self.workers)


class Shards:
    """A feed for a ``with`` block."""

    def __init__(self, *arguments: object) -> None:
        self.feed = Feed(*arguments)  # type: ignore[arg-type]

    def __enter__(self) -> Iterator[Tokenized]:
        return iter(self.feed)

    def __exit__(self, *error: object) -> None:
        self.feed.close()


def pooled(workers: int) -> Grade:
    """Return a function that computes rewards in worker processes."""
    pool = multiprocessing.get_context("spawn").Pool(workers)

    def grade(tries: list[Try]) -> list[float]:
        return pool.map(reward, tries, chunksize=max(1, len(tries) // (4 * workers)))

    return grade


def main() -> None:
    """Run the stages that are not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/nano"), help="folder for the results")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a rehearsal on a CPU")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--check", nargs="*", default=[], metavar="NAME", help="score these checkpoints")
    parser.add_argument("--workers", type=int, default=max(2, (os.cpu_count() or 4) - 4))
    options = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    torch.backends.cuda.matmul.allow_tf32 = True
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plan = SMALL if options.small else FULL
    training = Training(plan, options.out, options.seed, device, options.workers, pooled(options.workers))
    for stage in options.stages:
        if training.is_done(stage):
            continue
        started = time.time()
        run: Callable[[], None] = getattr(training, stage)
        run()
        print(f"{stage}: {time.time() - started:.0f} s", flush=True)
    for name in options.check:
        print(f"== {name}", flush=True)
        shape = plan.draft if name == "draft" else plan.nano
        model = training.load(name, shape)
        size: dict[str, Any] = {"per_level": 1, "runs": 2, "most": 48} if options.small else {}
        table = check(model, training.read_tokenizer(), training.grade, **size)
        (options.out / f"{name}.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
