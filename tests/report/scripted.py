"""Real run directories, made by the runner with a scripted engine."""

from __future__ import annotations

import asyncio
import io
import json
import random
from pathlib import Path
from typing import Any

from rich.console import Console

from k2eval.config.run import RunConfig
from k2eval.engines.scripted import ScriptedEngine
from k2eval.records import Generation, Request, Verdict
from k2eval.run.runner import Runner


def answer(request: Request) -> str:
    """Sometimes the first demo answer, sometimes nothing, sometimes reasoning without end."""
    rng = random.Random(request.seed)
    thoughts = "<think>" + "Let me see. " * rng.randrange(5, 60)
    draw = rng.random()
    if draw < 0.1:
        return thoughts
    if draw < 0.2:
        return thoughts + "</think>I cannot tell."
    guess = "35" if draw < 0.6 else str(rng.randrange(5))
    return f"{thoughts}</think>So the result is \\boxed{{{guess}}}. <script>alert(1)</script>"


def smoke_run(out: Path, *, repeats: int = 3, limit: int | None = None, seed: int = 0) -> Path:
    """A finished run of the bundled questions."""
    config = RunConfig.model_validate(
        {
            "model": "scripted",
            "tasks": ("smoke",),
            "repeats": repeats,
            "limit": limit,
            "seed": seed,
            "out": out,
        }
    )
    engine = ScriptedEngine(answer)
    asyncio.run(Runner(config, {"solver": engine}, Console(file=io.StringIO())).run())
    return out


def edit_run(folder: Path, **fields: Any) -> None:
    """Changes fields of the one task in ``run.json``."""
    path = folder / "run.json"
    run = json.loads(path.read_text())
    run["tasks"]["smoke"].update(fields)
    path.write_text(json.dumps(run))


def make_best_of_two(folder: Path, question: str) -> None:
    """Turns the first run of a question into one with a plan, two candidates and a judge."""
    rows = [
        Verdict.model_validate_json(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()
    ]
    verdict = next(row for row in rows if row.question_id == question and row.repeat_index == 0)
    stored = [
        Generation(
            key=f"{verdict.selected}-{stage}",
            task="smoke",
            question_id=question,
            repeat_index=0,
            stage=stage,
            text=text,
            finish_reason="stop",
            prompt_tokens=5,
            output_tokens=7,
            duration_s=0.0,
            seed=0,
            model="judge" if "judge" in stage else "solver",
        )
        for stage, text in (
            ("plan", "<plan>Add, then divide.</plan>"),
            ("solve-1", "<think>second</think>\\boxed{99}"),
            ("judge.0-1", "the first is right"),
        )
    ]
    notes = {
        "candidates": [
            {
                "index": 0,
                "generation": verdict.selected,
                "answer": "35",
                "tokens": 9,
                "plan": stored[0].key,
            },
            {"index": 1, "generation": stored[1].key, "answer": "99", "tokens": 7},
        ],
        "comparisons": [{"pair": [0, 1], "winner": 0, "ground": "both orders", "orders": [0, 0]}],
        "selected": 0,
        "marks": ["1 of 2 orders without a usable verdict"],
    }
    keys = (verdict.selected, *(generation.key for generation in stored))
    changed = verdict.model_copy(update={"notes": notes, "generations": keys})
    with (folder / "verdicts.jsonl").open("a") as file:
        file.write(changed.to_line() + "\n")
    with (folder / "generations.jsonl").open("a") as file:
        file.writelines(generation.to_line() + "\n" for generation in stored)
