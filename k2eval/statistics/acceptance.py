"""What speculative decoding achieved: counts added up, their ratios, and the words for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k2eval.records import Json, SpeculativeCounts


def add_counts(one: SpeculativeCounts | None, other: SpeculativeCounts) -> SpeculativeCounts:
    """The sum of two counts."""
    return _combined(one, other, 1) if one else other


def subtract_counts(
    later: SpeculativeCounts | None, earlier: SpeculativeCounts | None
) -> SpeculativeCounts | None:
    """What was counted between two readings; None where nothing was."""
    if later is None or earlier is None:
        return later
    counts = _combined(later, earlier, -1)
    return counts if counts.drafts else None


def _combined(one: SpeculativeCounts, other: SpeculativeCounts, sign: int) -> SpeculativeCounts:
    width = max(len(one.accepted_per_position), len(other.accepted_per_position))
    left, right = (
        [*counts.accepted_per_position, *[0] * (width - len(counts.accepted_per_position))]
        for counts in (one, other)
    )
    return SpeculativeCounts(
        drafts=one.drafts + sign * other.drafts,
        drafted_tokens=one.drafted_tokens + sign * other.drafted_tokens,
        accepted_tokens=one.accepted_tokens + sign * other.accepted_tokens,
        accepted_per_position=tuple(a + sign * b for a, b in zip(left, right, strict=True)),
    )


def ratios(counts: SpeculativeCounts) -> dict[str, Json]:
    """Acceptance rate, mean acceptance length and acceptance per position.

    The length counts the target's own token of each verification step, as vLLM does: 1 + accepted / drafts. Steps
    without a draft (``ngram`` finds none in text that never repeats) are in none of these.
    """
    return {
        "acceptance_rate": _ratio(counts.accepted_tokens, counts.drafted_tokens),
        "acceptance_length": 1 + _ratio(counts.accepted_tokens, counts.drafts),
        "acceptance_per_position": [_ratio(number, counts.drafts) for number in counts.accepted_per_position],
    }


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def total_speculation(sessions: Iterable[Mapping[str, Any]]) -> dict[str, Json] | None:
    """The ``speculative`` entry of ``run.json`` over all sessions; None where nothing was drafted.

    The sums are the engine's, over all that it did, and those of the finished requests where a session ended before it
    could ask. ``counted`` is ``request`` where the engine counts each request too, so that every task has its own
    counts, and ``engine`` where it does not. ``generations`` says how many were made, and how many of them were
    counted: vLLM gives no counts for an answer that ends at a stop string.
    """
    tasks: dict[str, SpeculativeCounts] = {}
    whole: SpeculativeCounts | None = None
    generated = counted = 0
    for session in sessions:
        generated += session.get("generated", 0)
        counted += session.get("generations_with_speculation", session.get("generated", 0))
        requests: SpeculativeCounts | None = None
        for task, entry in session.get("speculative", {}).items():
            counts = SpeculativeCounts.model_validate(entry)
            tasks[task] = add_counts(tasks.get(task), counts)
            requests = add_counts(requests, counts)
        entry = session.get("engine_speculative")
        mine = SpeculativeCounts.model_validate(entry) if entry else requests
        whole = add_counts(whole, mine) if mine else whole
    if whole is None:
        return None
    return {
        "counted": "request" if tasks else "engine",
        **_entry(whole),
        "generations": {"made": generated, "counted": counted},
        "tasks": {task: _entry(counts) for task, counts in tasks.items()},
    }


def _entry(counts: SpeculativeCounts) -> dict[str, Json]:
    return {**counts.model_dump(mode="json"), **ratios(counts)}


def in_words(counts: SpeculativeCounts) -> str:
    """One line: acceptance length, rate and per position."""
    found = ratios(counts)
    places = " ".join(f"{100 * rate:.0f}" for rate in found["acceptance_per_position"])
    return (
        f"acceptance length {found['acceptance_length']:.2f}, {100 * found['acceptance_rate']:.1f} % of "
        f"{counts.drafted_tokens:,} drafted tokens accepted (by position, %: {places or '-'})"
    )


def closing_words(run: Mapping[str, Any]) -> list[str]:
    """What ``run.json`` has to say of prefix cache and speculation, one line each, for the end of a run."""
    lines = []
    sessions = run.get("sessions", [])
    prompt = sum(session.get("prompt_tokens", 0) for session in sessions)
    cached = sum(session.get("cached_tokens", 0) for session in sessions)
    if prompt:
        lines.append(
            f"Prefix cache: {100 * cached / prompt:.1f} % of {prompt:,} prompt tokens were not computed again."
        )
    found = run.get("speculative")
    if found:
        fields = SpeculativeCounts.model_fields
        counts = SpeculativeCounts.model_validate({key: found[key] for key in fields if key in found})
        scope = (
            ""
            if found.get("counted", "request") == "request"
            else "; this vLLM counts per engine, not per task"
        )
        lines.append(f"Speculation: {in_words(counts)}{scope}.")
        tasks = {name: entry.get("acceptance_length") for name, entry in found.get("tasks", {}).items()}
        if tasks:
            lines.append(
                "Acceptance length by task: "
                + ", ".join(f"{name} {length:.2f}" for name, length in tasks.items() if length)
                + _coverage(found.get("generations", {}))
                + "."
            )
    settings = run.get("engine", {}).get("settings", {})
    if settings.get("speculative_config") and not found:
        lines.append("Speculation: nothing was drafted.")
    if settings.get("speculative_config"):
        lines.append(
            "Speculation: the same seeds need not give the same samples again (reproducible: false in run.json)."
        )
    return lines


def _coverage(generations: Mapping[str, int]) -> str:
    made, counted = generations.get("made", 0), generations.get("counted", 0)
    if counted >= made:
        return ""
    return f" ({counted:,} of {made:,} generations; vLLM does not count those that end at a stop string)"
