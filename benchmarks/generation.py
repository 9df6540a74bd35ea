"""k2eval against bare vLLM: the same requests, journal and grading included, engine start-up apart.

Both sides answer the same questions with the same engine settings. They alternate, each round in a fresh
process; the ratio is that of the medians of seconds per output token.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from k2eval.config import RunConfig
from k2eval.journal import read_run
from k2eval.records import Place, derive_seed
from k2eval.testing import make_tiny_checkpoint

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="Checkpoint; one with random weights where not given.")
    parser.add_argument("--task", default="smoke", help="One task, or several separated by commas.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=("k2eval", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        options.model = options.model or make_tiny_checkpoint(Path(scratch) / "model")
        compare(options)


def compare(options: argparse.Namespace) -> None:
    seconds: dict[str, list[float]] = {"bare": [], "k2eval": []}
    for number in range(options.rounds):
        for side in ("bare", "k2eval") if number % 2 else ("k2eval", "bare"):
            result = in_process(options, side)
            seconds[side].append(result["seconds"] / result["tokens"])
            speed = result["tokens"] / result["seconds"]
            print(
                f"round {number + 1} {side:>6}: {result['tokens']:,} tokens in {result['seconds']:6.2f} s, "
                f"{speed:,.0f} tokens/s",
                flush=True,
            )
    bare, ours = (statistics.median(seconds[side]) for side in ("bare", "k2eval"))
    print(f"bare / k2eval: {bare / ours:.3f}")


def in_process(options: argparse.Namespace, side: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.generation", "--side", side]
    for name in ("model", "task", "runs", "max_tokens", "scratch"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def one_side(options: argparse.Namespace) -> dict[str, float]:
    out = options.scratch / f"run-{os.getpid()}"
    config = RunConfig(
        model=str(options.model),
        tasks=tuple(options.task.split(",")),
        runs=options.runs,
        out=out,
        sampling={"max_tokens": options.max_tokens},
    )
    return ours(config) if options.side == "k2eval" else bare(config)


def ours(config: RunConfig) -> dict[str, float]:
    from k2eval.engines.opening import open_engines
    from k2eval.runner import Runner

    asyncio.run(Runner(config, open_engines(config), Console(file=io.StringIO())).run())
    [session] = read_run(config.out)["sessions"]
    return {"seconds": session["work_s"], "tokens": session["generated_tokens"]}


def bare(config: RunConfig) -> dict[str, float]:
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM, SamplingParams

    from k2eval.engines.vllm_setup import defaults
    from k2eval.work import Work

    work = Work(config)
    llm = LLM(model=config.model, **defaults(config.model, on_cpu=True))
    tokenizer = llm.get_tokenizer()
    prompts, parameters = [], []
    for assignment in work.assignments():
        sampling = assignment.sampling
        turns = [
            {"role": message.role, "content": message.content} for message in assignment.question.messages
        ]
        prompts.append(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        parameters.append(
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k,
                min_p=sampling.min_p,
                max_tokens=sampling.max_tokens,
                stop=list(sampling.stop),
                include_stop_str_in_output=True,
                seed=derive_seed(config.seed, Place(*assignment.place), "solve"),
            )
        )
    start = time.perf_counter()
    outputs = llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "tokens": sum(len(output.outputs[0].token_ids) for output in outputs)}


if __name__ == "__main__":
    main()
