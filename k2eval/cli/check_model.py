"""`k2eval check-model`: what a checkpoint or a server will be asked, and what must be set, in seconds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from k2eval.cli.findings import Findings, first_of_each_step, show, to_json
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
    weights_fault,
)
from k2eval.engines.vllm import Preview
from k2eval.errors import ConfigError
from k2eval.protocols import protocol_named
from k2eval.reasoning import find_format, prefill_of
from k2eval.records import ReasoningFormat, Request
from k2eval.run import RoleEngines, Work, switches_set_by_user
from k2eval.system import terminal

NOT_READY = 1
"""Exit code if something must be set."""
_ANSWERS_IN_PARTS = ("harmony", "solar")
"""Formats whose earlier answers end otherwise than new ones."""
_LONG = 400
"""Characters of a system text that are shown."""


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

        findings = check_server(config, served)
    elif served is not None:
        raise ConfigError(
            f"--model names one of the models of a server, and {config.model} is no URL. Leave it out, or give the "
            "server's URL, such as http://host:8000/v1."
        )
    else:
        findings = check_checkpoint(config)
    if config.protocol:
        _tell_protocol(findings, config)
    if as_json:
        print(json.dumps(to_json(findings), indent=1, ensure_ascii=False))
    else:
        show(findings, terminal(), verbose)
    return NOT_READY if findings.to_set else 0


def _tell_protocol(findings: Findings, config: RunConfig) -> None:
    """Tell which protocol the prompts and limits are of, and what of it is unknown for each task."""
    named = protocol_named(str(config.protocol))
    findings.facts["protocol"] = f"{named.label}, {named.title}; recipe {config.recipe}"
    work = Work(config)
    for questions in work.sets:
        for note in work.describe_task(questions).protocol_notes(config.recipe):
            findings.note(f"{questions.task.name}: {note}")


def check_checkpoint(config: RunConfig) -> Findings:
    """Find out what the files of a checkpoint say about a run of this configuration.

    Raises:
        ConfigError: If there is no such checkpoint, or a file of it cannot be read.
    """
    arguments = pinned(config.model, config.engine.arguments)
    revision = arguments.get("revision")
    preview = Preview(config.model, arguments)
    facts = checkpoint_facts(config.model, revision)
    findings = Findings(config.model, marks=frozenset(facts.tokens.values()))
    findings.facts |= {"commit": revision} if revision else {}
    size = f", {facts.weight_bytes / 2**20:,.0f} MiB of weights" if facts.weight_bytes else ""
    findings.facts["architecture"] = f"{facts.architecture}, {facts.dtype}{size}"
    if facts.quantisation:
        findings.facts["quantisation"] = facts.quantisation
    fault = None if arguments.get("load_format") == "dummy" else weights_fault(config.model)
    if fault:
        findings.must(fault)
    elif Path(config.model).is_dir() and not any(Path(config.model).glob("*.safetensors")):
        findings.note("there are no *.safetensors files: vLLM needs a format of weights that it reads")
    reasoning = find_format(config.model, config.reasoning, arguments)
    findings.facts["reasoning"] = reasoning.sentence
    work = Work(config)
    longest = _check_prompts(findings, work, preview, reasoning.form)
    _check_template(findings, preview.files, work)
    _check_end(findings, preview.files, facts, work, reasoning.form)
    _check_context(findings, facts, work, longest, config)
    own = differing_sampling(facts.own_sampling, work.sampling_of(work.sets[0]))
    if own:
        findings.facts["generation_config.json"] = ", ".join(own)
        findings.note(
            "generation_config.json names other sampling than the tasks: k2eval draws as the tasks say; "
            "--set sampling.NAME=VALUE changes that"
        )
    return findings


def _check_prompts(findings: Findings, work: Work, preview: Preview, form: ReasoningFormat) -> int:
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
            findings.note("the checkpoint's own code writes its prompts: they can be seen once it is loaded")
            continue
        tokens = count(text)
        longest = max(longest, tokens)
        opened = prefill_of(text, form)
        ending = f", opens {opened}" if opened else ""
        findings.prompts.append(
            (f"{step} ({asked.role}){f', {tokens:,} tokens' if tokens else ''}{ending}", text)
        )
        if start := doubled_start(text, preview.files):
            findings.must(f"the prompt begins with {start} twice: take one of them out of the chat template")
    for words, steps in refused.items():
        findings.must(f"{words} (in {', '.join(steps)})")
    for note in preview.notes:
        findings.note(note.text)
    return longest


def _check_template(findings: Findings, files: TemplateFiles, work: Work) -> None:
    template = files.template
    if template is None:
        if files.is_known:
            findings.facts["chat template"] = "none"
            findings.note("there is no chat template: prompts are plain text, as for a base model")
        return
    arguments = template.arguments_of(work.sampling_of(work.sets[0]))
    reads = ", ".join(sorted(template.arguments)) or "no arguments"
    findings.facts["chat template"] = f"in {files.file}; reads {reads}"
    system = template.system_turn(arguments)
    findings.facts["system text"] = {
        "kept": "kept as a turn of its own",
        "refused": "the template refuses a system turn: folded into the first user turn",
        "dropped": "the template drops a system turn: folded into the first user turn",
    }[system]
    own = template.own_system(arguments)
    if own and any(questions.task.system for questions in work.sets):
        findings.facts["system text of its own"] = own if len(own) <= _LONG else f"{own[:_LONG]}…"
        findings.note(
            "the template leaves its own system text out if a task gives one: --system none keeps it"
        )


def _check_end(
    findings: Findings, files: TemplateFiles, facts: CheckpointFacts, work: Work, form: ReasoningFormat
) -> None:
    """See whether the token with which the template ends an answer ends one in vLLM, too."""
    own = (files.tokens or {}).get("eos_token")
    ends = list(dict.fromkeys([*facts.end_tokens, *([own] if own else [])]))
    if ends:
        findings.facts["end tokens"] = ", ".join(ends)
    if files.template is None or form.name in _ANSWERS_IN_PARTS:
        return
    sampling = work.sampling_of(work.sets[0])
    end = turn_end(files.template, files.template.arguments_of(sampling))
    if end and ends and end not in (*ends, *sampling.stop):
        listed = ", ".join(json.dumps(stop, ensure_ascii=False) for stop in (*sampling.stop, end))
        findings.must(
            f"the template ends an answer with {end}, which is not among the end tokens ({', '.join(ends)}): "
            f"--set 'sampling.stop=[{listed}]'"
        )


def _check_context(
    findings: Findings, facts: CheckpointFacts, work: Work, longest: int, config: RunConfig
) -> None:
    context = config.engine.arguments.get("max_model_len") or facts.context
    if not isinstance(context, int):
        return
    needed = max(work.sampling_of(questions).max_tokens for questions in work.sets) + longest
    findings.facts["context"] = f"{context:,} tokens; prompt and answer may need {needed:,}"
    if context == facts.tokenizer_limit:
        findings.note(f"the context is that of model_max_length in tokenizer_config.json, {context:,} tokens")
    if needed <= context:
        return
    option = facts.longer_context(needed)
    findings.note(
        f"answers are cut where prompt and answer reach {context:,} tokens; --set sampling.max_tokens="
        f"{max(1, context - longest)} says so in the table"
    )
    if option:
        findings.note(f"if the makers of the model allow it, YaRN extends its context:\n{option}")


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
