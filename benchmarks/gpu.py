"""The measurements of one large GPU, in calls of at most ten minutes.

    python -m benchmarks.gpu roof same drafts --small models/nano/rl --draft models/nano/draft --shape 32b
    python -m benchmarks.gpu busy --small models/nano/rl --shape 7b

``roof``: tokens/s at 1, 16, 64 and 256 requests against the limit from reading weights and keys. ``same``: whether the
grown model and the small one write the same texts. ``busy``: k2eval's ``plain`` recipe on many questions and repeats,
the share of the engine's places that are taken until 2 % of the answers are left, and bare vLLM on the same requests.
``beside``: the engine's speed while programs are graded beside it, and while nothing is graded. ``drafts``: real
questions at 1 and 256 requests, without and with speculation. ``auto``: the same with drafts by the schedule that
follows from these speeds. ``scan``: the speeds behind a schedule in one start, in which the number of drafted tokens
changes. ``plain``: the same without drafts, which ``drafts`` and ``auto`` measure too. ``whole``: a whole run of k2eval
with its tail, without speculation and, beside ``auto``, by that schedule.

Two cards of one host share the work: ``plain whole`` on one, ``auto whole --schedule … --no-plain`` on the other.

The large model is the small one grown to the shape (`benchmarks.expand`), in memory: a folder with config and
tokenizer is made under ``--scratch``, vLLM loads it with dummy weights, and a worker extension fills them in. All
measurements without speculation share one start of the engine. Each result is printed, and appended to ``--out`` as
one JSON line, as soon as it is there. A table of all results comes last, even if ``--minutes`` are over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from benchmarks.busy import beside, busy, run
from benchmarks.expand import SHAPES
from benchmarks.gpu_results import Results
from benchmarks.large import card_of, grown, kept_per_token, read_per_step
from k2eval.config import Schedule
from k2eval.engines import Load, Prompt
from k2eval.engines.vllm import EVER, Continuation, Probe, VllmEngine, in_words, schedule_from
from k2eval.records import Sampling
from k2eval.speed import figures_of, put
from k2eval.statistics import subtract_counts

ASKED, GRADED = "nano_math,nano_choice,nano_code,nano_science", "nano_math,nano_choice"
MEASURES = ("roof", "same", "busy", "beside", "plain", "drafts", "scan", "auto", "whole")


def main() -> None:
    options = parser().parse_args()
    options.engine = dict(setting(text) for text in options.engine)
    options.scratch.mkdir(parents=True, exist_ok=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    results = Results(options)
    over = False
    try:
        asyncio.run(measure_all(options, results))
    except TimeoutError:
        over = True
    finally:
        results.table()
    if over:
        raise SystemExit(f"Stopped: {options.minutes:g} minutes are over. What stands above was measured.")


def setting(text: str) -> tuple[str, Any]:
    """Parse NAME=VALUE; the value is read as YAML."""
    name, _, value = text.partition("=")
    return name, yaml.safe_load(value)


def scanned(text: str) -> tuple[int, list[int]]:
    """Parse LEVEL:TOKENS,TOKENS into a number of requests and the numbers of drafted tokens.

    >>> scanned("256:0,1")
    (256, [0, 1])
    """
    level, _, tokens = text.partition(":")
    return int(level), [int(number) for number in tokens.split(",")]


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("what", choices=MEASURES, nargs="+")
    add("--small", type=Path, required=True, help="Trained checkpoint to grow.")
    add("--draft", type=Path, help="Trained draft with the same tokenizer.")
    add("--shape", choices=sorted(SHAPES), default="32b")
    add("--draft-shape", choices=sorted(SHAPES), help="Grow the draft too; its vocabulary always is.")
    add(
        "--draft-tokens", default="3", help="Drafted at each step, such as 3,5: one start of the engine each."
    )
    add("--draft-sample", choices=("greedy", "probabilistic"), default="greedy")
    add("--temperature", type=float, default=1.0, help="Of drafts.")
    add("--levels", default="1,16,64,256", help="Requests in flight, of roof.")
    add("--draft-levels", default="1,256", help="Requests in flight, of plain, drafts and auto.")
    add("--least", type=int, default=16, help="Requests of these at least.")
    add(
        "--scan",
        type=scanned,
        nargs="+",
        default=[],
        metavar="LEVEL:TOKENS",
        help="Of scan, such as 256:0,1,2.",
    )
    add("--tasks", help=f"Whose questions are asked; {ASKED}, of busy {GRADED}.")
    add("--data", type=Path, help="Folder with the rows of the benchmarks.")
    add("--questions", type=int, default=200, help="Of busy, over all tasks.")
    add("--recipe", default="plain", help="Of busy; others than plain without bare vLLM beside.")
    add("--repeats", type=int, default=8, help="Of each question, of busy, beside and whole.")
    add("--rounds", type=int, default=2, help="Runs of each side, of whole.")
    add("--schedule", type=json.loads, help="Of auto, such as [[1,64,3],[65,256,0]]; measured if left out.")
    add("--no-plain", action="store_true", help="Only auto, by a given --schedule.")
    add("--every", type=int, default=16, help="One answer in so many is judged, of beside.")
    add("--input-tokens", type=int, default=128, help="Of random prompts.")
    add("--output-tokens", type=int, default=256, help="Of answers to random prompts.")
    add("--longest", type=int, default=1024, help="Tokens at which answers to questions are cut.")
    add("--max-num-seqs", type=int, default=256)
    add("--engine", action="append", default=[], metavar="NAME=VALUE", help="Engine argument of vLLM.")
    add("--store", action="store_true", help="Write the grown weights to --scratch and load them.")
    add("--eager", action="store_true", help="No CUDA graphs: starts sooner, runs slower.")
    add("--scratch", type=Path, default=Path("/tmp/k2eval-gpu"))
    add("--out", type=Path, default=Path(os.environ.get("OUT", ".")) / "gpu.jsonl")
    add("--minutes", type=float, default=9.0, help="Stop then; ending the engine takes some seconds more.")
    return parser


async def measure_all(options: argparse.Namespace, results: Results) -> None:
    measures = set(options.what)
    if measures & {"drafts", "scan", "auto"} and options.draft is None:
        raise SystemExit("drafts, scan and auto need --draft: a trained draft with the tokenizer of --small.")
    if options.no_plain and (options.schedule is None or measures - {"scan", "auto", "whole"}):
        raise SystemExit("--no-plain goes with scan, auto, whole and a --schedule.")
    if "auto" in measures and not measures & {"drafts", "scan"} and options.schedule is None:
        raise SystemExit("auto needs speeds with drafts: name drafts or scan, too, or give --schedule.")
    if ("scan" in measures) != bool(options.scan):
        raise SystemExit("scan needs --scan LEVEL:TOKENS, such as 256:0,1,2.")
    async with asyncio.timeout(60 * options.minutes):
        small = await small_answers(options) if "same" in measures else []
        if not options.no_plain:
            await without_drafts(options, results, measures, small)
        tokens = levels(options.draft_tokens)
        for number in tokens if "drafts" in measures else ():
            async with grown(options, draft_tokens=number) as probe:
                await put(Load(4, 16, 32, concurrency=4), probe, random_prompts(options, 4))
                await ask(probe, options, results, "drafts", number)
        if not measures & {"scan", "auto"}:
            return
        changing = [[1, 1, max(tokens)], [2, EVER, 0]]
        schedule = changing if options.scan else options.schedule or schedule_from(results.levels())
        async with grown(options, draft_tokens=max(tokens), schedule=schedule) as probe:
            await put(Load(4, 16, 32, concurrency=4), probe, random_prompts(options, 4))
            if options.scan:
                await scan(probe, options, results)
                schedule = options.schedule or schedule_from(results.levels())
                await change_schedule(probe, options, schedule)
            print(f"Drafts {in_words(schedule)}.", flush=True)
            if "auto" not in measures:
                return
            if "whole" in measures:
                await whole(probe, options, results, "auto")
            await ask(probe, options, results, "auto", max(tokens))


async def scan(probe: Probe, options: argparse.Namespace, results: Results) -> None:
    """Measure numbers of drafted tokens at numbers of requests, in one start."""
    for level, tokens in options.scan:
        for number in tokens:
            await change_schedule(probe, options, [[1, EVER, number]])
            await ask(probe, options, results, "scan", number, [level])


async def change_schedule(probe: Probe, options: argparse.Namespace, schedule: Schedule) -> None:
    lookup = [0] * (options.max_num_seqs + 1)
    for first, last, tokens in schedule:
        lookup[first : last + 1] = [tokens] * (min(last, options.max_num_seqs) - first + 1)
    [changed] = await probe.engine.llm.collective_rpc("draft", args=(lookup,))
    if changed != 1:
        raise SystemExit(f"Expected one scheduler with a schedule, found {changed}.")


async def without_drafts(
    options: argparse.Namespace, results: Results, measures: set[str], small: list[Continuation]
) -> None:
    """Measure what needs no drafts, in one start of the engine."""
    async with grown(options) as probe:
        card = await card_of(probe, options)
        results.say("card", **card)
        await put(Load(4, 16, 32, concurrency=4), probe, random_prompts(options, 4))
        if "same" in measures:
            large = await greedy(probe, options)
            equal = sum(first.ids == second.ids for first, second in zip(small, large, strict=True))
            results.say("same", outputs=len(large), equal=equal)
        if "roof" in measures:
            await roof(probe, options, results, card)
        if measures & {"plain", "drafts", "scan", "auto"}:
            await ask(probe, options, results, "plain")
        if "busy" in measures:
            await busy(probe, options, (options.tasks or GRADED).split(","), results.say)
        if "beside" in measures:
            await beside(probe, options, results.say)
        if "whole" in measures:
            await whole(probe, options, results, "plain")


async def roof(probe: Probe, options: argparse.Namespace, results: Results, card: dict[str, Any]) -> None:
    shape = SHAPES[options.shape]
    for level in levels(options.levels):
        load = Load(max(2, level), options.output_tokens, options.input_tokens, concurrency=level)
        figures = await measure(probe, load, random_prompts(options, load.requests), options.shape)
        context = options.input_tokens + options.output_tokens / 2
        read = read_per_step(shape) + level * context * kept_per_token(shape)
        for name, bandwidth in (("copy", card["copy"]), ("data_sheet", card["data_sheet"])):
            figures[f"of_{name}"] = (
                figures["tokens_per_s"] / (level * bandwidth / read) if bandwidth else None
            )
        results.say("roof", level=level, read_per_step=read, **figures)


async def ask(
    probe: Probe,
    options: argparse.Namespace,
    results: Results,
    measurement: str,
    drafted: int | None = None,
    at: Sequence[int] = (),
) -> None:
    """Ask questions whose answers end where the model ends them, as the draft was trained on nothing beyond."""
    for level in at or levels(options.draft_levels):
        load = Load(
            max(options.least, 3 * level), options.longest, concurrency=level, ignore_eos=False,
            temperature=options.temperature,
        )  # fmt: skip
        figures = await measure(probe, load, questions(options, load.requests), options.shape)
        results.say(measurement, level=level, draft_tokens=drafted, **figures)


async def whole(probe: Probe, options: argparse.Namespace, results: Results, side: str) -> None:
    """Run k2eval's ``plain`` recipe from the first request to the last answer, some times."""
    from k2eval.config import RunConfig

    tasks = tuple((options.tasks or GRADED).split(","))
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig(
                model=str(options.small), tasks=tasks, repeats=options.repeats, seed=number,
                limit=options.questions // len(tasks), data=options.data, out=Path(folder) / "run",
                sampling={"max_tokens": options.longest},
            )  # fmt: skip
            result = await run(probe, config, options.max_num_seqs)
        result |= {"generation_s": result["session"]["generation_s"]}
        results.say("whole", side=side, round=number, **result)


async def measure(probe: Probe, load: Load, prompts: list[Prompt], title: str) -> dict[str, Any]:
    # Compile and capture for this number of requests before measuring.
    await put(replace(load, requests=load.concurrency or 1, output_tokens=4), probe, prompts)
    await probe.refresh()
    before = await probe.speculation()
    steps = probe.engine.counters.steps = []
    traces = await put(load, probe, prompts)
    probe.engine.counters.steps = None
    drafted = subtract_counts(await probe.speculation(), before)
    spans = [(later.at - earlier.at, earlier.running) for earlier, later in pairwise(steps)]
    length = sum(span for span, _ in spans)
    row = figures_of(title, load, traces, speculation=drafted).row()
    return row | {
        # Fewer than the level if the KV cache cannot hold them all.
        "running": sum(span * running for span, running in spans) / length if length else None,
        "waiting_most": max((step.waiting for step in steps), default=0),
        "accepted_per_position": drafted.accepted_per_position if drafted else None,
        "drafts": drafted.drafts if drafted else None,
    }


async def small_answers(options: argparse.Namespace) -> list[Continuation]:
    settings = {"max_model_len": 4096, "enforce_eager": True}
    start = time.perf_counter()
    async with Probe(VllmEngine(str(options.small), settings)) as probe:
        print(f"the small model started in {time.perf_counter() - start:.0f} s", flush=True)
        return await greedy(probe, options)


async def greedy(probe: Probe, options: argparse.Namespace) -> list[Continuation]:
    sampling = Sampling(temperature=0.0, max_tokens=options.output_tokens)
    prompts = [probe.prompt_ids(prompt) for prompt in questions(options, min(64, options.questions))]
    return list(await asyncio.gather(*(probe.complete(ids, sampling, 0) for ids in prompts)))


def levels(text: str) -> list[int]:
    return [int(level) for level in text.split(",")]


def random_prompts(options: argparse.Namespace, count: int) -> list[Prompt]:
    return [Prompt(tokens=options.input_tokens, seed=number) for number in range(count)]


def questions(options: argparse.Namespace, count: int) -> list[Prompt]:
    """Return ``count`` questions, the tasks in turn, again from the start if there are no more."""
    from k2eval.tasks import load_questions, load_tasks

    tasks = load_tasks((options.tasks or ASKED).split(","))
    sets = [load_questions(task, data=options.data).questions() for task in tasks]
    prompts = [question.messages for row in zip(*sets, strict=False) for question in row]
    return [Prompt(messages=prompts[number % len(prompts)], seed=number) for number in range(count)]


if __name__ == "__main__":
    main()
