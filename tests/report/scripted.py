"""Real run directories, made by the runner with a scripted engine."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from k2eval.config.run import RunConfig
from k2eval.engines.scripted import ScriptedEngine
from k2eval.records import Generation, Outcome, Request, Verdict
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


def smoke_run(
    out: Path,
    *,
    repeats: int = 3,
    limit: int | None = None,
    seed: int = 0,
    text: Callable[[Request], str] = answer,
) -> Path:
    """A finished run of the bundled questions."""
    config = RunConfig.model_validate(
        {
            "model": "scripted",
            "engine": {"kind": "scripted"},
            "tasks": ("smoke",),
            "repeats": repeats,
            "limit": limit,
            "seed": seed,
            "out": out,
        }
    )
    engine = ScriptedEngine(text)
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


RICH = r"""<think>First we look at $x^2$ and see that
it is **never** negative. A rare word: quokka.</think>
# The plan

1. Take \(a = \frac{1}{2}\).
2. Then

\[
a
= b
+ c
\]

- So 96*35=96*30+96*5, and 2**3 + 3**2 is 17, *not* **18**.
- A price of $5 and another of $6 stay as they are.
- `inline code`, and a [link](https://example.com/track) and ![a picture](https://example.com/x.png).

| n | n² |
| --- | ---: |
| 2 | 4 |

```python
def f(x: int) -> int:
    return x < 3  # a comment
```

<img src=x onerror="window.broken = true"><script>window.broken = true</script>
[click](javascript:window.broken=true) <style>body { display: none }</style>
\href{javascript:window.broken=true}{x} $\href{javascript:window.broken=true}{y}$ $\frac{1$

So the answer is \boxed{\frac{1}{2}}."""


def rich(request: Request) -> str:
    """Markdown, mathematics, a program, and texts that want to be markup."""
    return RICH if request.repeat_index == 0 else RICH.replace("quokka", "wombat")


def make_program(folder: Path, question: str) -> None:
    """Turns the first repeat of a question into a program that failed a hidden test."""
    rows = [
        Verdict.model_validate_json(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()
    ]
    verdict = next(row for row in rows if row.question_id == question and row.repeat_index == 0)
    failed = {
        "test": 3,
        "hidden": True,
        "why": "line 2 differs",
        "input": "3\n1 2 3\n",
        "expected": "1\n2\n3\n",
        "got": "1\n5\n3\n",
    }
    detail = {"tests": 10, "hidden_tests": 7, "passed": 3, "failed": failed}
    code = "def main():\n    print(1 < 2)\n"
    changed = verdict.model_copy(update={"grader": "code/4", "detail": detail, "extracted": code})
    changed = changed.model_copy(update={"outcome": Outcome.WRONG, "score": 0.0})
    with (folder / "verdicts.jsonl").open("a") as file:
        file.write(changed.to_line() + "\n")


def tag_questions(folder: Path) -> None:
    """Gives every second question another level."""
    path = folder / "verdicts.jsonl"
    rows = [Verdict.model_validate_json(line) for line in path.read_text().splitlines()]
    levels = [{"level": "hard" if int(row.question_id[-1]) % 2 == 0 else "easy"} for row in rows]
    changed = [row.model_copy(update={"tags": tags}) for row, tags in zip(rows, levels, strict=True)]
    path.write_text("".join(row.to_line() + "\n" for row in changed))
