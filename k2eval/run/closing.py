"""The lines about prefix cache and speculation that end a run."""

from __future__ import annotations

from k2eval.journal import CountedGenerations, RunRecord, RunSpeculation
from k2eval.statistics import in_words


def closing_words(run: RunRecord) -> list[str]:
    """Return what ``run.json`` tells of prefix cache and speculation, one line each."""
    lines = []
    if run.prefix_cache_hits is not None:
        lines.append(
            f"Prefix cache: {100 * run.prefix_cache_hits:.1f} % of {run.prompt_tokens:,} prompt tokens were not "
            "computed again."
        )
    if run.speculative:
        lines += _of_speculation(run.speculative)
    speculates = bool(run.engine.settings.get("speculative_config"))
    if speculates and not run.speculative:
        lines.append("Speculation: nothing was drafted.")
    if speculates or (run.speculative and not run.reproducible):  # perhaps in an earlier start alone
        lines.append(
            "Speculation: the same seeds need not give the same samples again (reproducible: false in run.json)."
        )
    return lines


def _of_speculation(speculation: RunSpeculation) -> list[str]:
    scope = "" if speculation.counted == "request" else "; this vLLM counts per engine, not per task"
    lines = [f"Speculation: {in_words(speculation)}{scope}."]
    tasks = ", ".join(f"{name} {task.acceptance_length:.2f}" for name, task in speculation.tasks.items())
    if tasks:
        lines.append(f"Acceptance length by task: {tasks}{_coverage(speculation.generations)}.")
    return lines


def _coverage(generations: CountedGenerations) -> str:
    if generations.counted >= generations.generated:
        return ""
    return (
        f" ({generations.counted:,} of {generations.generated:,} generations; vLLM does not count those that end at a "
        "stop string)"
    )
