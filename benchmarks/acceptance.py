"""Acceptance of a trained pair by the number of drafted tokens: a Markdown table over tasks and positions.

    python -m benchmarks.acceptance --model models/nano/rl --draft models/nano/draft --tokens 1,2,3,4,5

Each number of tokens is a run of k2eval at the tasks' own temperature, kept under ``--out``. A run that is there is not
made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TASKS = "nano_math,nano_choice,nano_code,nano_science"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="models/nano/rl")
    parser.add_argument("--draft", default="models/nano/draft")
    parser.add_argument("--tokens", default="1,2,3,4,5")
    parser.add_argument("--sample", choices=("greedy", "probabilistic"), default="greedy")
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--limit", type=int, help="Questions of each task.")
    parser.add_argument("--out", type=Path, default=Path("build/acceptance"))
    options = parser.parse_args()
    results = {int(tokens): run(options, int(tokens)) for tokens in options.tokens.split(",")}
    print("\n".join(table(results, options.tasks.split(","))))


def run(options: argparse.Namespace, tokens: int) -> dict[str, Any]:
    """Make a run with this number of drafted tokens, and return its ``speculative`` entry."""
    out = options.out / f"{options.sample}-{tokens}"
    command = [
        sys.executable, "-m", "k2eval", "run", "--model", options.model, "--tasks", options.tasks, "--repeats", "1",
        "--speculative", f"draft={options.draft},tokens={tokens},sample={options.sample}", "--out", str(out),
    ]  # fmt: skip
    command += ["--limit", str(options.limit)] if options.limit else []
    # Exit code 1 means that some samples could not be finished; the drafts of the others count.
    process = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if process.returncode not in (0, 1):
        raise SystemExit(f"k2eval ended with {process.returncode}: {' '.join(command)}")
    speculative: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))["speculative"]
    return speculative


def table(results: dict[int, dict[str, Any]], tasks: list[str]) -> list[str]:
    """Return a row per number of drafted tokens: length over all and by task, rate, share accepted by position."""
    lines = [
        f"| drafted | acceptance length | {' | '.join(tasks)} | accepted, % | by position, % |",
        "| ---: |" + " ---: |" * (len(tasks) + 2) + " --- |",
    ]
    for tokens, entry in results.items():
        lengths = [entry["tasks"].get(task, {}).get("acceptance_length") for task in tasks]
        cells = [f"{length:.2f}" if length else "-" for length in (entry["acceptance_length"], *lengths)]
        positions = " ".join(f"{100 * rate:.0f}" for rate in entry["acceptance_per_position"])
        lines.append(
            f"| {tokens} | {' | '.join(cells)} | {100 * entry['acceptance_rate']:.1f} | {positions} |"
        )
    return lines


if __name__ == "__main__":
    main()
