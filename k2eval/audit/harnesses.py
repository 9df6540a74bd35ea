"""The harnesses whose graders an audit knows: what each one reads of a response, and which module grades it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from k2eval.errors import ConfigError, did_you_mean
from k2eval.reasoning import Parts

View = Literal["all", "visible", "content"]
"""The text that a harness grades: all that the model wrote; the text after its reasoning; or what a server that splits
reasoning off returns as content, and the reasoning itself if that is empty."""


@dataclass(frozen=True, slots=True)
class Harness:
    """Graders of one harness."""

    name: str
    title: str
    source: str
    """The revision whose behaviour is imitated, or the package that is called."""
    view: View
    graders: dict[str, str]
    """k2eval's grader of a task -> the module below `k2eval.audit.foreign` that grades instead."""
    views: dict[str, View] = field(default_factory=dict)
    """Views of kinds of answers that differ from ``view``."""
    tasks: dict[str, str] = field(default_factory=dict)
    """Patterns of the tasks that a grader is for, if it is not for all tasks of its kind."""

    def module(self, grader: str, task: str | None = None) -> str | None:
        """Return the name under which the pool finds the grader, None if the harness has none.

        Args:
            grader: k2eval's grader of the task.
            task: The task's name; None for any task with this grader.

        >>> [harnesses_named(["eval360"])[0].module("rule_first", task) for task in ("hle_text", "frontierscience")]
        ['k2eval.audit.foreign.eval360_hle_aa', None]
        """
        found = self.graders.get(grader)
        fits = task is None or fnmatchcase(task, self.tasks.get(grader, "*"))
        return f"k2eval.audit.foreign.{found}" if found is not None and fits else None

    def text(self, grader: str, whole: str, parts: Parts) -> str:
        """Return the text that the harness grades.

        Args:
            grader: k2eval's grader of the task.
            whole: All that the model wrote.
            parts: The same, split.
        """
        view = self.views.get(grader, self.view)
        if view == "all":
            return whole
        if view == "content" and not parts.answer.strip():
            return parts.reasoning
        return parts.answer


HARNESSES = (
    Harness(
        "math-verify",
        "math-verify alone",
        "package math-verify 0.9",
        "all",
        {"math": "math_verify_alone", "number": "math_verify_number"},
    ),
    Harness(
        "lm-eval",
        "lm-eval",
        "package lm-eval: tasks aime24, gpqa_diamond_cot_zeroshot (flexible-extract), humaneval_instruct; numbers by "
        "the filter flexible-extract of gsm8k",
        "all",
        {
            "math": "lm_eval_math",
            "choice": "lm_eval_choice",
            "humaneval": "lm_eval_humaneval",
            "number": "lm_eval_number",
        },
    ),
    Harness(
        "lm-eval-strict",
        "lm-eval, strict",
        "package lm-eval: task gpqa_diamond_cot_zeroshot (strict-match)",
        "all",
        {"choice": "lm_eval_strict"},
    ),
    Harness(
        "simple-evals",
        "simple-evals",
        "openai/simple-evals ee3b031",
        "visible",
        {"math": "simple_evals_math", "choice": "simple_evals_choice", "humaneval": "simple_evals_humaneval"},
    ),
    Harness(
        "eval360",
        "Eval360",
        "ifm-ai/Eval360 30e14ec: math-verify behind boxed, gpqa_aa, hle_aa, lcbv6 and mbpp-plus behind code-think, "
        "humaneval_plus behind code-think, humaneval behind code_completion",
        "content",
        {
            "math": "eval360_math",
            "choice": "eval360_choice",
            "code": "eval360_code",
            "humaneval": "eval360_functions",
            "rule_first": "eval360_hle_aa",
        },
        {"code": "all", "humaneval": "all"},
        {"rule_first": "hle*"},
    ),
    Harness(
        "eval360-hle",
        "Eval360, hle",
        "ifm-ai/Eval360 30e14ec: hle",
        "content",
        {"rule_first": "eval360_hle"},
        tasks={"rule_first": "hle*"},
    ),
    Harness(
        "reasoning360",
        "Reasoning360",
        "LLM360/Reasoning360 1315834: naive_dapo, supergpqa",
        "all",
        {"math": "reasoning360_math", "choice": "reasoning360_choice"},
    ),
    Harness("matharena", "MathArena", "eth-sri/matharena e927660", "visible", {"math": "matharena"}),
    Harness("sieval", "sieval", "scitix/sieval f2c86c3", "visible", {"math": "sieval"}),
    Harness(
        "livecodebench",
        "LiveCodeBench's own",
        "LiveCodeBench/LiveCodeBench 28fef95: lcb_runner",
        "all",
        {"code": "livecodebench_own"},
    ),
    Harness(
        "scicode",
        "SciCode's own",
        "scicode-bench/SciCode 1813032: scripts gencode_json and test_generated_code",
        "all",
        {"scicode": "scicode_own"},
    ),
    Harness(
        "scicode-inspect",
        "SciCode's port to Inspect",
        "scicode-bench/SciCode 28dfd8c: eval/inspect_ai",
        "content",
        {"scicode": "scicode_inspect"},
    ),
)
"""All harnesses, in the order in which tables show them."""


def harnesses_named(names: Sequence[str] = ()) -> list[Harness]:
    """Return the harnesses with these names, or all.

    Raises:
        ConfigError: If there is no such harness.

    >>> [harness.title for harness in harnesses_named(["eval360"])]
    ['Eval360']
    """
    known = {harness.name: harness for harness in HARNESSES}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"Expected the name of a harness, got {name!r:.100}. {did_you_mean(name, list(known))}"
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(HARNESSES)
