"""Which of eight causes differ between two sides, and how much each could explain where that can be counted."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Literal

from k2eval.parity.agreement import means_on
from k2eval.parity.ours import Ours
from k2eval.parity.side import CAUSES, Side, key_of

Status = Literal["same", "differs", "unknown"]
_NEEDED = {
    "prompt": ("prompt",), "template": ("template",), "effort": ("reasoning_effort",),
    "sampling": ("temperature", "top_p"), "limits": ("max_tokens",), "grader": ("grader",),
    "data revision": ("revision",), "failures": ("failed", "truncated"),
}  # fmt: skip
"""Settings without which a cause is not known to be the same."""
_TITLES = {
    "shots": "examples in the prompt", "top_p": "top-p", "top_k": "top-k", "min_p": "min-p", "max_tokens": "tokens",
    "reasoning_effort": "effort", "thinking_budget": "budget of thinking", "stop": "stop strings",
    "system": "system text",
}  # fmt: skip


_READ = 1_500
"""Characters of two prompts that are compared for what differs in them."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the eight causes."""

    name: str
    status: Status
    ours: str
    theirs: str
    unknown: str
    """Settings that one side does not state."""
    effect: str = ""
    """How much it could explain, if that can be counted."""


def causes(ours: Ours, theirs: Side, shared: dict[str, str], grader_effect: str = "") -> list[Cause]:
    """Return the eight causes.

    Args:
        ours: The run's side.
        theirs: The other side.
        shared: Questions in common: our id -> their key.
        grader_effect: What the audit by their grader says.
    """
    mine, other = _known(ours.side), _known(theirs)
    prompts = _prompts(ours, theirs)
    if prompts:
        mine["prompt"], other["prompt"] = prompts
        if _whole_prompts_equal(
            ours, theirs
        ):  # whatever a file says of the system text, it is in the prompts
            mine.pop("system", None)
            other.pop("system", None)
    if shared:
        mine["revision"] = f"{len(ours.keys)} texts"
        other["revision"] = mine["revision"] if len(shared) == len(ours.keys) else f"{len(shared)} of them"
        if any(key.startswith("id:") for key in shared.values()):
            del other["revision"]  # an id tells nothing of the text
    effects = {
        "grader": grader_effect,
        "data revision": _of_data(ours, theirs, shared),
        "limits": _of_truncation(ours.side, theirs),
        "failures": _of_failures(ours.side, theirs),
    }
    return [_cause(name, mine, other, bool(shared), effects.get(name, "")) for name in CAUSES]


def _known(side: Side) -> dict[str, str | float]:
    facts = {name: value for name, value in side.facts.items() if value is not None}
    for name in ("questions", "failed", "truncated"):
        value = getattr(side, name)
        if value is not None and name in ("failed", "truncated"):
            if side.asked:
                facts[name] = f"{value} of {side.asked} samples"
        elif value is not None:
            facts[name] = float(value)
    return facts


def _cause(
    name: str, mine: dict[str, str | float], other: dict[str, str | float], shared: bool, effect: str
) -> Cause:
    differing, equal, unknown = [], [], []
    for setting in CAUSES[name]:
        first, second = mine.get(setting), other.get(setting)
        if first is None or second is None:
            if first is not None or second is not None or setting in _NEEDED[name]:
                unknown.append(setting)
        elif setting == "revision" and not shared and first != second:
            unknown.append(setting)  # names of files tell nothing of their content
        elif _same(setting, first, second):
            equal.append(setting)
        else:
            differing.append(setting)
    missing = [setting for setting in _NEEDED[name] if setting not in equal]
    status: Status = "differs" if differing else "unknown" if missing else "same"
    shown = differing or equal or unknown
    return Cause(
        name,
        status,
        _words(name, shown, mine),
        _words(name, shown, other),
        ", ".join(_TITLES.get(setting, setting) for setting in unknown),
        effect,
    )


def _same(setting: str, first: str | float, second: str | float) -> bool:
    if isinstance(first, float | int) and isinstance(second, float | int):
        return abs(float(first) - float(second)) < 1e-9
    if setting in ("failed", "truncated"):
        return _alike(str(first), str(second))
    if setting == "template" and "chat" in (first, second):
        return str(first).startswith("chat") and str(second).startswith("chat")
    if setting == "grader" and "k2eval" in (first, second):  # a file that does not name the version
        return str(first).startswith("k2eval") and str(second).startswith("k2eval")
    if setting == "stop":
        return set(str(first).split(", ")) == set(str(second).split(", "))
    return key_of(str(first)) == key_of(str(second))


def _alike(first: str, second: str) -> bool:
    """Return whether two shares, such as "3 of 20 samples", differ by no more than chance (two standard errors)."""
    counts = [
        [int(number) for number in text.removesuffix(" samples").split(" of ")] for text in (first, second)
    ]
    (part, whole), (other, others) = counts
    both = (part + other) / (whole + others)
    noise = math.sqrt(both * (1 - both) * (1 / whole + 1 / others)) if 0 <= both <= 1 else 0.0
    return abs(part / whole - other / others) <= 2 * noise


def _words(cause: str, settings: list[str], facts: dict[str, str | float]) -> str:
    """Return settings in words; a setting that is called as its cause has no name before it."""
    parts = []
    for setting in settings:
        value = facts.get(setting)
        if value is None:
            continue
        shown = f"{value:,.0f}" if isinstance(value, float) and value >= 1000 else value
        shown = " ".join((f"{shown:g}" if isinstance(shown, (int, float)) else str(shown)).split())
        title = "" if setting in (cause, "revision", "stop") else f"{_TITLES.get(setting, setting)} "
        parts.append(title + (shown if len(shown) <= 80 else shown[:79] + "…"))
    return "; ".join(parts) or "not stated"


def _prompts(ours: Ours, theirs: Side) -> tuple[str, str] | None:
    """Return both prompts of the first question that both sides show: the parts in which they differ."""
    total = same = 0
    example: tuple[str, str] | None = None
    for name, text in ours.side.prompts.items():
        other = next((theirs.prompts[key] for key in ours.keys[name] if theirs.prompts.get(key)), None)
        if other is None:
            continue
        total += 1
        alike = key_of(other) in _forms(ours, name, text)
        same += alike
        if not alike and example is None:
            example = (text, other)
    if not total:
        return None
    if example is None:
        return (f"equal in {total} questions",) * 2
    if ours.protected:
        return f"other words in {total - same} of {total} questions", "not shown (protected)"
    first, second = _apart(*example)
    return f"“{first}” (differs in {total - same} of {total} questions)", f"“{second}”"


def _forms(ours: Ours, name: str, text: str) -> set[str]:
    """Return a prompt as others may keep it: with its system text, without it, or only its last turn."""
    turns = ours.questions[name].messages if name in ours.questions else ()
    bare = "\n\n".join(turn.content for turn in turns if turn.role != "system")
    return {key_of(each) for each in (text, bare, turns[-1].content if turns else "") if each}


def _whole_prompts_equal(ours: Ours, theirs: Side) -> bool:
    """Return whether all prompts that both sides show are equal from their first character on."""
    return all(
        key_of(theirs.prompts[key]) == key_of(text)
        for name, text in ours.side.prompts.items()
        for key in ours.keys[name]
        if theirs.prompts.get(key)
    )


def _apart(first: str, second: str) -> tuple[str, str]:
    """Return what two texts do not share, without their longest common part."""
    first, second = " ".join(first.split())[:_READ], " ".join(second.split())[:_READ]
    match = difflib.SequenceMatcher(None, first, second, autojunk=False).find_longest_match()
    if match.size < 20:
        return first[:60], second[:60]
    cut = [
        f"{text[max(0, at - 30) : at]}[…]{text[at + match.size : at + match.size + 30]}"
        for text, at in ((first, match.a), (second, match.b))
    ]
    return cut[0], cut[1]


def _of_data(ours: Ours, theirs: Side, shared: dict[str, str]) -> str:
    if not theirs.scores:
        return ""
    if not shared:
        return "no question in common was found"
    if len(shared) == len(ours.keys):
        return f"all {len(shared)} of our questions are among theirs"
    part = 100 * means_on(ours, list(shared))
    whole = 100 * ours.side.score
    gap = f"{part:.1f} here, {part - whole:+.1f} points to all"
    return f"{len(shared)} of our {len(ours.keys)} questions in common: {gap}"


def _of_truncation(ours: Side, theirs: Side) -> str:
    shares = [_percent(side.truncated, side.asked) for side in (ours, theirs)]
    if shares[0] is None:
        return ""
    if shares[1] is None:
        return (
            f"cut here: {shares[0]:.1f} % of samples, worth at most {shares[0]:.1f} points; not stated there"
        )
    gap = abs(shares[0] - shares[1])
    return f"cut: {shares[0]:.1f} % here, {shares[1]:.1f} % there, worth at most {gap:.1f} points"


def _of_failures(ours: Side, theirs: Side) -> str:
    parts = []
    for side, place in ((ours, "here"), (theirs, "there")):
        share = _percent(side.failed, side.asked)
        if share:
            parts.append(
                f"{side.failed} failed {place}: counted as wrong or left out is worth {share * side.score:.1f} points"
            )
    return "; ".join(parts)


def _percent(part: int | None, whole: int | None) -> float | None:
    return 100 * part / whole if part is not None and whole else None
