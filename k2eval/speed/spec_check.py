"""``k2eval spec-check``: run the same prompts with and without speculation, and test that only speed changes.

The speculating engine runs first. The plain engine answers the same prompts, then scores the samples of both. So
two engine starts are enough.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from k2eval.config import RunConfig
from k2eval.engines import Prompt
from k2eval.engines.vllm import Continuation, Probe, kept_on_failure
from k2eval.errors import ConfigError
from k2eval.grading import GradingJob, grade_all
from k2eval.records import Question, SampleKey, Sampling, SpeculativeCounts, derive_seed
from k2eval.run import Work
from k2eval.speed.lossless import Divergence, Drift, Judgement, divergence, drifts, gap_noise, judge
from k2eval.statistics import in_words
from k2eval.system import terminal

_SHOWN = 8
T = TypeVar("T")


@dataclass(slots=True)
class Side:
    """The answers of one engine to the prompts."""

    greedy: list[Continuation] = field(default_factory=list)
    samples: list[list[Continuation]] = field(default_factory=list)
    """Samples at temperature 1, of shape (questions, samples)."""
    seconds: float = 0.0
    tokens: int = 0
    speculation: SpeculativeCounts | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of the check."""

    outputs: int
    divergences: list[Divergence]
    noise: float
    drifts: list[Drift]
    plain: Side
    speculative: Side
    judgement: Judgement


def spec_check_command(config: RunConfig, samples: int, max_tokens: int, log: Path | None) -> int:
    """Check and print; return 0 if nothing shows a loss, else 1."""
    if not config.speculative:
        raise ConfigError("Nothing to check: give --speculative, such as draft=PATH,tokens=3 or ngram.")
    if config.engine.kind != "vllm":
        raise ConfigError(
            f"spec-check needs the vllm engine; it cannot see into the {config.engine.kind} engine."
        )
    console = terminal()
    work = Work(config)
    prompted = [
        (
            question,
            work.sampling_of(questions).model_copy(update={"temperature": 1.0, "max_tokens": max_tokens}),
        )
        for questions in work.sets
        for question in questions.questions()
    ]
    console.print(
        f"[bold]{config.model}[/] with and without {config.speculative}: {len(prompted)} prompts, once greedily and "
        f"{samples} times at temperature 1, up to {max_tokens} tokens each",
        soft_wrap=True,
        highlight=False,
    )
    with kept_on_failure(log) as file:
        findings = asyncio.run(check(config, prompted, samples, file))
    report(findings, console)
    return int(not findings.judgement.lossless)


async def check(
    config: RunConfig, prompted: Sequence[tuple[Question, Sampling]], samples: int, log: Path | None
) -> Findings:
    """Run both engines one after the other and compare.

    Args:
        config: Model, engine arguments and speculation.
        prompted: Questions with their sampling; greedy outputs have the same limits.
        samples: Answers to each question at temperature 1.
        log: File for the output of the engines.
    """
    from k2eval.engines.vllm import VllmEngine

    arguments = config.engine.arguments
    async with Probe(VllmEngine(config.model, arguments, config.speculative, log)) as probe:
        info = probe.engine.info
        if "speculative_config" not in info.settings:
            words = "; ".join(note.text for note in info.notes)
            raise ConfigError(f"Nothing to check, since vLLM started without speculation: {words}.")
        speculative = await _answer(probe, prompted, samples, config.seed)
    # vLLM needs the first engine's memory back before the second one asks for it.
    await asyncio.sleep(1.0)
    async with Probe(VllmEngine(config.model, arguments, None, log)) as probe:
        # The seeds differ from the first engine's: if engines honour seeds, equal samples would prove nothing.
        plain = await _answer(probe, prompted, samples, config.seed + 1, top=2)
        prompts = [probe.prompt_ids(Prompt(messages=question.messages)) for question, _ in prompted]
        again = await _all(
            probe.score(ids, output.ids, top=2) for ids, output in zip(prompts, plain.greedy, strict=True)
        )
        likelihoods = [await _likelihoods(probe, prompts, side) for side in (plain, speculative)]
    noise = gap_noise([output.top for output in plain.greedy], again)
    compared = [
        divergence(f"{question.task} {question.id}", output.ids, output.top, other.ids, noise)
        for (question, _), output, other in zip(prompted, plain.greedy, speculative.greedy, strict=True)
    ]
    divergences = [divergent for divergent in compared if divergent is not None]
    measured = [
        _statistics(prompted, side, likelihood)
        for side, likelihood in zip((plain, speculative), likelihoods, strict=True)
    ]
    drifted = drifts(*measured)
    drafted = speculative.speculation.drafted_tokens if speculative.speculation else 0
    judgement = judge(len(prompted), divergences, noise, drifted, drafted)
    return Findings(len(prompted), divergences, noise, drifted, plain, speculative, judgement)


async def _answer(
    probe: Probe, prompted: Sequence[tuple[Question, Sampling]], samples: int, seed: int, *, top: int = 0
) -> Side:
    side = Side()
    prompts = [probe.prompt_ids(Prompt(messages=question.messages)) for question, _ in prompted]
    greedy = [sampling.model_copy(update={"temperature": 0.0}) for _, sampling in prompted]
    side.greedy = await _all(
        probe.complete(ids, sampling, 0, top=top) for ids, sampling in zip(prompts, greedy, strict=True)
    )
    # The greedy answers have warmed the engine up.
    start = time.perf_counter()
    flat = await _all(
        probe.complete(
            ids, sampling, derive_seed(seed, SampleKey(question.task, question.id, number), "spec-check")
        )
        for ids, (question, sampling) in zip(prompts, prompted, strict=True)
        for number in range(samples)
    )
    side.seconds = time.perf_counter() - start
    side.samples = [flat[place : place + samples] for place in range(0, len(flat), samples)]
    side.tokens = sum(len(sample.ids) for sample in flat)
    side.speculation = await probe.speculation()
    return side


async def _likelihoods(probe: Probe, prompts: Sequence[list[int]], side: Side) -> list[list[float]]:
    """Return the mean log-probability per token that the plain target gives each sample."""
    scored = await _all(
        probe.score(ids, sample.ids)
        for ids, answers in zip(prompts, side.samples, strict=True)
        for sample in answers
    )
    tokens = [sample.ids for answers in side.samples for sample in answers]
    means = [
        float(np.mean([entry[token] for entry, token in zip(scores, ids, strict=True)])) if ids else np.nan
        for scores, ids in zip(scored, tokens, strict=True)
    ]
    width = len(side.samples[0]) if side.samples else 1
    return [means[start : start + width] for start in range(0, len(means), width)]


async def _all(coroutines: Iterable[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*coroutines))


def _statistics(
    prompted: Sequence[tuple[Question, Sampling]], side: Side, likelihoods: list[list[float]]
) -> dict[str, Sequence[Sequence[float]]]:
    items = [
        GradingJob(question, sample.text, sample.truncated)
        for (question, _), answers in zip(prompted, side.samples, strict=True)
        for sample in answers
    ]
    grades = [grade.score for grade in grade_all(items)]
    scores = iter([np.nan if score is None else score for score in grades])
    return {
        "score": [[next(scores) for _ in answers] for answers in side.samples],
        "tokens per answer": [[float(len(sample.ids)) for sample in answers] for answers in side.samples],
        "log-probability per token": likelihoods,
    }


def report(findings: Findings, console: Console) -> None:
    """Print the findings, the conclusion last."""
    say = console.print
    same = findings.outputs - len(findings.divergences)
    say(f"Greedy: {same} of {findings.outputs} outputs identical, token by token.", highlight=False)
    for divergent in sorted(findings.divergences, key=lambda divergent: -divergent.gap)[:_SHOWN]:
        kind = "a tie" if divergent.tie else "[bold red]not a tie[/]"
        gap = f"{divergent.gap:.4f} nats" if np.isfinite(divergent.gap) else "not among the target's top two"
        say(
            f"  {divergent.prompt}: first differs at token {divergent.position}, {gap}: {kind}",
            soft_wrap=True,
            highlight=False,
        )
    say(
        f"  Noise: computing the same tokens in another shape moves the gap of close top-two tokens by up to "
        f"{findings.noise:.4f} nats.",
        soft_wrap=True,
        highlight=False,
    )
    table = Table(title="At temperature 1", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("statistic", "plain", "speculative", "would show", "p"):
        table.add_column(heading, justify="left" if heading == "statistic" else "right")
    for drift in findings.drifts:
        table.add_row(
            drift.name,
            f"{drift.plain:.4f}",
            f"{drift.speculative:.4f}",
            f"±{drift.shows:.4f}",
            f"{drift.p:.3f}",
        )
    say(table)
    if findings.speculative.speculation:
        say(f"Speculation: {in_words(findings.speculative.speculation)}.", soft_wrap=True, highlight=False)
    speeds = [side.tokens / side.seconds for side in (findings.plain, findings.speculative)]
    say(
        f"Output tokens/s at temperature 1, all samples at once: {speeds[0]:,.0f} plain, {speeds[1]:,.0f} speculative "
        f"({speeds[1] / speeds[0]:.2f}x). `k2eval speed` measures this properly.",
        soft_wrap=True,
        highlight=False,
    )
    colour = "green" if findings.judgement.lossless else "red"
    say(f"[bold {colour}]{findings.judgement.sentence}[/]", soft_wrap=True, highlight=False)
