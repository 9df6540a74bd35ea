"""The measurements of one large GPU, each a command of at most ten minutes.

    python -m benchmarks.gpu roof --small models/nano/rl --shape 32b
    python -m benchmarks.gpu drafts --small models/nano/rl --draft models/nano/draft --shape 32b
    python -m benchmarks.gpu busy --small models/nano/rl --shape 7b
    python -m benchmarks.gpu same --small models/nano/rl --shape 7b

``roof``: tokens/s at 1, 16, 64 and 256 requests against what reading the weights allows. ``drafts``: the same loads
with and without speculation, at 1 and 256 requests, on real questions. ``busy``: k2eval's ``plain`` recipe on many
questions and runs, the share of the engine's places that are taken until the last 2 % of the answers, and bare
vLLM on the same requests. ``same``: whether the grown model writes what the small one writes.

The large model is the small one grown to the shape (:mod:`benchmarks.expand`), in memory: a folder with config and
tokenizer is made under ``--scratch``, vLLM loads it with dummy weights, and a worker extension fills them in.
Each command appends one JSON line per result to ``--out``, so that what a call did not finish is asked for again alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.expand import SHAPES, Expansion, Shape
from k2eval.engines.probe import Probe
from k2eval.engines.streams import Load, Prompt
from k2eval.engines.vllm import VllmEngine
from k2eval.speed.figures import figures
from k2eval.speed.load import put

BANDWIDTH = 4.3e12
"""Bytes/s that an H200 was measured to read; its data sheet says 4.8e12."""
DRAFT_TOKENS = 3
TAIL = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("roof", "drafts", "busy", "same"))
    parser.add_argument("--small", type=Path, required=True, help="Trained checkpoint to grow.")
    parser.add_argument("--draft", type=Path, help="Trained draft with the same tokenizer.")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="32b")
    parser.add_argument(
        "--draft-shape", choices=sorted(SHAPES), help="Grow the draft too; its vocabulary always is."
    )
    parser.add_argument("--draft-tokens", type=int, default=DRAFT_TOKENS)
    parser.add_argument("--levels", default="", help="Requests in flight, such as 1,256.")
    parser.add_argument("--task", default="smoke", help="Whose questions are asked.")
    parser.add_argument("--data", type=Path, help="Folder with the rows of the benchmarks.")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--input-tokens", type=int, default=128)
    parser.add_argument("--output-tokens", type=int, default=256)
    parser.add_argument("--max-num-seqs", type=int, default=256)
    parser.add_argument(
        "--store", action="store_true", help="Write the grown weights to --scratch and load them."
    )
    parser.add_argument("--eager", action="store_true", help="No CUDA graphs: starts sooner, runs slower.")
    parser.add_argument("--scratch", type=Path, default=Path("/tmp/k2eval-gpu"))
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", ".")) / "gpu.jsonl")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    asyncio.run({"roof": roof, "drafts": drafts, "busy": busy, "same": same}[options.what](options))


def say(options: argparse.Namespace, **result: Any) -> None:
    line = json.dumps({"what": options.what, "shape": options.shape, **result})
    print(line, flush=True)
    with options.out.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@asynccontextmanager
async def grown(
    options: argparse.Namespace, *, speculate: bool = False, **arguments: Any
) -> AsyncIterator[Probe]:
    """The small model in the large shape, in vLLM."""
    large = SHAPES[options.shape]
    expansion, place = Expansion(options.small, large), options.scratch / options.shape
    folder = expansion.write(place) if options.store else expansion.write_config(place)
    settings = {
        "max_model_len": 4096, "max_num_seqs": options.max_num_seqs, "gpu_memory_utilization": 0.92,
        "dtype": "bfloat16", "enforce_eager": options.eager, **arguments,
    }  # fmt: skip
    if not options.store:
        settings |= {"load_format": "dummy", "worker_extension_cls": "benchmarks.expand.Filler"}
    speculative, shape = None, None
    if speculate:
        shape = draft_shape(options)
        grown_draft, place = Expansion(options.draft, shape), options.scratch / f"draft-{shape.width}"
        draft = grown_draft.write(place) if options.store else grown_draft.write_config(place)
        if not options.store:
            # The check before start-up wants weights to be there; these are filled in later.
            (draft / "unused.safetensors").touch()
        speculative = {
            "method": "draft_model", "model": str(draft), "num_speculative_tokens": options.draft_tokens,
        }  # fmt: skip
    start = time.perf_counter()
    async with Probe(VllmEngine(str(folder), settings, speculative)) as probe:
        started = time.perf_counter() - start
        if not options.store:
            rpc = probe.engine.llm.collective_rpc
            await rpc("fill", args=(str(options.small.resolve()), asdict(large)))
            if shape is not None:
                await rpc("fill", args=(str(options.draft.resolve()), asdict(shape), True))
        print(
            f"started in {started:.0f} s, filled in {time.perf_counter() - start - started:.0f} s", flush=True
        )
        yield probe


def draft_shape(options: argparse.Namespace) -> Shape:
    """The draft's own shape with the target's vocabulary, or the one that was asked for."""
    if options.draft_shape:
        return SHAPES[options.draft_shape]
    own = Shape.of(json.loads((options.draft / "config.json").read_text(encoding="utf-8")))
    # Twice as wide, so that there is room for the coordinate that silences the added tokens.
    return Shape(
        own.layers,
        2 * own.width,
        2 * own.heads,
        own.groups,
        own.inner,
        SHAPES[options.shape].vocabulary,
        own.head,
    )


def levels(options: argparse.Namespace, default: str) -> list[int]:
    return [int(level) for level in (options.levels or default).split(",")]


async def measure(probe: Probe, load: Load, prompts: list[Prompt], title: str) -> dict[str, Any]:
    from k2eval.acceptance import subtract_counts

    await probe.refresh()
    before = await probe.speculation()
    traces = await put(load, probe, prompts)
    drafted = subtract_counts(await probe.speculation(), before)
    return figures(title, load, traces, speculation=drafted).row()


def random_prompts(options: argparse.Namespace, count: int) -> list[Prompt]:
    return [Prompt(tokens=options.input_tokens, seed=number) for number in range(count)]


def questions(options: argparse.Namespace, count: int) -> list[Prompt]:
    from k2eval.data import load_questions
    from k2eval.tasks import load_tasks

    [task] = load_tasks([options.task])
    found = load_questions(task, data=options.data).questions()
    return [Prompt(messages=found[number % len(found)].messages, seed=number) for number in range(count)]


async def roof(options: argparse.Namespace) -> None:
    shape = SHAPES[options.shape]
    async with grown(options) as probe:
        await put(Load(4, 16, 32, concurrency=4), probe, random_prompts(options, 4))
        for level in levels(options, "1,16,64,256"):
            load = Load(max(2, level), options.output_tokens, options.input_tokens, concurrency=level)
            found = await measure(probe, load, random_prompts(options, load.requests), options.shape)
            at_most = level * BANDWIDTH / read_per_step(shape)
            say(options, level=level, roof=at_most, share=found["tokens_per_s"] / at_most, **found)


def read_per_step(shape: Shape) -> float:
    """Bytes of weights that one step of decoding reads, in bfloat16; the embedding is looked up, not read."""
    attention = (2 * shape.heads + 2 * shape.groups) * shape.head * shape.width
    return 2.0 * (shape.layers * (attention + 3 * shape.inner * shape.width) + shape.vocabulary * shape.width)


async def drafts(options: argparse.Namespace) -> None:
    speeds: dict[int, list[float]] = {}
    for speculate in (False, True):
        async with grown(options, speculate=speculate) as probe:
            await put(Load(4, 16, concurrency=4), probe, questions(options, 4))
            for level in levels(options, "1,256"):
                # Answers end where the model ends them: beyond its end it says nothing that a draft was trained on.
                load = Load(max(16, level), options.output_tokens, concurrency=level, ignore_eos=False)
                found = await measure(probe, load, questions(options, load.requests), options.shape)
                speeds.setdefault(level, []).append(found["tokens_per_s"])
                say(options, level=level, speculate=speculate, draft_tokens=options.draft_tokens, **found)
    for level, (plain, speculative) in speeds.items():
        print(f"speculative / plain at {level}: {speculative / plain:.3f}")


async def same(options: argparse.Namespace) -> None:
    from k2eval.records import Sampling

    sampling = Sampling(temperature=0.0, max_tokens=options.output_tokens)
    prompts, texts = questions(options, min(52, options.questions)), []
    async with Probe(VllmEngine(str(options.small), {"max_model_len": 4096})) as probe:
        texts.append(
            await asyncio.gather(*(probe.complete(probe.prompt_ids(one), sampling, 0) for one in prompts))
        )
    async with grown(options) as probe:
        texts.append(
            await asyncio.gather(*(probe.complete(probe.prompt_ids(one), sampling, 0) for one in prompts))
        )
    equal = sum(small.ids == large.ids for small, large in zip(*texts, strict=True))
    say(options, outputs=len(prompts), equal=equal)


async def busy(options: argparse.Namespace) -> None:
    """Both sides on one engine: k2eval's runner with journal and grading, then bare vLLM; caches emptied between."""
    import tempfile

    from rich.console import Console

    from k2eval.config import RunConfig
    from k2eval.journal import read_run
    from k2eval.runner import Runner

    ratios = []
    async with grown(options) as probe:
        for number in range(2):
            with tempfile.TemporaryDirectory() as folder:
                config = RunConfig(
                    model=str(options.small), tasks=(options.task,), runs=options.runs, limit=options.questions,
                    out=Path(folder) / "run", sampling={"max_tokens": options.output_tokens},
                )  # fmt: skip
                await probe.refresh()
                steps = probe.engine.counters.steps = []
                engine = _Started(probe.engine)
                await Runner(config, {"solver": engine}, Console()).run()
                [session] = read_run(config.out)["sessions"]
                ours = session["generated_tokens"] / session["generation_s"]
                share = busy_share(steps, options.max_num_seqs, engine.finished)
                await probe.refresh()
                bare = await bare_speed(probe, config)
            ratios.append(ours / bare)
            say(options, round=number, tokens_per_s=ours, bare_tokens_per_s=bare, busy_share=share, **session)
    print(f"k2eval / bare vLLM: {statistics.median(ratios):.3f}")


def busy_share(steps: list[Any], places: int, finished: list[float]) -> float:
    """Mean share of the engine's places that were taken, over time, until the last 2 % of the answers were left.

    Args:
        steps: Scheduler steps with their time and the requests that ran.
        places: Requests that may run at once.
        finished: When each answer was there.
    """
    end = sorted(finished)[max(0, int((1 - TAIL) * len(finished)) - 1)]
    kept = [step for step in steps if step.at <= end]
    spans = [later.at - earlier.at for earlier, later in pairwise(kept)]
    taken = [min(1.0, step.running / places) for step in kept[:-1]]
    return sum(span * share for span, share in zip(spans, taken, strict=True)) / sum(spans)


async def bare_speed(probe: Probe, config: Any) -> float:
    """Output tokens/s of the same requests given to vLLM all at once, nothing kept and nothing graded."""
    from k2eval.records import Place, derive_seed
    from k2eval.work import Work

    wanted = [
        (
            probe.prompt_ids(Prompt(messages=assignment.question.messages)),
            assignment.sampling,
            derive_seed(config.seed, Place(*assignment.place), "solve"),
        )
        for assignment in Work(config).assignments()
    ]
    start = time.perf_counter()
    answers = await asyncio.gather(*(probe.complete(*one) for one in wanted))
    return sum(len(answer.ids) for answer in answers) / (time.perf_counter() - start)


class _Started:
    """An engine that was started elsewhere: entering and leaving it does nothing. Notes when answers are there."""

    def __init__(self, engine: VllmEngine) -> None:
        self._engine = engine
        self.finished: list[float] = []

    async def __aenter__(self) -> _Started:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def generate(self, request: Any) -> Any:
        answer = await self._engine.generate(request)
        self.finished.append(time.monotonic())
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


if __name__ == "__main__":
    main()
