"""Evaluate from Python: in a script, or in an event loop that already runs, such as a notebook's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from rich.console import Console

from k2eval.api.runs import Run
from k2eval.config import load_config
from k2eval.engines import Engine, open_engines
from k2eval.errors import ConfigError
from k2eval.recipes import Recipe
from k2eval.run import Runner
from k2eval.system import terminal
from k2eval.tasks import import_object, task_files, task_groups

if TYPE_CHECKING:
    from k2eval.records import Json

Paths: TypeAlias = str | Path | Sequence[str | Path]


_OF_ENGINES = ("info", "generate", "__aenter__", "__aexit__")
"""What an engine object must have, see `k2eval.engines.Engine`."""


def evaluate(
    model: str | Path | None = None,
    tasks: str | Sequence[str] = (),
    *,
    out: str | Path,
    protocol: str | None = None,
    recipe: str | Recipe | None = None,
    repeats: int | None = None,
    engine: str | Mapping[str, Json] | Engine = "vllm",
    roles: Mapping[str, Mapping[str, Json]] | None = None,
    sampling: Mapping[str, Json] | None = None,
    overrides: Mapping[str, Mapping[str, Json]] | None = None,
    limit: int | None = None,
    seed: int = 0,
    data: str | Path | None = None,
    include_path: Paths = (),
    reuse: Paths = (),
    lengths_from: Paths = (),
    speculative: str | Mapping[str, Json] | None = None,
    reasoning: str | Mapping[str, str] = "auto",
    system: str | None = None,
    prompt_language: str | None = None,
    thinking: bool | None = None,
    reasoning_effort: str | None = None,
    thinking_budget: int | None = None,
    workers: int | None = None,
    replicas: int | str = "auto",
    cluster: str | None = None,
    progress: bool = True,
) -> Run:
    """Ask the questions of tasks, grade the answers, and keep everything in a run directory.

    The same call again continues an interrupted run, and adds tasks, repeats or questions to a finished one.
    An engine starts only if something is missing. Samples that could not be finished on our side are counted by
    `Run.failed`; the same call tries them again.

    In a script, call this below ``if __name__ == "__main__":``, since vLLM starts processes that import the script.
    In a notebook, write ``await k2eval.evaluate_async(…)``.

    Args:
        model: Checkpoint folder, hub name, a served model's name, or the scripted engine's file. It may be left out
            if ``engine`` is an object.
        tasks: Names of tasks, as ``k2eval tasks`` lists them.
        out: Run directory.
        protocol: Protocol of others whose recipe, prompts, sampling and repeats are the defaults: ``matharena`` …, as
            ``k2eval protocols`` lists them.
        recipe: The recipe of each response: a name, as ``k2eval recipes`` lists them, or an async function of a
            `Sample`; that of the protocol, or else ``plain``, if None.
        repeats: Independent repeats of every question; each task's own default if None.
        engine: ``vllm``, ``endpoint`` or ``scripted``; or a mapping of ``kind`` and the engine's arguments, such as
            ``{"kind": "vllm", "max_model_len": 8192}``; or an engine object.
        roles: Other engines and sampling for ``planner``, ``judge`` or ``answer_judge``.
        sampling: Changes to the sampling of all tasks, such as ``{"max_tokens": 32768}``.
        overrides: Changes per task, such as ``{"aime24": {"sampling": {"temperature": 0.6}}}``.
        limit: Evaluate only the first N questions of each task.
        seed: Seed that the seeds of all requests derive from.
        data: Folder with the benchmarks' rows; ``K2EVAL_DATA``, or else the hub, if None.
        include_path: Folders with your own tasks.
        reuse: Run directories whose generations are used again if their keys are equal.
        lengths_from: Run directories that tell which questions take long, so that they are asked early.
        speculative: Speculative decoding, such as ``"ngram"``.
        reasoning: How the checkpoint marks its reasoning, as ``k2eval run --reasoning``.
        system: System text of all tasks: ``keep``, ``none`` or the text itself.
        prompt_language: Language of the instructions around the questions, ``en`` or ``zh``; English if None.
        thinking: Whether the model thinks first; its chat template decides if None.
        reasoning_effort: How hard it thinks, in its own word.
        thinking_budget: The most tokens that it may think.
        workers: Grading processes; k2eval chooses if None.
        replicas: Number of engines that share the work: a number, ``auto`` or ``all``, as ``k2eval run --replicas``.
        cluster: Ray cluster on which they run: ``host:port`` or ``auto``; this host alone if None.
        progress: Whether to show progress: on the standard error stream, or below the cell of a notebook.

    Raises:
        ConfigError: If a setting is unknown or impossible, or an event loop runs already.
        DataError: If questions cannot be found.
        JournalError: If the run directory cannot be written or holds a different run.
        EngineError: If the engine cannot start or has died; everything finished is kept.
    """
    settings = dict(locals())
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(evaluate_async(**settings))
    raise ConfigError(
        "Expected no running event loop, got one, as in a notebook. Write `await k2eval.evaluate_async(…)` there."
    )


async def evaluate_async(
    model: str | Path | None = None,
    tasks: str | Sequence[str] = (),
    *,
    out: str | Path,
    protocol: str | None = None,
    recipe: str | Recipe | None = None,
    repeats: int | None = None,
    engine: str | Mapping[str, Json] | Engine = "vllm",
    roles: Mapping[str, Mapping[str, Json]] | None = None,
    sampling: Mapping[str, Json] | None = None,
    overrides: Mapping[str, Mapping[str, Json]] | None = None,
    limit: int | None = None,
    seed: int = 0,
    data: str | Path | None = None,
    include_path: Paths = (),
    reuse: Paths = (),
    lengths_from: Paths = (),
    speculative: str | Mapping[str, Json] | None = None,
    reasoning: str | Mapping[str, str] = "auto",
    system: str | None = None,
    prompt_language: str | None = None,
    thinking: bool | None = None,
    reasoning_effort: str | None = None,
    thinking_budget: int | None = None,
    workers: int | None = None,
    replicas: int | str = "auto",
    cluster: str | None = None,
    progress: bool = True,
) -> Run:
    """Evaluate as `evaluate` does, in the event loop that runs already.

    No signal handler is installed. If the task is cancelled, everything finished is kept, and the same call continues.

    Args:
        model: As for `evaluate`, like all arguments.
        tasks: Names of tasks.
        out: Run directory.
        protocol: Protocol of others.
        recipe: How a response is made.
        repeats: Independent repeats of every question.
        engine: Kind, mapping or object.
        roles: Other engines and sampling for roles.
        sampling: Changes to the sampling of all tasks.
        overrides: Changes per task.
        limit: Evaluate only the first N questions of each task.
        seed: Seed that the seeds of all requests derive from.
        data: Folder with the benchmarks' rows.
        include_path: Folders with your own tasks.
        reuse: Run directories whose generations are used again if their keys are equal.
        lengths_from: Run directories that tell which questions take long, so that they are asked early.
        speculative: Speculative decoding.
        reasoning: How the checkpoint marks its reasoning.
        system: System text of all tasks.
        prompt_language: Language of the instructions around the questions.
        thinking: Whether the model thinks first.
        reasoning_effort: How hard it thinks.
        thinking_budget: The most tokens that it may think.
        workers: Grading processes.
        replicas: Number of engines that share the work.
        cluster: Ray cluster on which they run.
        progress: Whether to show progress.

    Raises:
        ConfigError: If a setting is unknown or impossible.
        DataError: If questions cannot be found.
        JournalError: If the run directory cannot be written or holds a different run.
        EngineError: If the engine cannot start or has died; everything finished is kept.
    """
    if not str(out):
        raise ConfigError(
            "Expected a run directory as `out`, got an empty text. Give a folder, such as runs/mine."
        )
    own_engine = None if isinstance(engine, (str, Mapping)) else engine
    if own_engine is not None and not all(hasattr(own_engine, name) for name in _OF_ENGINES):
        raise ConfigError(
            f"Expected a kind of engine, a mapping or an object with {', '.join(_OF_ENGINES)} as `engine`, got "
            f"{own_engine!r:.100}."
        )
    if model is None and own_engine is None:
        raise ConfigError(
            "Expected model=…, or an engine object as engine=…, to know what is evaluated; got neither."
        )
    if not tasks:
        raise ConfigError(
            'Expected the names of tasks, such as tasks=["aime24"], got none. `k2eval tasks` lists them.'
        )
    config = load_config(
        file=None,
        flags={
            **(overrides or {}),
            "model": str(model) if model is not None else own_engine and own_engine.info.name,
            "tasks": tasks if isinstance(tasks, str) else tuple(tasks),
            "out": Path(out),
            "protocol": protocol,
            "recipe": recipe if isinstance(recipe, str | None) else _name_of(recipe),
            "repeats": repeats,
            "engine": {"kind": None} if own_engine else _section(cast("str | Mapping[str, Any]", engine)),
            "roles": roles,
            "sampling": sampling,
            "limit": limit,
            "seed": seed,
            "data": None if data is None else Path(data),
            "include_path": _paths(include_path),
            "reuse": _paths(reuse),
            "lengths_from": _paths(lengths_from),
            "speculative": speculative,
            "reasoning": reasoning,
            "system": system,
            "prompt_language": prompt_language,
            "thinking": thinking,
            "reasoning_effort": reasoning_effort,
            "thinking_budget": thinking_budget,
            "workers": workers,
            "fleet": {"replicas": replicas, "cluster": cluster},
        },
        task_names=task_files,
        task_groups=task_groups,
    )
    await Runner(config, open_engines(config, own_engine), _console(progress), signals=False).run()
    return Run(config.out)


def _section(engine: str | Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": engine} if isinstance(engine, str) else dict(engine)


def _paths(paths: Paths) -> tuple[Path, ...]:
    return tuple(Path(path) for path in ((paths,) if isinstance(paths, (str, Path)) else paths))


def _name_of(recipe: Recipe) -> str:
    """Return the import path of a recipe, which is its name in a run directory."""
    name = f"{getattr(recipe, '__module__', '')}:{getattr(recipe, '__qualname__', '')}"
    if import_object(name, "recipe") is not recipe:
        raise ConfigError(
            f"Expected a recipe that is a function of a module, got {recipe!r}. Define it with `async def` outside of "
            "other functions, so that its name leads to it."
        )
    return name


def _console(progress: bool) -> Console:
    if not progress:
        return Console(quiet=True, force_terminal=False)
    if Console().is_jupyter:
        return Console(file=sys.stdout, force_jupyter=False, force_terminal=False, width=160)
    return terminal(stderr=True)
