"""How many tokens a step would make if finished siblings drafted: recorded answers, replayed through suffix trees.

    python -m benchmarks.siblings RUN --places 16

A suffix tree proposes one continuation. A recorded sample agrees with it exactly as often as the target would have
accepted it: verification accepts a certain draft with the probability that the target gives it, and otherwise draws
another token. So replaying samples that were made without speculation measures the acceptance, without any engine.

The samples of RUN (recipe ``plain``) are made again in k2eval's order, first repeats first, with so many places at a
time. Two trees are compared: one over prompt and answer alone, and one with all finished answers of the run, as vLLM's
method ``suffix`` keeps it. Needs the package arctic-inference. The last line is the ratio of both.
"""

from __future__ import annotations

import argparse
import importlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from transformers import AutoTokenizer

from k2eval.journal import GENERATIONS, read_lines, read_run
from k2eval.records import Generation
from k2eval.run import Work

DEPTH, FACTOR, LEAST = 24, 1.0, 0.1
"""vLLM's ``suffix_decoding_max_tree_depth``, ``…_max_spec_factor`` and ``…_min_token_prob``."""
KEPT = 10_000
"""vLLM's ``suffix_decoding_max_cached_requests``."""
GROUPS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 1 << 20))


class Recorded(NamedTuple):
    """One recorded sample."""

    task: str
    question: str
    repeat: int
    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(slots=True)
class Count:
    """Steps of samples, and what they made."""

    steps: int = 0
    tokens: int = 0
    drafted: int = 0
    accepted: int = 0

    @property
    def per_step(self) -> float:
        return self.tokens / self.steps if self.steps else float("nan")


@dataclass(slots=True)
class Running:
    """A sample that is being made."""

    sample: Recorded
    siblings: int
    """Siblings that were finished when it began."""
    made: int = 0
    draft: list[int] = field(default_factory=list)


def main() -> None:
    options = parser().parse_args()
    samples = read(options.run)
    means = []
    for name, kept in (("prompt and answer alone", 0), ("with finished answers", KEPT)):
        by_task, by_siblings = replay(samples, options.places, options.tokens, kept)
        total = [sum(getattr(count, each) for count in by_task.values()) for each in Count.__slots__]
        whole = Count(*total)
        means.append(whole.per_step)
        print(f"{name}: {whole.per_step:.2f} tokens a step, {line(whole)}")
        for task, count in by_task.items():
            print(f"  {task}: {count.per_step:.2f} tokens a step, {line(count)}")
        for (low, high), count in by_siblings.items():
            span = f"{low}" if low == high else f"{low} to {high}" if high < 1 << 20 else f"{low} or more"
            print(f"  {span} siblings finished before: {count.per_step:.2f} tokens a step, {line(count)}")
    print(f"with finished answers / without: {means[1] / means[0]:.2f}")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="Run directory of the recipe plain.")
    parser.add_argument("--places", type=int, default=16, help="Samples at a time.")
    parser.add_argument("--tokens", type=int, default=8, help="Most drafted tokens a step.")
    return parser


def line(count: Count) -> str:
    rate = 100 * count.accepted / count.drafted if count.drafted else 0.0
    return f"{count.drafted / max(1, count.steps):.2f} drafted a step, {rate:.0f} % of them accepted"


def read(folder: Path) -> list[Recorded]:
    """Return the samples of a run, first repeats first."""
    run = read_run(folder)
    tokenizer = AutoTokenizer.from_pretrained(run.config.model)
    prompts = {
        (assignment.question.task, assignment.question.id): encode(
            tokenizer,
            [message.model_dump(include={"role", "content"}) for message in assignment.question.messages],
        )
        for assignment in Work(run.config).assignments()
        if assignment.repeat_index == 0
    }
    samples = [
        Recorded(
            generation.task,
            generation.question_id,
            generation.repeat_index,
            prompts[generation.task, generation.question_id],
            (*tokenizer.encode(generation.text, add_special_tokens=False), tokenizer.eos_token_id),
        )
        for _, generation in read_lines(folder / GENERATIONS, Generation)
        if generation.stage == "solve"
    ]
    return sorted(samples, key=lambda sample: sample.repeat)


def encode(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> tuple[int, ...]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def replay(
    samples: Sequence[Recorded], places: int, tokens: int, kept: int
) -> tuple[dict[str, Count], dict[tuple[int, int], Count]]:
    """Return the counts by task and by the number of siblings that were finished."""
    cache = importlib.import_module("arctic_inference.suffix_decoding").SuffixDecodingCache(
        max_tree_depth=DEPTH, max_cached_requests=kept
    )
    waiting = list(reversed(samples))
    running: dict[int, Running] = {}
    finished: Counter[tuple[str, str]] = Counter()
    by_task: dict[str, Count] = defaultdict(Count)
    by_siblings = {group: Count() for group in GROUPS}
    number = 0
    while waiting or running:
        while waiting and len(running) < places:
            sample = waiting.pop()
            running[number] = Running(sample, finished[sample.task, sample.question])
            cache.start_request(number, np.array(sample.prompt, dtype=np.int32))
            number += 1
        for key, entry in list(running.items()):
            group = next(group for group in GROUPS if group[0] <= entry.siblings <= group[1])
            step(cache, key, entry, tokens, by_task[entry.sample.task], by_siblings[group])
            if entry.made >= len(entry.sample.answer):
                cache.stop_request(key)
                finished[entry.sample.task, entry.sample.question] += 1
                del running[key]
    return by_task, by_siblings


def step(cache: Any, key: int, entry: Running, tokens: int, *counts: Count) -> None:
    """Make the accepted part of the draft and one token more, then draft anew."""
    answer = entry.sample.answer
    accepted = 0
    for token in entry.draft:
        if entry.made + accepted >= len(answer) or answer[entry.made + accepted] != token:
            break
        accepted += 1
    new = answer[entry.made : entry.made + accepted + 1]
    for count in counts:
        count.steps += 1
        count.tokens += len(new)
        count.drafted += len(entry.draft)
        count.accepted += accepted
    entry.made += len(new)
    cache.add_active_response(key, list(new))
    text = (*entry.sample.prompt, *answer[: entry.made])
    draft = cache.speculate(
        key,
        np.array(text[-DEPTH:], dtype=np.int32),
        max_spec_tokens=tokens,
        max_spec_factor=FACTOR,
        min_token_prob=LEAST,
    )
    entry.draft = list(draft.token_ids)


if __name__ == "__main__":
    main()
