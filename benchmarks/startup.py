"""Measure the time of ``k2eval --help`` and of a bare interpreter: ``python -m benchmarks.startup``."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

GOAL_S = 0.5


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Alternate both, and print their medians and the share of the goal that the command takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    seconds("-m", "k2eval", "--help")  # reads the files from disk
    bare, ours = zip(
        *((seconds("-c", ""), seconds("-m", "k2eval", "--help")) for _ in range(rounds)), strict=True
    )
    print(f"an interpreter alone: {statistics.median(bare):.3f} s (median of {rounds})")
    print(f"k2eval --help:        {statistics.median(ours):.3f} s")
    print(f"of {GOAL_S} s allowed: {statistics.median(ours) / GOAL_S:.2f}")


if __name__ == "__main__":
    main()
