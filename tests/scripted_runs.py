"""Whole runs over a script, for tests of what happens around recipes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from k2eval.config.run import RunConfig
from k2eval.engines.scripted import Script, ScriptedEngine
from k2eval.journal import GENERATIONS, VERDICTS, read_lines
from k2eval.records import Generation, Request, Role, Verdict
from k2eval.run.plan import Work
from k2eval.run.runner import Runner, Summary

BOX = re.compile(r"\\boxed\{(.*)\}")


def config(out: Path, **fields: Any) -> RunConfig:
    return RunConfig(
        **{"model": "m", "tasks": ("smoke",), "limit": 6, "repeats": 2, "workers": 1, "out": out} | fields
    )


def golds(run: RunConfig) -> dict[str, str]:
    return {assignment.question.id: str(assignment.question.gold) for assignment in Work(run).assignments()}


def student(known: Mapping[str, str], right: Callable[[Request], bool]) -> Callable[[Request], str]:
    """Solves right where ``right`` says so, plans, and judges well: it recognises the gold answer."""

    def script(request: Request) -> str:
        gold = known[request.question_id]
        if request.stage.startswith(("plan", "topics")):
            return "<plan>Think.</plan>"
        if request.stage.startswith("judge"):
            first = request.messages[-1].content.split("Response 0:")[1].split("Response 1:")[0]
            return f'{{"explanation": "", "index": {0 if f"{{{gold}}}" in first else 1}}}'
        if request.stage.startswith("answer_judge"):
            return '{"answer": "", "comparison": "", "equivalent": true}'
        return f"<think>so</think>\\boxed{{{gold if right(request) else 'x' + str(request.seed % 1000)}}}"

    return script


async def run(run_config: RunConfig, script: Callable[[Request], str], **roles: ScriptedEngine) -> Summary:
    engines: dict[Role, Any] = {"solver": ScriptedEngine(script), **roles}  # type: ignore[dict-item]
    return await Runner(run_config, engines, Console(file=io.StringIO())).run()


def verdicts(out: Path) -> list[Verdict]:
    return list({verdict.sample_key: verdict for _, verdict in read_lines(out / VERDICTS, Verdict)}.values())


def right(request: Request) -> str:
    return r"<think>so</think>\boxed{35}"


async def carry_out(
    run_config: RunConfig, script: Script = right, out: io.StringIO | None = None, **engine: Any
) -> tuple[Summary, ScriptedEngine]:
    scripted = ScriptedEngine(script, **engine)
    return await Runner(run_config, {"solver": scripted}, Console(file=out or io.StringIO())).run(), scripted


def generations(out: Path) -> list[Generation]:
    return [generation for _, generation in read_lines(out / GENERATIONS, Generation)]
