"""Claims about the extent of a run: how much was asked, of which commit, and how long an answer could be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from k2eval.engines import hub_fingerprints
from k2eval.journal import RunRecord
from k2eval.records import Generation, NoteKind, Request, Role
from k2eval.run.identity import limits_of_context
from k2eval.run.plan import MOST_REPEATS, Work
from k2eval.tasks import load_tasks

SPARE_TOKENS = 256
"""Tokens beyond a limit that servers may count: marks that end a turn, and the like."""
_SHORT_BY = 16
"""Tokens by which an answer that a limit cut may be shorter than the limit."""


@dataclass(slots=True)
class Lengths:
    """The lengths of the generations of a run's checkpoint, as they were seen one after another."""

    longest: int = 0
    """Most tokens of a prompt with its answer."""
    unexplained: int = 0
    """Answers that were cut before their limit, although the context had room for more."""

    def add(self, run: RunRecord, generation: Generation, request: Request, role: Role) -> None:
        """Count a generation, unless another checkpoint than the solver's made it."""
        if run.engine.fingerprints[role] != run.engine.fingerprints["solver"]:
            return
        whole = generation.prompt_tokens + generation.output_tokens
        self.longest = max(self.longest, whole)
        if generation.finish_reason == "length":
            within = generation.output_tokens + _SHORT_BY < request.sampling.max_tokens
            context = run.model.context
            self.unexplained += within and (context is None or whole + _SHORT_BY < context)


def faults_of_extent(run: RunRecord, work: Work, lengths: Lengths) -> Iterator[str]:
    """Yield what contradicts the configuration or the generations."""
    config, context = run.config, run.model.context
    for questions in work.sets:
        name, there = questions.task.name, run.tasks[questions.task.name]
        if name not in config.tasks:  # an earlier start asked for it, with settings that nothing tells
            continue
        repeats = _repeats(run, name)
        if repeats is not None and there.repeats < repeats:
            yield f"{name}: run.json asks for {repeats} repeats, and holds {there.repeats}"
        asked = min(config.limit or there.questions, questions.available)
        if there.questions < asked:
            yield f"{name}: run.json asks for {asked} questions, and holds {there.questions}"
    arguments = config.engine.arguments
    length = arguments.get("max_model_len")
    if context is not None:
        if lengths.longest > context + SPARE_TOKENS:
            yield f"model.context is {context}, and a prompt with its answer has {lengths.longest} tokens"
        if config.engine.kind == "vllm" and isinstance(length, int) and length > 0 and length != context:
            yield f"model.context is {context}, and engine.max_model_len {length}"
    commit = run.model.commit
    if commit is None:
        return
    if config.engine.kind in ("endpoint", "scripted"):
        yield f"model.commit is {commit!r:.60}, and an engine of kind {config.engine.kind} knows none"
    elif run.model.fingerprint not in hub_fingerprints(config.model, commit, arguments):
        yield f"model.commit is {commit!r:.60}, and model.fingerprint is not of {config.model!r:.60} at that commit"


def doubts_of_extent(run: RunRecord, work: Work, lengths: Lengths) -> Iterator[str]:
    """Yield what nobody can check, and keeps a table from calling the run verified."""
    config = run.config
    defaults = {
        task.name: task.repeats for task in load_tasks(list(run.tasks), include=work.config.include_path)
    }
    for questions in work.sets:
        name, there = questions.task.name, run.tasks[questions.task.name]
        if name not in config.tasks:
            continue
        if _repeats(run, name) is None and there.repeats < defaults[name]:
            yield (
                f"{name}: the task asks for {defaults[name]} repeats, run.json holds {there.repeats}, and "
                "nothing tells why"
            )
        if config.limit is None and there.questions < questions.available:
            yield f"{name}: {there.questions} of {questions.available} questions were asked, and run.json has no limit"
    claimed = {note.text for note in run.engine.notes if note.kind is NoteKind.CONTEXT}
    if claimed != {note.text for note in limits_of_context(run.tasks, run.model.context)}:
        yield "the notes on the context are not those that model.context makes"
    if config.engine.kind == "vllm" and run.model.context is None and lengths.longest:
        yield "run.json does not tell the context, so nobody can tell whether it cut answers"
    if config.engine.kind is None and run.model.commit is not None:
        yield "model.commit is that of an engine object, and cannot be checked"
    if lengths.unexplained and config.engine.kind == "vllm":
        yield f"{_cut(lengths)}, which neither max_tokens nor model.context explains"


def notes_on_extent(run: RunRecord, lengths: Lengths) -> Iterator[str]:
    """Yield what nobody can check, and no table claims."""
    if run.model.context is None and run.config.engine.kind != "vllm":
        yield "the engine told no context, so whether it cut answers is told by their tokens alone"
    if lengths.unexplained and run.config.engine.kind != "vllm":
        yield f"{_cut(lengths)}, as a server with a limit of its own does"


def _cut(lengths: Lengths) -> str:
    return f"{lengths.unexplained} answers were cut before their limit"


def _repeats(run: RunRecord, task: str) -> int | None:
    """Return the repeats that the configuration asks for; None if it leaves them to the task."""
    own = run.config.overrides.get(task)
    default = None if run.config.until is None else MOST_REPEATS
    return (own.repeats if own else None) or run.config.repeats or default
