"""Compare k2eval with bare vLLM on the same requests: journal and grading count, the engine's start does not.

Both sides answer the same questions with the same engine settings. They alternate, each round in a fresh process. The
ratio is that of the medians of seconds per output token.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from benchmarks.sides import add_options, run, seconds_per_token, two_sides
from k2eval.config import RunConfig
from k2eval.records import SampleKey, derive_seed

SIDES = ("bare", "k2eval")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="Checkpoint; one with random weights where not given.")
    parser.add_argument("--task", default="smoke", help="One task, or several separated by commas.")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--max-tokens", type=int, default=256)
    add_options(parser, SIDES, rounds=3)
    names = ("model", "task", "repeats", "max_tokens")
    if results := two_sides(parser, "benchmarks.generation", one_side, names):
        ratio = seconds_per_token(results["bare"]) / seconds_per_token(results["k2eval"])
        print(f"bare / k2eval: {ratio:.3f}")


def one_side(options: argparse.Namespace) -> dict[str, float]:
    out = options.scratch / f"run-{os.getpid()}"
    config = RunConfig(
        model=str(options.model),
        tasks=tuple(options.task.split(",")),
        repeats=options.repeats,
        out=out,
        sampling={"max_tokens": options.max_tokens},
    )
    return run(config) if options.side == "k2eval" else bare(config)


def bare(config: RunConfig) -> dict[str, float]:
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM, SamplingParams

    from k2eval.engines.vllm import defaults, executor
    from k2eval.run import Work

    work = Work(config)
    settings = defaults(config.model, on_cpu=True)
    llm = LLM(model=config.model, **settings, **executor(settings, on_cpu=True))
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
                seed=derive_seed(config.seed, SampleKey(*assignment.sample_key), "solve"),
            )
        )
    start = time.perf_counter()
    outputs = llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "tokens": sum(len(output.outputs[0].token_ids) for output in outputs)}


if __name__ == "__main__":
    main()
