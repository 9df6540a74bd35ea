"""Check a run without starting it: no engine starts, and no run directory is written."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.cli.hub import hub_row
from k2eval.config import RunConfig
from k2eval.engines import (
    CheckpointFacts,
    checkpoint_config,
    longest_context,
    open_engines,
    pinned,
    pinned_config,
    weight_bytes,
)
from k2eval.errors import ConfigError, JournalError, K2EvalError
from k2eval.journal import RUN, Archive, read_run, read_verdicts
from k2eval.protocols import protocol_named
from k2eval.reasoning import find_format
from k2eval.recipes import recipe_for
from k2eval.run import RoleEngines, Work, merge_run, read_lengths, rehearse, steps_of
from k2eval.sandbox import DoctorRow


@dataclass(slots=True)
class TaskPlan:
    """The size of one task."""

    name: str
    questions: int = 0
    repeats: int = 0
    max_tokens: int = 0
    most_tokens: int = 0
    source: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    """The reason why the task cannot be asked; empty if it can."""

    @property
    def samples(self) -> int:
        """Questions times repeats."""
        return self.questions * self.repeats


def dry_run(config: RunConfig, console: Console) -> int:
    """Print what ``config`` asks for and whether everything for it is there; return 0 if so, else 2."""
    console.print("Dry run: no engine is started, no run directory is written.", highlight=False)
    plans = [plan_of(config, name) for name in dict.fromkeys(config.tasks)]
    console.print(_table(plans))
    for plan in plans:
        for note in plan.notes:
            console.print(f"Note: {plan.name}: {note}.", soft_wrap=True, highlight=False, markup=False)
    failed = sum(bool(plan.problem) for plan in plans)
    for row in checks(config, plans):
        failed += not row.ok
        mark = Text("–     " if row.is_absent else "ok    ") if row.ok else Text("failed", style="bold red")
        text = " ".join(part for part in (row.detail, row.remedy) if part)
        console.print(Text.assemble(mark, f" {row.name}: {text}"), soft_wrap=True, highlight=False)
    for plan in plans:
        if plan.problem:
            console.print(
                Text.assemble(("failed", "bold red"), f" {plan.name}: {plan.problem}"), soft_wrap=True
            )
    problems = f"{failed} check{'s' * (failed > 1)} failed"
    console.print(f"The run cannot start: {problems}." if failed else "The run can start.", highlight=False)
    return 2 if failed else 0


def plan_of(config: RunConfig, name: str) -> TaskPlan:
    """Find the questions of one task and count what they come to; never raises k2eval's own errors."""
    try:
        alone = config.model_copy(update={"tasks": (name,), "recipe": "plain"})
        work = Work(alone)
        [questions] = work.sets
        items = questions.questions()
        in_steps = questions.task.spec.solver is not None
        steps = sum(steps_of(question) if in_steps else 1 for question in items)
    except K2EvalError as error:
        return TaskPlan(name, problem=str(error))
    try:
        answers = candidates(config.recipe)
    except K2EvalError:  # told as a check of its own
        answers = 1
    repeats = work.repeats_of(questions)
    max_tokens = min(work.sampling_of(questions).max_tokens, context_of(config))
    return TaskPlan(
        name,
        questions=len(items),
        repeats=repeats,
        max_tokens=max_tokens,
        most_tokens=steps * repeats * max_tokens * answers,
        source=questions.source,
        notes=(
            *(note.text for note in questions.notes),
            *work.describe_task(questions).protocol_notes(config.recipe),
        ),
    )


def context_of(config: RunConfig) -> int:
    """Return the most tokens of prompt and answer, if a local checkpoint tells them."""
    if config.engine.kind != "vllm":
        return sys.maxsize
    try:
        most = longest_context(config.model)
    except ConfigError:  # told as a check of its own
        most = None
    length = config.engine.arguments.get("max_model_len")
    return length if isinstance(length, int) and length > 0 else most or sys.maxsize


def candidates(recipe: str) -> int:
    """Return how many answers a recipe makes for one sample at most.

    >>> candidates("plain"), candidates("bo3"), candidates("k2")
    (1, 3, 3)
    """
    count = getattr(recipe_for(recipe), "n", 1)
    return count if isinstance(count, int) else 1


def checks(config: RunConfig, plans: list[TaskPlan]) -> Iterator[DoctorRow]:
    """Yield a row for the recipe, the checkpoint, its replicas, the hub and the run directory."""
    if config.protocol:
        named = protocol_named(config.protocol)
        yield DoctorRow("protocol", True, f"{named.label}, {named.title}: {named.about}.", "")
    yield _try("recipe", lambda: recipe_words(config.recipe))

    def checkpoint() -> str:
        engines = open_engines(config)
        return checkpoint_words(config, engines["solver"].info.commit)

    model = _try("model", checkpoint)
    yield model
    if model.ok:
        yield from (DoctorRow("replicas", True, f"{plan}.", "") for plan in fleet_words(config))
    if model.ok and plans and not any(plan.problem for plan in plans):
        yield _try("prompts", lambda: prompt_words(config))
    yield _try(
        "reasoning",
        lambda: f"{find_format(config.model, config.reasoning, config.engine.arguments).sentence}.",
    )
    if config.reuse:
        yield _try("reuse", lambda: reuse_words(config.reuse))
    if config.lengths_from:
        yield _try("lengths", lambda: length_words(config.lengths_from))
    if needs_hub(config, plans):
        yield hub_row()
    yield _try("run directory", lambda: directory_words(config))


def _try(name: str, check: Callable[[], str]) -> DoctorRow:
    try:
        return DoctorRow(name, True, check(), "")
    except K2EvalError as error:
        return DoctorRow(name, False, str(error), "")


def recipe_words(recipe: str) -> str:
    """Say what a recipe makes."""
    count = candidates(recipe)
    many = f", up to {count} answers for each sample; plans and judgements come on top" if count > 1 else ""
    return f"{recipe}{many}."


def fleet_words(config: RunConfig) -> list[str]:
    """Say how many replicas of each engine there will be; nothing for one engine that is as it always was."""
    engines = RoleEngines(open_engines(config)).distinct
    return list({engine.info.plan: None for engine in engines if engine.info.plan})


def prompt_words(config: RunConfig) -> str:
    """Say that the prompts of all stages can be written.

    Raises:
        ConfigError: If the chat template refuses one, or a switch of thinking has no effect.
    """
    work, engines = Work(config), RoleEngines(open_engines(config))
    asked = asyncio.run(rehearse(work, engines, work.assignments()))
    stages = dict.fromkeys(f"{entry.step} ({entry.role})" for entry in asked)
    notes = "".join(f" Note: {note.text}." for note in engines.solver.notes)
    return f"the stages {', '.join(stages)} can be asked.{notes}"


def reuse_words(folders: Sequence[Path]) -> str:
    """Say that the generations of other runs can be read.

    Raises:
        JournalError: If a folder is no run directory, or a line in it is bad.
    """
    Archive(folders)
    return f"the generations in {', '.join(map(str, folders))} can be read."


def length_words(folders: Sequence[Path]) -> str:
    """Say that the lengths of other runs can be read.

    Raises:
        JournalError: If a folder is no run directory, or a line in it is bad.
    """
    tasks = ", ".join(read_lengths(folders).tasks)
    return f"the lengths in {', '.join(map(str, folders))} can be read ({tasks or 'no answer'})."


def checkpoint_words(config: RunConfig, commit: str | None) -> str:
    """Say what is known of the model without loading it."""
    if config.engine.kind != "vllm":
        return f"{config.model}, through the {config.engine.kind} engine, which was not asked."
    from k2eval.engines.vllm import check_checkpoints

    speculative = pinned_config(config).speculative
    if speculative:
        check_checkpoints(config.model, speculative, pinned(config.model, config.engine.arguments))
    settings = checkpoint_config(config.model)
    if not settings:
        return f"{config.model} is on the hub, at commit {commit}; its weights were not looked at."
    size = weight_bytes(config.model) / 2**20
    return f"{config.model}: {CheckpointFacts(settings).architecture}, {size:,.0f} MiB of weights."


def needs_hub(config: RunConfig, plans: list[TaskPlan]) -> bool:
    """Return whether the model or some questions come from the hub, or had to."""
    from_hub = any(plan.problem or "@" in plan.source for plan in plans)
    return from_hub or (config.engine.kind == "vllm" and not Path(config.model).exists())


def directory_words(config: RunConfig) -> str:
    """Say what the run directory holds.

    Raises:
        JournalError: If it holds another run, or files that are not k2eval's, or cannot be made.
    """
    if not (config.out / RUN).exists():
        place = next(folder for folder in (config.out, *config.out.absolute().parents) if folder.exists())
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise JournalError(f"{place} is no folder that can be written. Give another --out.")
        return f"{config.out} will be made anew."
    record = read_run(config.out)
    engines = RoleEngines(open_engines(config), config)
    work = Work(config)
    merge_run(record, work.describe(engines.solver, engines.fingerprints, engines.reasoning))
    keys = {assignment.sample_key for assignment in work.assignments()}
    latest = {verdict.sample_key: verdict for verdict in read_verdicts(config.out, record)}
    done = sum(key in keys and work.is_settled(verdict) for key, verdict in latest.items())
    return f"{config.out} holds this run: {done} of {len(keys)} samples are there, the rest will be made."


def _table(plans: list[TaskPlan]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for heading in (
        "task",
        "questions",
        "repeats",
        "samples",
        "tokens of one answer ≤",
        "tokens in all ≤",
        "source",
    ):
        table.add_column(
            heading, justify="left" if heading in ("task", "source") else "right", overflow="fold"
        )
    for plan in plans:
        if plan.problem:
            table.add_row(plan.name, Text("none found", style="bold red"))
        else:
            table.add_row(plan.name, *(f"{number:,}" for number in _numbers(plan)), _shortened(plan.source))
    ready = [plan for plan in plans if not plan.problem]
    if len(ready) > 1:
        total = [
            sum(getattr(plan, field) for plan in ready) for field in ("questions", "samples", "most_tokens")
        ]
        table.add_section()
        table.add_row("all", f"{total[0]:,}", "", f"{total[1]:,}", "", f"{total[2]:,}")
    return table


def _numbers(plan: TaskPlan) -> tuple[int, ...]:
    return plan.questions, plan.repeats, plan.samples, plan.max_tokens, plan.most_tokens


def _shortened(source: str) -> str:
    first, *more = source.split(", ")
    return f"{first} and {len(more)} more" if more else first
