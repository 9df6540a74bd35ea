"""`k2eval check-model`: what a checkpoint or a server will be asked, and what must be set, in seconds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from k2eval.config import RunConfig
from k2eval.engines import (
    CheckpointFacts,
    ScriptedEngine,
    TemplateFiles,
    checkpoint_facts,
    differing_sampling,
    doubled_start,
    pinned,
    turn_end,
)
from k2eval.engines.vllm import FOLDED, Preview
from k2eval.errors import ConfigError
from k2eval.reasoning import HARMONY, find_format, prefill_of
from k2eval.records import Json, ReasoningFormat, Request
from k2eval.run import Asked, RoleEngines, Work, stages, switches_set_by_user
from k2eval.system import terminal

NOT_READY = 1
"""Exit code if something must be set."""
_HEAD, _TAIL = 14, 6
"""Lines of a prompt that are shown: the first and the last ones."""
_LONG = 400
"""Characters of a line that are shown."""


@dataclass(slots=True)
class Findings:
    """What was found out about a model."""

    model: str
    facts: dict[str, str] = field(default_factory=dict)
    to_set: dict[str, None] = field(default_factory=dict)
    """What must be set or corrected before a run can score right."""
    notes: dict[str, None] = field(default_factory=dict)
    """What its user should know."""
    prompts: list[tuple[str, str]] = field(default_factory=list)
    """Title and text of each stage's prompt, or of each question to a server and its answer."""
    marks: Collection[str] = ()
    """Special tokens, which are made visible."""

    def must(self, text: str) -> None:
        """Take in something that must be set."""
        self.to_set[text] = None

    def note(self, text: str) -> None:
        """Take in something to know."""
        self.notes[text] = None


class Unstarted(ScriptedEngine):
    """Shows prompts and is never started."""

    def __init__(self, preview: Preview) -> None:
        super().__init__(lambda request: "")
        self._preview = preview

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Return the prompt; see `k2eval.engines.Previews`."""
        return self._preview.show(request, switches)


def check_model_command(config: RunConfig, served: str | None, verbose: bool, as_json: bool) -> int:
    """Carry out ``k2eval check-model``; return 0 if the model is ready, else 1."""
    url = config.model if re.match(r"https?://", config.model) else None
    if url:
        from k2eval.cli.check_server import check_server

        found = check_server(config, served)
    else:
        found = check_checkpoint(config)
    if as_json:
        print(json.dumps(_as_json(found), indent=1, ensure_ascii=False))
    else:
        show(found, terminal(), verbose)
    return NOT_READY if found.to_set else 0


def check_checkpoint(config: RunConfig) -> Findings:
    """Find out what the files of a checkpoint say about a run of this configuration.

    Raises:
        ConfigError: If there is no such checkpoint, or a file of it cannot be read.
    """
    arguments = pinned(config.model, config.engine.arguments)
    revision = arguments.get("revision")
    preview = Preview(config.model, arguments)
    facts = checkpoint_facts(config.model, revision)
    found = Findings(config.model, marks=frozenset(facts.tokens.values()))
    found.facts |= {"commit": revision} if revision else {}
    size = f", {facts.weight_bytes / 2**20:,.0f} MiB of weights" if facts.weight_bytes else ""
    found.facts["architecture"] = f"{facts.architecture}, {facts.dtype}{size}"
    if Path(config.model).is_dir() and not any(Path(config.model).glob("*.safetensors")):
        found.note(
            "there are no *.safetensors files: vLLM needs weights of another kind, or the copy is not whole"
        )
    reasoning = find_format(config.model, config.reasoning, arguments)
    found.facts["reasoning"] = reasoning.sentence
    work = Work(config)
    longest = _check_prompts(found, work, preview, reasoning.form)
    _check_template(found, preview.files, work)
    _check_end(found, preview.files, facts, work, reasoning.form)
    _check_context(found, facts, work, longest, config)
    own = differing_sampling(facts.own_sampling, work.sampling_of(work.sets[0]))
    if own:
        found.facts["generation_config.json"] = ", ".join(own)
        found.note(
            "generation_config.json names other sampling than the tasks: k2eval draws as the tasks say; "
            "--set sampling.NAME=VALUE changes that"
        )
    return found


def _check_prompts(found: Findings, work: Work, preview: Preview, form: ReasoningFormat) -> int:
    """Have the prompts of all stages written; return the tokens of the longest, 0 if they cannot be counted."""
    engines = RoleEngines({"solver": Unstarted(preview)})
    count = _counter(work.config.model)
    longest, refused = 0, dict[str, list[str]]()
    for step, asked in asyncio.run(first_of_each_step(work, engines)).items():
        try:
            text = preview.show(asked.request, switches_set_by_user(work, asked.role, asked.request))
        except ConfigError as error:
            refused.setdefault(str(error), []).append(step)
            continue
        if text is None:
            found.note("the checkpoint's own code writes its prompts: they can be seen once it is loaded")
            continue
        tokens = count(text)
        longest = max(longest, tokens)
        opened = prefill_of(text, form)
        ending = f", opens {opened}" if opened else ""
        found.prompts.append(
            (f"{step} ({asked.role}){f', {tokens:,} tokens' if tokens else ''}{ending}", text)
        )
        if start := doubled_start(text, preview.files):
            found.must(f"the prompt begins with {start} twice: take one of them out of the chat template")
    for words, steps in refused.items():
        found.must(f"{words} (in {', '.join(steps)})")
    if preview.folds:
        found.note(FOLDED.text)
    return longest


async def first_of_each_step(work: Work, engines: RoleEngines) -> dict[str, Asked]:
    """Return the first request of each stage of the recipe, about the first question of the first task."""
    assignment = next(work.assignments())
    asked = await stages(work, engines, assignment)
    firsts: dict[str, Asked] = {}
    for entry in asked:
        firsts.setdefault(entry.step, entry)
    return firsts


def _check_template(found: Findings, files: TemplateFiles, work: Work) -> None:
    template = files.template
    if template is None:
        if files.is_known:
            found.facts["chat template"] = "none"
            found.note("there is no chat template: prompts are plain text, as for a base model")
        return
    arguments = template.given(work.sampling_of(work.sets[0]))
    reads = ", ".join(sorted(template.arguments)) or "no arguments"
    found.facts["chat template"] = f"in {files.file}; reads {reads}"
    system = template.system_turn(arguments)
    found.facts["system text"] = {
        "kept": "kept as a turn of its own",
        "refused": "the template refuses a system turn: folded into the first user turn",
        "dropped": "the template drops a system turn: folded into the first user turn",
    }[system]
    own = template.own_system(arguments)
    if own and any(questions.task.system for questions in work.sets):
        found.facts["system text of its own"] = own if len(own) <= _LONG else f"{own[:_LONG]}…"
        found.note("the template leaves its own system text out if a task gives one: --system none keeps it")


def _check_end(
    found: Findings, files: TemplateFiles, facts: CheckpointFacts, work: Work, form: ReasoningFormat
) -> None:
    """See whether the token with which the template ends an answer ends one in vLLM, too."""
    own = (files.tokens or {}).get("eos_token")
    ends = list(dict.fromkeys([*facts.end_tokens, *([own] if own else [])]))
    if ends:
        found.facts["end tokens"] = ", ".join(ends)
    if files.template is None or form == HARMONY:  # whose earlier answers end otherwise than new ones
        return
    sampling = work.sampling_of(work.sets[0])
    end = turn_end(files.template, files.template.given(sampling))
    if end and ends and end not in (*ends, *sampling.stop):
        listed = ", ".join(json.dumps(stop, ensure_ascii=False) for stop in (*sampling.stop, end))
        found.must(
            f"the template ends an answer with {end}, which is not among the end tokens ({', '.join(ends)}): "
            f"--set 'sampling.stop=[{listed}]'"
        )


def _check_context(
    found: Findings, facts: CheckpointFacts, work: Work, longest: int, config: RunConfig
) -> None:
    context = config.engine.arguments.get("max_model_len") or facts.context
    if not isinstance(context, int):
        return
    needed = max(work.sampling_of(questions).max_tokens for questions in work.sets) + longest
    found.facts["context"] = f"{context:,} tokens; prompt and answer may need {needed:,}"
    if needed <= context:
        return
    option = facts.longer_context(needed)
    found.note(
        f"answers are cut where prompt and answer reach {context:,} tokens; --set sampling.max_tokens="
        f"{max(1, context - longest)} says so in the table"
    )
    if option:
        found.note(f"if the makers of the model allow it, YaRN extends its context:\n{option}")


def _counter(model: str) -> Any:
    """Return a function that counts the tokens of a text; 0 if the tokenizer cannot be read."""
    from k2eval.engines import checkpoint_file

    path = checkpoint_file(model, "tokenizer.json")
    try:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path)) if path else None
    except Exception:  # tokenizers raises Exception itself
        tokenizer = None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids) if tokenizer else 0


def show(found: Findings, console: Console, verbose: bool) -> None:
    """Print what was found, for people."""
    table = Table(title=found.model, title_justify="left", box=SIMPLE, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in found.facts.items():
        table.add_row(name, Text(text))
    console.print(table)
    for title, text in found.prompts:
        shown = text if verbose else "\n".join(_shortened(text.split("\n")))
        console.print(Panel(_marked(shown, found.marks), title=Text(title), title_align="left"))
    if found.prompts and not verbose:
        console.print("--verbose shows texts whole.", highlight=False)
    for note in found.notes:
        end = "" if "\n" in note else "."
        console.print(f"Note: {note}{end}", soft_wrap=True, highlight=False, markup=False)
    for text in found.to_set:
        console.print(Text.assemble(("To set: ", "bold red"), text), soft_wrap=True)
    console.print(
        f"[bold red]Not ready[/]: {len(found.to_set)} to set." if found.to_set else "[bold green]ready[/]",
        highlight=False,
    )


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    left_out = len(lines) - _HEAD - _TAIL
    left_out = left_out if left_out > 1 else 0
    for number, line in enumerate(lines):
        if left_out > 0 and number == _HEAD:
            yield f"[… {left_out} lines]"
        if left_out <= 0 or number < _HEAD or number >= len(lines) - _TAIL:
            yield line if len(line) <= _LONG else f"{line[: _LONG // 2]} […] {line[-_LONG // 2 :]}"


def _marked(text: str, marks: Collection[str]) -> Text:
    """Return a text in which special tokens stand out."""
    shown = Text(text)
    names = [re.escape(mark) for mark in sorted(marks, key=len, reverse=True) if mark.strip()]
    for part in re.finditer("|".join(names), text) if names else ():
        shown.stylize("bold black on cyan", *part.span())
    return shown


def _as_json(found: Findings) -> Mapping[str, Json]:
    return {
        "model": found.model,
        "ready": not found.to_set,
        "to_set": list(found.to_set),
        "notes": list(found.notes),
        "facts": found.facts,
        "prompts": [{"title": title, "text": text} for title, text in found.prompts],
    }
