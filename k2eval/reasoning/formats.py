"""The reasoning formats by name, and the marks that each of them puts around reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k2eval.errors import ConfigError, did_you_mean
from k2eval.records import ReasoningFormat

Pair = tuple[str, str]
"""The mark that opens reasoning, and the one that ends it."""

AUTO = ReasoningFormat(name="auto")
"""Format that is told from the mark at the start of each response."""
NONE = ReasoningFormat(name="none")
"""Format without reasoning: the whole text is the answer."""
THINK = ReasoningFormat(name="think")
HARMONY = ReasoningFormat(name="harmony")
"""The channels of gpt-oss; they have no fixed marks, see `k2eval.reasoning.marks`."""
CUSTOM = "custom"
ANALYSIS = "<|channel|>analysis<|message|>"
"""The header that opens reasoning in harmony, as it is written most often."""
FINAL = "<|end|><|start|>assistant<|channel|>final<|message|>"
"""The headers that end it."""

SURE_TAGS = ("think", "think_fast", "think_faster", "Think", "THINK")
"""Tags of ``think`` that may end reasoning which no tag opened; the others are common words of XML, too."""
COMMON_TAGS = ("thinking", "thought", "reasoning")
_TAGS = (
    *SURE_TAGS[:3],
    *COMMON_TAGS,
    *(written for tag in ("think", *COMMON_TAGS) for written in (tag.title(), tag.upper())),
)
_GRANITE_STARTS = ("Here is my thought process:", "Here's my thought process:")
_GRANITE_ENDS = ("Here is my response:", "Here's my response:")

MARKS: dict[str, tuple[Pair, ...]] = {
    "think": tuple((f"<{tag}>", f"</{tag}>") for tag in _TAGS),
    "harmony": (),
    "mistral": (("[THINK]", "[/THINK]"), ("<think>", "</think>")),
    "seed": (("<seed:think>", "</seed:think>"),),
    "gemma": (("<|channel>", "<channel|>"),),
    "cohere": (("<|START_THINKING|>", "<|END_THINKING|>"),),
    "granite": tuple((start, end) for start in _GRANITE_STARTS for end in _GRANITE_ENDS),
    "ifm": tuple((f"<ifm|{tag}>", f"</ifm|{tag}>") for tag in _TAGS[:3]),
    "kimi": (("<|open|>think<|sep|>", "<|close|>think<|sep|>"),),
    "minimax": (("<mm:think>", "</mm:think>"),),
    "plamo": (("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),),
    "muse": (("to=self<|message|>", "to=user<|message|>"),),
    "inkling": (("<|content_thinking|>", "<|content_text|>"),),
    "kimi_vl": (("◁think▷", "◁/think▷"),),
    "sky": tuple(("<|begin_of_thought|>", end) for end in ("<|end_of_thought|>", "<|begin_of_solution|>")),
    "medgemma": (("<unused94>", "<unused95>"),),
    "apertus": (("<|inner_prefix|>", "<|inner_suffix|>"),),
    "solar": (("<|think|>", "<|content|>"),),
    "s1": (("<|im_start|>think", "<|im_start|>answer"),),
}
"""The families of marks by the name of their format."""

NAMES = ("auto", "none", *MARKS)
SPECIAL = (
    "harmony", "mistral", "seed", "gemma", "cohere", "kimi", "plamo", "muse", "inkling", "apertus", "solar", "s1",
)  # fmt: skip
"""Formats whose marks are special tokens, which an engine leaves out of a text unless it is told to keep them."""

UNMISTAKABLE = (
    *(name for name in SPECIAL if name not in ("harmony", "muse")),
    "ifm",
    "minimax",
    "kimi_vl",
    "sky",
    "medgemma",
)
"""Formats whose marks occur in no other text, so that an end mark alone tells the format."""

PARSERS: dict[str, str] = {
    **dict.fromkeys(
        "deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41 ernie45 glm45 glm47 granite_thinking_parser holo2"
        " hunyuan_a13b hy_v3 hy_v4 kimi_k2 ling3 mimo minicpmv minimax_m2 minimax_m2_append_think nemotron_v3 olmo3"
        " poolside_v1 qwen3 step3 step3p5".split(" "),
        "think",
    ),
    "cohere_command3": "cohere",
    "cohere_command4": "cohere",
    "gemma4": "gemma",
    "granite": "granite",
    "hf": "auto",  # reads a template that the checkpoint brings
    "inkling": "inkling",
    "k2_horizon": "ifm",
    "kimi_k3": "kimi",
    "minimax_m3": "minimax",
    "mistral": "mistral",
    "muse_glimmer": "muse",
    "openai_gptoss": "harmony",
    "plamo3": "plamo",
    "seed_oss": "seed",
}
"""vLLM's reasoning parsers (0.25 to 0.33), each with the format that reads the same responses."""


def format_named(value: str | Mapping[str, Any] | ReasoningFormat) -> ReasoningFormat:
    """Return the format that a setting names.

    Args:
        value: A name of `NAMES`, the name of one of vLLM's reasoning parsers, or a mapping of ``start`` and ``end``.

    Raises:
        ConfigError: If there is no such format.

    >>> format_named("deepseek_r1").name
    'think'
    >>> format_named({"start": "<scratch>", "end": "</scratch>"}).pairs
    (('<scratch>', '</scratch>'),)
    """
    if isinstance(value, ReasoningFormat):
        return value
    if isinstance(value, str):
        name = PARSERS.get(value, value)
        if name not in NAMES:
            raise ConfigError(
                f"reasoning: unknown format {value!r}. {did_you_mean(value, [*NAMES, *PARSERS])} "
                "A format of your own is {start: <tag>, end: </tag>}."
            )
        return ReasoningFormat(name=name)
    marks = dict(value) if isinstance(value, Mapping) else {}
    if set(marks) != {"start", "end"} or not all(
        isinstance(mark, str) and mark.strip() for mark in marks.values()
    ):
        raise ConfigError(
            f"reasoning: expected a name ({', '.join(NAMES)}) or {{start: <tag>, end: </tag>}}, got {value!r:.200}."
        )
    return custom(marks["start"], marks["end"])


def custom(start: str, end: str) -> ReasoningFormat:
    """Return the format with these two marks."""
    return ReasoningFormat(name=CUSTOM, pairs=((start.strip(), end.strip()),))


def setting_of_end(end: str) -> str | dict[str, str]:
    """Return the setting for a format of which only the mark that ends reasoning is known.

    >>> setting_of_end("</think>"), setting_of_end("</scratch>")
    ('think', {'start': '<scratch>', 'end': '</scratch>'})
    """
    for name, pairs in MARKS.items():
        if any(end == known for _, known in pairs):
            return name
    return {"start": end.replace("/", "", 1), "end": end}


def start_of(end: str, form: ReasoningFormat) -> str:
    """Return the mark that opens what ``end`` ends; empty if the format has no such end.

    >>> start_of("</think>", THINK)
    '<think>'
    """
    return next((start for start, own in (*pairs_of(form), *MARKS["think"]) if own == end), "")


def pairs_of(form: ReasoningFormat) -> tuple[Pair, ...]:
    """Return the marks of a format; those of all families for ``auto``, none for ``harmony`` and ``none``."""
    if form.name == "auto":
        return tuple(dict.fromkeys(pair for pairs in MARKS.values() for pair in pairs))
    return form.pairs or MARKS.get(form.name, ())


def marks_of(form: ReasoningFormat) -> Pair:
    """Return the marks that a model of this format puts around its reasoning most often.

    >>> marks_of(ReasoningFormat(name="mistral"))
    ('[THINK]', '[/THINK]')
    """
    if form == HARMONY:
        return ANALYSIS, FINAL
    return MARKS["think"][0] if form in (AUTO, NONE) else pairs_of(form)[0]


def setting_of(form: ReasoningFormat) -> str:
    """Return a format as people write it.

    >>> setting_of(custom("<a>", "</a>"))
    "{start: '<a>', end: '</a>'}"
    """
    if form.name != CUSTOM:
        return form.name
    start, end = form.pairs[0]
    return f"{{start: {start!r}, end: {end!r}}}"


def prefill_of(prompt: str, form: ReasoningFormat) -> str:
    """Return the mark with which a prompt opens the reasoning of its answer; empty if it opens none.

    >>> prefill_of("<|im_start|>assistant\\n<think>\\n", THINK)
    '<think>'
    """
    if form.name == "none":
        return ""
    end = prompt.rstrip()
    starts = {start for start, _ in (*pairs_of(form), *MARKS["think"])} | {ANALYSIS}
    return max((start for start in starts if end.endswith(start)), key=len, default="")
