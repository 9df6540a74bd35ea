"""A checkpoint beside its quantised copies in a large shape: quality, acceptance, memory and speed.

    python -m benchmarks.quantised --shape 7b --scratch /dev/shm/quantised --out build/quantised
    python -m benchmarks.quantised --shape 7b --scratch /dev/shm/quantised --draft models/nano/draft --draft-tokens 3

The small checkpoint is grown to the shape (`benchmarks.expand`), stored, and quantised by `models.quantise`. Each
checkpoint then gets one start of vLLM in a process of its own: random prompts at each of ``--levels``, then a whole run
of k2eval on the nano tasks, kept under ``--out``. At the end `k2eval compare` sets the runs side by side. Results are
printed and kept as they come; ``--minutes`` bounds the whole. What was made in ``--scratch`` is used again.

CUDA graphs are captured without compilation, which starts in a fraction of the time and is the same for all sides;
``--compile`` takes vLLM's own settings. A draft has no graphs without compilation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.expand import SHAPES, Expansion
from benchmarks.gpu import ASKED, levels, measure, questions, random_prompts, setting
from benchmarks.large import draft_shape
from k2eval.engines import Load
from k2eval.speed import put

ORIGINAL = "original"
GRAPHS = {
    "mode": 0,
    "cudagraph_mode": "FULL_DECODE_ONLY",
    "cudagraph_capture_sizes": [1, 2, 4, 8, 16, 32, 64, 128, 192, 256],
}
COLUMNS = {
    "level": "at once", "tokens_per_s": "tokens/s", "tpot_ms_median": "TPOT ms", "ttft_ms_median": "TTFT ms",
    "acceptance_length": "accept len",
}  # fmt: skip


def main() -> None:
    options = parser().parse_args()
    options.engine_settings = dict(setting(text) for text in options.engine)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.only == "make":
        make(options)
    elif options.only:
        asyncio.run(measure_one(options))
    else:
        measure_all(options)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--small", type=Path, default=Path("models/nano/rl"), help="Trained checkpoint to grow.")
    add("--shape", choices=sorted(SHAPES), default="7b")
    add("--schemes", default="W4A16,FP8_DYNAMIC", help="Schemes of models.quantise.")
    add("--group", type=int, help="Inputs that share a scale, of schemes with groups.")
    add("--draft", type=Path, help="Trained draft with the same tokenizer.")
    add("--draft-shape", choices=sorted(SHAPES), help="Grow the draft too; its vocabulary always is.")
    add("--draft-tokens", type=int, default=3)
    add("--draft-sample", choices=("greedy", "probabilistic"), default="probabilistic")
    add("--levels", default="1,64,256", help="Requests in flight.")
    add("--input-tokens", type=int, default=128, help="Of random prompts.")
    add("--output-tokens", type=int, default=256, help="Of answers to random prompts.")
    add("--tasks", default=ASKED, help="Of the runs.")
    add("--data", type=Path, help="Folder with the rows of the benchmarks.")
    add("--limit", type=int, help="Questions of each task.")
    add("--repeats", type=int, default=4)
    add("--engine", action="append", default=[], metavar="NAME=VALUE", help="Engine argument of vLLM.")
    add("--eager", action="store_true", help="No CUDA graphs.")
    add(
        "--compile",
        action="store_true",
        help="Compilation and graphs as vLLM has them, with minutes for a start.",
    )
    add("--device", help="Device that grows and quantises; a GPU if there is one.")
    add("--scratch", type=Path, default=Path("/tmp/k2eval-quantised"))
    add("--out", type=Path, default=Path("build/quantised"))
    add("--minutes", type=float, default=4.0)
    add("--only", help=argparse.SUPPRESS)  # one step, in a process of its own
    return parser


def measure_all(options: argparse.Namespace) -> None:
    """Make the checkpoints, measure each in its own process, and compare the runs."""
    end = time.monotonic() + 60 * options.minutes
    names = [ORIGINAL, *(scheme.lower() for scheme in options.schemes.split(","))]
    measured = []
    if not _step("make", options, end):
        raise SystemExit("The checkpoints were not made.")
    for name in names:
        if _step(name, options, end):
            measured.append(name)
    for name in measured:
        print((options.out / f"{name}.txt").read_text(encoding="utf-8"), flush=True)
    runs = [str(options.out / name) for name in measured]
    if len(runs) > 1 and ORIGINAL in measured:
        subprocess.run([sys.executable, "-m", "k2eval", "compare", *runs], check=False)


def _step(name: str, options: argparse.Namespace, end: float) -> bool:
    left = end - time.monotonic()
    if left < 5:
        print(f"{name}: left out, {options.minutes:g} minutes are over", flush=True)
        return False
    start = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.quantised", *sys.argv[1:], "--only", name]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        done = process.wait(left) == 0
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)  # vLLM's processes too, so that the next one finds a free card
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        done = False
    print(f"{name}: {'done' if done else 'FAILED'} after {time.monotonic() - start:.0f} s", flush=True)
    return done


def folder_of(name: str, options: argparse.Namespace) -> Path:
    """Return the folder of one of the checkpoints."""
    group = f"-{options.group}" if options.group and name.startswith("w4") else ""
    scratch: Path = options.scratch
    return scratch / f"{options.small.name}-{options.shape}-{name}{group}"


def make(options: argparse.Namespace) -> None:
    """Write the grown checkpoint and its quantised copies, if they are not there."""
    import torch

    from models.quantise import quantise

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    original = folder_of(ORIGINAL, options)
    _once(original, lambda new: Expansion(options.small, SHAPES[options.shape]).write(new, device))
    for scheme in options.schemes.split(","):
        group = options.group if scheme.upper().startswith("W4") else None
        _once(
            folder_of(scheme.lower(), options),
            lambda new, scheme=scheme, group=group: quantise(
                original, new, scheme=scheme, group=group, device=device, workers=1 if device == "cpu" else 4
            ),
        )
    if options.draft:
        _once(
            _draft_of(options), lambda new: Expansion(options.draft, draft_shape(options)).write(new, device)
        )


def _draft_of(options: argparse.Namespace) -> Path:
    scratch: Path = options.scratch
    return scratch / f"{options.draft.name}-for-{options.shape}"


def _once(folder: Path, write: Any) -> None:
    if (folder / "config.json").is_file():
        return
    start = time.monotonic()
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    write(new)
    new.rename(folder)
    print(f"{folder.name}: {weights_of(folder) / 1e9:.3f} GB in {time.monotonic() - start:.0f} s", flush=True)


def weights_of(folder: Path) -> int:
    """Return the bytes of a checkpoint's weights."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


async def measure_one(options: argparse.Namespace) -> None:
    """Start one checkpoint, put the loads on it, and make a run."""
    from k2eval.engines.vllm import Probe, VllmEngine

    folder = folder_of(options.only, options)
    settings: dict[str, Any] = {"max_model_len": 4096, "max_num_seqs": 256, "dtype": "bfloat16"}
    settings |= {"gpu_memory_utilization": 0.9}
    if not options.compile:
        settings |= {"enforce_eager": True} if options.eager else {"compilation_config": GRAPHS}
    speculative = None
    if options.draft:
        speculative = {
            "method": "draft_model", "model": str(_draft_of(options)),
            "num_speculative_tokens": options.draft_tokens, "draft_sample_method": options.draft_sample,
        }  # fmt: skip
    start = time.monotonic()
    lines = []

    def say(text: str) -> None:
        lines.append(text)
        print(text, flush=True)
        (options.out / f"{options.only}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    async with Probe(VllmEngine(str(folder), settings | options.engine_settings, speculative)) as probe:
        cache = probe.engine.llm.vllm_config.cache_config
        blocks, size = getattr(cache, "num_gpu_blocks", None), getattr(cache, "block_size", None)
        room = f"{blocks * size:,}" if blocks and size else "unknown"
        say(
            f"{options.only}: {weights_of(folder) / 1e9:.3f} GB of weights, started in "
            f"{time.monotonic() - start:.0f} s, room for {room} tokens of keys and values"
        )
        say("".join(f"{title:>12}" for title in COLUMNS.values()))
        for level in levels(options.levels):
            load = Load(max(2, level), options.output_tokens, options.input_tokens, concurrency=level)
            row = await measure(probe, load, random_prompts(options, load.requests), options.only)
            say("".join(f"{row.get(name, level):>12,.4g}" for name in COLUMNS))
            with (options.out / "quantised.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"side": options.only, "level": level} | row, default=str) + "\n")
        await run(probe, folder, options, speculative)


async def run(
    probe: Any, folder: Path, options: argparse.Namespace, speculative: dict[str, Any] | None
) -> None:
    """Make a run with the engine that was started."""
    from rich.console import Console

    from benchmarks.busy import Started
    from k2eval.config import RunConfig
    from k2eval.run import Runner

    out = options.out / options.only
    shutil.rmtree(out, ignore_errors=True)
    config = RunConfig(
        model=str(folder), tasks=tuple(options.tasks.split(",")), repeats=options.repeats, limit=options.limit,
        out=out, speculative=speculative, data=options.data,
    )  # fmt: skip
    # Kernels are compiled at the first requests of their kind; later checkpoints find them.
    await put(Load(256, 256, concurrency=256, ignore_eos=False), probe, questions(options, 256))
    await probe.refresh()
    await Runner(config, {"solver": Started(probe.engine)}, Console()).run()


if __name__ == "__main__":
    main()
