"""The results of the measurements of a GPU: lines of JSON as they come, and tables at the end."""

from __future__ import annotations

import argparse
import json
import math
import time
from statistics import median
from typing import Any

from k2eval.engines.vllm import Level

COLUMNS = {
    "level": "at once", "tokens_per_s": "tokens/s", "tokens_per_s_full": "while full",
    "of_copy": "of copy roof", "of_data_sheet": "of sheet roof",
    "tpot_ms_median": "TPOT ms", "ttft_ms_median": "TTFT ms", "acceptance_length": "accept len", "running": "running",
    "failed": "failed",
}  # fmt: skip


class Results:
    """The results, on the terminal, in a file, and in a table at the end."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._rows: list[dict[str, Any]] = []
        self._start = time.perf_counter()

    def say(self, measurement: str, **result: Any) -> None:
        row = {"what": measurement, "shape": self._options.shape} | {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in result.items()
        }
        line = json.dumps(row | {"at_s": round(time.perf_counter() - self._start, 1)}, default=str)
        print(line, flush=True)
        with self._options.out.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._rows.append(row)

    def table(self) -> None:
        loads = [row for row in self._rows if "level" in row]
        if loads:
            print(f"\n{'':22}" + "".join(f"{title:>14}" for title in COLUMNS.values()))
        for row in loads:
            title = row["what"] + (f", {row['draft_tokens']} drafted" if row.get("draft_tokens") else "")
            cells = [row.get(name) for name in COLUMNS]
            print(
                f"{title:22}"
                + "".join(f"{'-' if cell is None else format(cell, ',.4g'):>14}" for cell in cells)
            )
        for row in self._rows:
            if row["what"] == "same":
                print(f"same: {row['equal']} of {row['outputs']} greedy outputs equal")
            if row["what"] == "busy":
                print(
                    f"busy, {row['recipe']}, round {row['round']}: {row['tokens_per_s']:,.0f} tokens/s, "
                    f"{row['places_taken']:.3f} of the places taken, {row['work_taken']:.3f} of those with work left"
                    + (f"; seconds per token, bare vLLM / k2eval: {row['ratio']:.3f}" if row["ratio"] else "")
                )
        counted = [row for row in self._rows if row["what"] == "busy" and row["round"] and row["ratio"]]
        if counted:
            work, ratio = (median(row[name] for row in counted) for name in ("work_taken", "ratio"))
            print(f"medians without round 0: {work:.3f} of the places with work left, ratio {ratio:.3f}")
        speeds = {
            side: [row["tokens_per_s"] for row in self._rows if row.get("side") == side and row["round"]]
            for side in ("graded", "ungraded")
        }
        if all(speeds.values()):
            slowdown = median(speeds["ungraded"]) / median(speeds["graded"]) - 1
            print(f"slowdown of the engine by grading beside it, without round 0: {100 * slowdown:.1f} %")
        plain = {row["level"]: row["tokens_per_s_full"] for row in loads if row["what"] == "plain"}
        for row in loads:
            if row["what"] in ("drafts", "scan", "auto") and row["level"] in plain:
                title = "by schedule" if row["what"] == "auto" else f"{row['draft_tokens']} drafted"
                ratio = row["tokens_per_s_full"] / plain[row["level"]]
                print(f"{title} / plain at {row['level']}: {ratio:.3f}")
        wholes = {
            side: [
                row["tokens_per_s"] for row in self._rows if row["what"] == "whole" and row["side"] == side
            ]
            for side in ("plain", "auto")
        }
        if all(wholes.values()):
            print(f"by schedule / plain, a whole run: {median(wholes['auto']) / median(wholes['plain']):.3f}")

    def levels(self) -> list[Level]:
        """Return the speeds that were measured with and without drafts, by the number of requests."""
        found: dict[int, Level] = {}
        for row in self._rows:
            if row["what"] == "plain":
                found[row["level"]] = Level(row["level"], row["tokens_per_s_full"], {})
            if row["what"] in ("drafts", "scan") and row["level"] in found:
                found[row["level"]].drafted[row["draft_tokens"]] = row["tokens_per_s_full"]
        return sorted(found.values())
