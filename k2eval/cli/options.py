"""Options and arguments that several commands have, and the groups in which help shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from k2eval.cli import completion

EVALUATE, LOOK, COMPARE, EXCHANGE, MACHINE = "Evaluate", "Look", "Compare", "Exchange", "Machine"
"""Groups of commands."""
RUN, MODEL, DATA, WORK = "Run", "Model and engine", "Data", "Machine"
"""Groups of the options of `run` and of commands like it."""


def to_path(text: str) -> Path:
    """Return the path that an option names.

    Raises:
        typer.BadParameter: If the text is empty, which a path would take for the current folder, or if no file can have
            that name.
    """
    if not text.strip():
        raise typer.BadParameter(
            "expected a path, got an empty text. Name a folder or a file; '.' is the current folder."
        )
    from k2eval.texts import fault_of_path

    fault = fault_of_path(text)
    if fault:
        raise typer.BadParameter(f"{text!r:.200}: {fault}. Give another path.")
    return Path(text)


def to_seconds(time: str | float) -> float:
    """Return the seconds of a time such as ``90``, ``45s``, ``10m`` or ``2h``.

    Raises:
        typer.BadParameter: If it is none, or not more than 0.

    >>> to_seconds("10m")
    600.0
    """
    text = str(time)
    number, unit = (text[:-1], text[-1]) if text[-1:].lower() in _UNITS else (text, "s")
    try:
        seconds = float(number) * _UNITS[unit.lower()]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _MOST_SECONDS:
        raise typer.BadParameter(f"{text!r:.50}: expected a time such as 90, 45s, 10m or 2h.")
    return seconds


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MOST_SECONDS = 1e8

RunsArgument = Annotated[
    list[Path],
    typer.Argument(parser=to_path, metavar="RUN", help="Run directories, as `k2eval run` writes them."),
]

RunArgument = Annotated[
    Path, typer.Argument(parser=to_path, metavar="RUN", help="Run directory, as `k2eval run` writes it.")
]

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        parser=to_path,
        metavar="DIR",
        rich_help_panel=DATA,
        help="Folder that holds the rows of the benchmarks. [default: K2EVAL_DATA, else the Hugging Face hub]",
    ),
]

IncludeOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--include-path",
        parser=to_path,
        metavar="DIR",
        rich_help_panel=DATA,
        help="Folder with your own task files. Your task replaces k2eval's task of the same name. May be given several "
        "times; K2EVAL_TASKS adds folders too.",
    ),
]

ExcludeOption = Annotated[
    Path | None,
    typer.Option(
        parser=to_path,
        metavar="FILE",
        help="File of questions to leave out: on each line an id, task/id, or the hash of a question.",
    ),
]

ProtectedOption = Annotated[
    bool,
    typer.Option(
        "--include-protected", help="Write texts even if their authors ask users not to publish them."
    ),
]

KINDS = ("vllm", "endpoint", "scripted")
"""Kinds of engines."""

RecipeOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.recipe,
        rich_help_panel=RUN,
        help="Recipe of each response. `k2eval recipes` lists the recipes. [default: the protocol's, else plain]",
    ),
]

ProtocolOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.protocol,
        rich_help_panel=RUN,
        help="Protocol of others whose recipe, prompts, sampling and repeats are the defaults: k2-think, matharena, "
        "kimi, eval360, aa or simple-evals. Other options take precedence. `k2eval protocols` compares them. "
        "[default: k2eval's own]",
    ),
]

MakersRecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="MODULE:NAME",
        rich_help_panel=DATA,
        help="Recipe of the run, if it is a function of its maker's. It is imported only if you name it here.",
    ),
]

LimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        rich_help_panel=DATA,
        help="Evaluate only the first N questions of each task. [default: all]",
    ),
]

SeedOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=RUN,
        help="Seed from which the seed of every request derives. [default: 0]",
    ),
]

EngineOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        autocompletion=lambda incomplete: [kind for kind in KINDS if kind.startswith(incomplete)],
        rich_help_panel=MODEL,
        help="Engine that answers: vllm in this process, endpoint for a server, or scripted for tests. "
        "[default: vllm]",
    ),
]

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        parser=to_path,
        metavar="FILE",
        rich_help_panel=RUN,
        help="YAML file with these settings. Options on the command line take precedence.",
    ),
]

ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        rich_help_panel=MODEL,
        help="Model to ask: a checkpoint folder, a name on the hub, or a server's name for its model.",
    ),
]

SpeculativeOption = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        rich_help_panel=MODEL,
        help="Speculative decoding to use: draft=PATH,tokens=3 | ngram | suffix | eagle=PATH | eagle3=PATH | mtp | "
        "off. With …,when=auto it drafts only while few requests run. [default: off]",
    ),
]

SystemOption = Annotated[
    str | None,
    typer.Option(
        metavar="keep|none|TEXT",
        rich_help_panel=MODEL,
        help="System text of all tasks: keep each task's own, none for no system turn, or the text to use. "
        "[default: keep]",
    ),
]

PromptLanguageOption = Annotated[
    str | None,
    typer.Option(
        metavar="en|zh",
        rich_help_panel=MODEL,
        help="Language of the instructions that tasks put around their questions: en for English or zh for Chinese. "
        "Questions stay in their own language. [default: en]",
    ),
]

ReplicasOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|N|all",
        rich_help_panel=WORK,
        help="Number of engines that share the work, on Ray: auto for one a card of this host (or for as few cards as "
        "the model fits into), or as many as the cluster has room for. [default: auto]",
    ),
]

ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        rich_help_panel=WORK,
        help="Ray cluster on which the replicas run; auto is the one that this host belongs to. "
        "[default: this host alone]",
    ),
]

ThinkingOption = Annotated[
    Literal["on", "off"] | None,
    typer.Option(
        rich_help_panel=MODEL,
        help="Whether the model thinks first, if its chat template or server has a switch for it. "
        "[default: as the template has it]",
    ),
]

EffortOption = Annotated[
    str | None,
    typer.Option(
        metavar="low|medium|high|TEXT",
        rich_help_panel=MODEL,
        help="Effort of thinking, in the word that the model uses. [default: as the template has it]",
    ),
]

BudgetOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        rich_help_panel=MODEL,
        help="Most tokens of thinking, if the chat template or the engine can limit it. [default: no limit]",
    ),
]

ReasoningOption = Annotated[
    str | None,
    typer.Option(
        "--reasoning",
        metavar="FORMAT",
        rich_help_panel=MODEL,
        help="Marks of reasoning in responses: auto, none, think, harmony, mistral, seed, gemma and others (see "
        "docs/checkpoints.md), or `{start: <a>, end: </a>}`. "
        "[default: auto, by the checkpoint's files or else by each response]",
    ),
]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        rich_help_panel=MODEL,
        help="Change any other setting, such as engine.max_model_len=8192 or aime24.repeats=4. May be given several "
        "times.",
    ),
]
