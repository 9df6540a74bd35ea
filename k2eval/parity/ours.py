"""The run as one side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k2eval.leaderboard import TaskScores, load_run
from k2eval.parity.lm_eval import digest_of
from k2eval.parity.side import Facts, Side
from k2eval.records import Outcome, Question
from k2eval.report import Samples


@dataclass(slots=True)
class Ours:
    """A benchmark of the run."""

    side: Side
    scores: TaskScores
    keys: dict[str, list[str]]
    """Question id -> the keys by which other files may hold it: those of its texts first, its id last."""
    questions: dict[str, Question]
    """Question id -> the question as the first repeat asked it, if it is at hand."""
    protected: bool
    is_complete: bool


def read_ours(folder: Path, data: Path | None, include: Sequence[Path]) -> tuple[dict[str, Ours], list[str]]:
    """Read the benchmarks of a run, and notes on texts that are not at hand.

    Raises:
        JournalError: If the folder is not a run directory.
    """
    samples, run = Samples.load(folder, data, include), load_run(folder)
    found = {}
    for name, scores in run.benchmarks.items():
        if scores.graded and scores.error_unit is None:
            found[name] = _ours(name, scores, samples)
    return found, samples.notes


def _ours(name: str, scores: TaskScores, samples: Samples) -> Ours:
    run, task = samples.run, scores.info
    side = Side(run.name, name, scores.estimate.value, se=scores.estimate.se)
    side.questions, side.repeats = len(scores.questions), task.repeats
    side.samples = scores.graded + scores.failed
    side.failed, side.truncated = scores.failed, scores.count(Outcome.TRUNCATED)
    sampling = task.sampling
    facts: Facts = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": float(max(sampling.top_k, 0)),
        "min_p": sampling.min_p,
        "max_tokens": float(sampling.max_tokens),
        "stop": ", ".join(map(repr, sampling.stop)),
        "grader": f"k2eval {task.grader}",
        "recipe": run.recipe,
        "shots": 0.0,
        "revision": f"{task.source}, {task.fingerprint}",
        "template": "chat",
    }
    if run.model.context is not None:
        facts["context"] = float(run.model.context)
    if sampling.thinking is not None:
        facts["thinking"] = "on" if sampling.thinking else "off"
    effort = sampling.reasoning_effort or sampling.chat_template.get("reasoning_effort")
    if isinstance(effort, str):
        facts["reasoning_effort"] = effort
    if sampling.thinking_budget is not None:
        facts["thinking_budget"] = float(sampling.thinking_budget)
    keys: dict[str, list[str]] = {}
    questions: dict[str, Question] = {}
    items = {item.id: item for item in samples.questions[name].items()} if name in samples.questions else {}
    for question_id in scores.questions:
        texts = []
        question = samples.question(name, question_id, 0)
        if question is not None:
            questions[question_id] = question
            facts["system"] = next(
                (turn.content for turn in question.messages if turn.role == "system"), "none"
            )
            whole = "\n\n".join(turn.content for turn in question.messages)
            side.prompts[question_id] = whole
            fields = items[question_id].fields.values() if question_id in items else ()
            texts = [
                text for text in (*fields, whole, question.messages[-1].content) if isinstance(text, str)
            ]
        keys[question_id] = [*(digest_of(text) for text in texts if len(text) >= 20), f"id:{question_id}"]
    side.facts = facts
    return Ours(side, scores, keys, questions, task.protected, not scores.missing)
