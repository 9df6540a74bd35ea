"""The facts that must not change while a run directory grows, and the merge of a new start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from k2eval.errors import JournalError
from k2eval.journal import RunRecord, TaskRecord
from k2eval.reasoning import AUTO, setting_of
from k2eval.records import ROLES, SWITCHES, Json, Note, NoteKind, SampleKey, Sampling

# Engine arguments that change what a checkpoint says, unlike those that change how fast it says it. The revision of a
# hub model is not among them: the fingerprint holds the commit, whatever name was given to it.
_SHAPING_ARGUMENTS = (
    "dtype", "quantization", "max_model_len", "tokenizer", "tokenizer_revision", "hf_overrides", "load_format",
    "chat_template", "api", "drop", "extra_body", "rename",
)  # fmt: skip


def identity_of(run: RunRecord) -> dict[str, Json]:
    """Return what must not change while a run directory grows, as flat names and values."""
    config = run.config
    fingerprints: dict[str, str] = {str(role): text for role, text in run.engine.fingerprints.items()}
    roles = {name: _shaping(role) for name, role in config.roles.items()}
    answer_judge = fingerprints.pop("answer_judge", None), roles.pop("answer_judge", None)
    facts: dict[str, Json] = {
        "model": fingerprints,
        "recipe": run.recipe,
        "protocol": config.protocol,
        "seed": run.seed,
        "speculative": config.speculative,
        "prompt_language": config.prompt_language,
        "roles": {name: role for name, role in roles.items() if role},
    }
    if answer_judge[1] is not None:  # shapes no response, so it may join a run that was made without it
        facts["answer_judge"] = list(answer_judge)
    for key in _SHAPING_ARGUMENTS:
        facts[f"engine.{key}"] = config.engine.arguments.get(key)
    for name, task in run.tasks.items():
        facts[f"{name}.version"] = task.version
        facts[f"{name}.prompt"] = task.prompt
        facts[f"{name}.protocol"] = task.protocol_label
        facts[f"{name}.options"] = task.options
        facts[f"{name}.questions"] = task.fingerprint
        drawn = task.sampling.model_dump(mode="json")
        for key in Sampling.model_fields:
            facts[f"{name}.sampling.{key}"] = drawn.get(key)
    return facts


def _shaping(role: Mapping[str, Json]) -> dict[str, Json]:
    """Return the settings that shape a role's text, without its place and its speed."""
    shaping = ("model", "sampling", "speculative", *_SHAPING_ARGUMENTS)
    facts = {key: value for key, value in role.items() if key in shaping and value}
    return facts | {key: role[key] for key in SWITCHES if role.get(key) is not None}


def merge_run(before: RunRecord | None, now: RunRecord) -> RunRecord:
    """Return ``now``, extended by what an earlier session left: other tasks, more repeats, earlier sessions.

    Raises:
        JournalError: If the two have different identities; lists what differs.
    """
    if before is None:
        return now
    old, new = identity_of(before), identity_of(now)
    changed = [key for key in new if key in old and old[key] != new[key]]
    lines = [
        f"  {key}: {_shown(key, old[key], before)} there, {_shown(key, new[key], now)} now" for key in changed
    ]
    lines += _other_formats(before, now)
    if lines:
        differences = "\n".join(lines)
        raise JournalError(
            f"{now.config.out} holds a different run. The differences:\n{differences}\n"
            f"{_remedy(before, now)}; more tasks or more repeats may be added to it."
        )
    tasks = {name: _fuller(before.tasks.get(name), task) for name, task in now.tasks.items()}
    overrides = {**before.config.overrides, **now.config.overrides}
    if before.config.system != now.config.system:  # what holds for all tasks now did not for those of before
        earlier = {name: before.config.overrides_of(name) for name in before.tasks if name not in now.tasks}
        overrides |= {
            name: own.model_copy(update={"system": own.system or "keep"}) for name, own in earlier.items()
        }
    return now.model_copy(
        update={
            # The engine's facts from its start stay until it has started again.
            "model": before.model.model_copy(update={"name": now.model.name}),
            "engine": before.engine.model_copy(update={"fingerprints": now.engine.fingerprints}),
            "reproducible": before.reproducible,
            "repeats": max(before.repeats, now.repeats),
            "tasks": {**before.tasks, **tasks},
            "config": now.config.model_copy(update={"overrides": overrides}),
            "sessions": before.sessions,
            "speculative": before.speculative,
        }
    )


def _remedy(before: RunRecord, now: RunRecord) -> str:
    there = before.model.commit
    if there and now.model.commit != there and before.model.name == now.model.name:
        return f"The model has moved on the hub. Give another --out, or that commit with --set engine.revision={there}"
    return "Give another --out, or the settings of that run"


def _other_formats(before: RunRecord, now: RunRecord) -> list[str]:
    """Return a line for each role whose reasoning format differs, as long as either was asked for by name.

    A format that was found may differ: a checkpoint of the hub tells nothing until it has been downloaded once.
    """
    lines = []
    for role in ROLES:
        explicit = any(
            (run.config.roles.get(role, {}).get("reasoning") or run.config.reasoning) != "auto"
            for run in (before, now)
        )
        there, here = (run.reasoning.get(role, AUTO) for run in (before, now))
        if explicit and there != here and (role != "answer_judge" or role in before.config.roles):
            lines.append(f"  {role}'s reasoning: {setting_of(there)} there, {setting_of(here)} now")
    return lines


def _fuller(before: TaskRecord | None, now: TaskRecord) -> TaskRecord:
    """Return the task as it is now, with the most questions and repeats that were ever asked."""
    if before is None:
        return now
    fuller = before if before.questions > now.questions else now  # whose notes name the limit
    hashes = {**before.hashes, **now.hashes}  # lm-eval may ask for any questions, not the first ones alone
    return now.model_copy(
        update={
            "repeats": max(now.repeats, before.repeats),
            "questions": max(fuller.questions, len(hashes)),
            "notes": fuller.notes,
            "hashes": hashes,
        }
    )


def _shown(key: str, value: Json, run: RunRecord) -> str:
    if key == "model":  # a name for people, a digest since two checkpoints may share a name
        same = len(set(value.values())) == 1
        digests = [f"{'' if same else role + ' '}{str(digest)[:12]}" for role, digest in value.items()]
        commit = f" at commit {run.model.commit}" if run.model.commit else ""
        return f"{run.model.name}{commit} ({', '.join(dict.fromkeys(digests))})"
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


def is_complete(run: RunRecord, settled: Iterable[SampleKey]) -> bool:
    """Return whether every sample that ``run.json`` speaks of is among the settled ones."""
    done = Counter(key.task for key in settled if key.repeat_index < run.tasks[key.task].repeats)
    return all(done[name] >= task.questions * task.repeats for name, task in run.tasks.items())


def limits_of_context(tasks: Mapping[str, TaskRecord], context: int | None) -> list[Note]:
    """Return a note for each length of answers that tasks allow, but the engine's context has no room for."""
    longer: dict[int, list[str]] = {}
    for name, task in tasks.items():
        if context is not None and task.sampling.max_tokens >= context:
            longer.setdefault(task.sampling.max_tokens, []).append(name)
    return [
        Note(
            kind=NoteKind.CONTEXT,
            text=f"max_tokens is {allowed}, but prompt and answer must fit a context of {context} tokens: longer "
            f"answers are cut there ({', '.join(names)})",
        )
        for allowed, names in longer.items()
    ]
