"""What must not change while a run directory grows, and how it grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from k2eval.errors import JournalError
from k2eval.journal.journal import RUN
from k2eval.records import Json, SampleKey

# Engine arguments that change what a checkpoint says, unlike those that change how fast it says it.
_SHAPING_ARGUMENTS = (
    "dtype", "quantization", "max_model_len", "revision", "tokenizer", "hf_overrides", "load_format", "chat_template",
)  # fmt: skip


def identity(run: Mapping[str, Any]) -> dict[str, Json]:
    """What must not change while a run directory grows, as flat names and values.

    Raises:
        JournalError: When the description lacks something, as one that was edited by hand may.
    """
    try:
        return _identity(run)
    except (KeyError, TypeError, AttributeError) as error:
        raise JournalError(
            f"{RUN} is not what `k2eval run` writes: {type(error).__name__} {error}. Restore it, or give another --out."
        ) from error


def _identity(run: Mapping[str, Any]) -> dict[str, Json]:
    config = run.get("config", {})
    arguments = config.get("engine", {}).get("arguments", {})
    fingerprints = dict(run["engine"]["fingerprints"])
    roles = {name: _shaping(role) for name, role in config.get("roles", {}).items()}
    answer_judge = fingerprints.pop("answer_judge", None), roles.pop("answer_judge", None)
    facts: dict[str, Json] = {
        "model": fingerprints,
        "recipe": run["recipe"],
        "seed": run["seed"],
        "speculative": config.get("speculative"),
        "roles": {name: role for name, role in roles.items() if role},
    }
    if answer_judge[1] is not None:  # shapes no response, so it may join a run that was made without it
        facts["answer_judge"] = list(answer_judge)
    for key in _SHAPING_ARGUMENTS:
        facts[f"engine.{key}"] = arguments.get(key)
    for name, task in run["tasks"].items():
        for key in ("version", "prompt", "options"):
            facts[f"{name}.{key}"] = task[key]
        facts[f"{name}.questions"] = task["fingerprint"]
        for key, value in task["sampling"].items():
            facts[f"{name}.sampling.{key}"] = value
    return facts


def _shaping(role: Mapping[str, Any]) -> dict[str, Json]:
    """What shapes a role's words; not where it is served, or how fast."""
    kept = ("model", "sampling", "speculative", *_SHAPING_ARGUMENTS)
    return {key: value for key, value in role.items() if key in kept and value}


def merge_run(before: Mapping[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """``now``, extended by what an earlier session left: other tasks, more repeats, earlier sessions.

    Raises:
        JournalError: When the two have different identities; lists what differs.
    """
    if not before:
        return {**now, "sessions": [], "complete": False}
    old, new = identity(before), identity(now)
    changed = [key for key in new if key in old and old[key] != new[key]]
    if changed:
        lines = "\n".join(
            f"  {key}: {_said(key, old[key], before)} there, {_said(key, new[key], now)} now"
            for key in changed
        )
        raise JournalError(
            f"{now['config']['out']} holds a different run. What differs:\n{lines}\n"
            "Give another --out, or the settings of that run; more tasks or more repeats may be added to it."
        )
    tasks = dict(before["tasks"])
    for name, task in now["tasks"].items():
        kept = tasks.get(name, {"repeats": 0, "questions": 0})
        fuller = kept if kept["questions"] > task["questions"] else task  # whose notes name the limit
        tasks[name] = {
            **task,
            "repeats": max(task["repeats"], kept["repeats"]),
            "questions": fuller["questions"],
            "notes": fuller["notes"],
            "hashes": fuller.get("hashes", {}),
        }
    overrides = {**before["config"].get("overrides", {}), **now["config"]["overrides"]}
    return {
        **now,
        # What the engine said once it had started holds until it has started again.
        "model": {**before["model"], "name": now["model"]["name"]},
        "engine": {**before["engine"], "fingerprints": now["engine"]["fingerprints"]},
        "repeats": max(before["repeats"], now["repeats"]),
        "tasks": tasks,
        "config": {**now["config"], "overrides": overrides},
        "sessions": before.get("sessions", []),
        "complete": False,
    }


def _said(key: str, value: Json, run: Mapping[str, Any]) -> str:
    if key == "model":  # a name for people, a digest since two checkpoints may share a name
        same = len(set(value.values())) == 1
        digests = [f"{'' if same else role + ' '}{str(digest)[:12]}" for role, digest in value.items()]
        return f"{run['model']['name']} ({', '.join(dict.fromkeys(digests))})"
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


def is_complete(run: Mapping[str, Any], settled: Iterable[SampleKey]) -> bool:
    """Whether every sample that ``run.json`` speaks of is among the settled ones."""
    done = Counter(
        place.task for place in settled if place.repeat_index < run["tasks"][place.task]["repeats"]
    )
    return all(done[name] >= task["questions"] * task["repeats"] for name, task in run["tasks"].items())


def limits_of_context(run: Mapping[str, Any], context: int | None) -> list[str]:
    """A note where tasks allow longer answers than the engine's context has room for."""
    longer: dict[int, list[str]] = {}
    for name, task in run["tasks"].items():
        if context is not None and task["sampling"]["max_tokens"] >= context:
            longer.setdefault(task["sampling"]["max_tokens"], []).append(name)
    return [
        f"max_tokens is {allowed}, but prompt and answer must fit a context of {context} tokens: longer answers "
        f"are cut there ({', '.join(names)})"
        for allowed, names in longer.items()
    ]
