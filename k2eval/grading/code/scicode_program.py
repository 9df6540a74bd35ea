"""From a response to the programs that SciCode's steps run: the answer's code, step by step."""

from __future__ import annotations

import ast
import json
import re
import sys
import warnings
from collections.abc import Mapping

from k2eval.grading.code.blocks import code_blocks
from k2eval.tasks.scicode import Problem, Step

STEPS = "scicode_steps"
"""The one key of a response that holds the code of each step: an object from step number to code or null."""

_HAVE = frozenset({*sys.stdlib_module_names, "numpy", "scipy", "sympy", "mpmath", "h5py"})
_FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)


def container(codes: Mapping[str, str | None]) -> str:
    """The response that answers a main problem with the code of each step; None where a step has none."""
    return json.dumps({STEPS: dict(codes)})


def codes_held(text: str, problem: Problem) -> dict[str, str | None] | None:
    """Step number to code or None, for each graded step, where ``text`` is what `container` writes; else None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    held = value.get(STEPS) if isinstance(value, dict) else None
    if not isinstance(held, dict):
        return None
    return {
        step.step_number: code if isinstance(code := held.get(step.step_number), str) else None
        for step in problem.sub_steps
        if step.graded
    }


def codes_in(answer: str, problem: Problem) -> dict[str, str | None] | None:
    """The code of each graded step in an ``answer`` in Markdown whose reasoning has been split off.

    A step's code is the last Python block that defines the step's function or class.

    Returns:
        Step number to code or None; None where the answer has no block at all.
    """
    blocks = [block.code for block in code_blocks(answer) if block.is_python or not block.info]
    if not blocks:
        return None
    defined = [(code, names_defined(code)) for code in blocks]
    return {
        step.step_number: next((code for code, names in reversed(defined) if step.name in names), None)
        for step in problem.sub_steps
        if step.graded
    }


def step_code(answer: str, step: Step) -> str | None:
    """The code in the answer to one step: its last Python block that defines the step's name, or else its
    last.
    """
    blocks = [block for block in code_blocks(answer) if block.is_python or not block.info]
    marked = [block.code for block in blocks if block.is_python] or [block.code for block in blocks]
    fitting = [code for code in marked if step.name in names_defined(code)]
    chosen = fitting or marked
    return chosen[-1] if chosen else None


def program(problem: Problem, step: Step, codes: Mapping[str, str | None]) -> str:
    """What runs for a step: the dependencies, the code of all earlier steps and its own, imports kept.

    SciCode's own harness deletes every import line of the model. Here they stay; one of a module that is not
    there is passed over, so that the program fails only where it would have failed without the line.
    """
    parts = [problem.required_dependencies]
    for each in (*problem.earlier(step), step):
        code = each.given_code or codes.get(each.step_number)
        if code and code not in parts:
            parts.append(code)
    text = "\n\n".join(parts)
    future = "".join(f"{line}\n" for line in dict.fromkeys(_FUTURE.findall(text)))
    return future + _lenient_imports(_FUTURE.sub("", text))


def names_defined(code: str) -> frozenset[str]:
    """Functions and classes that ``code`` defines at its top level; none if it is not Python."""
    body = _parse(code)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in body or [] if isinstance(node, kinds))


def _lenient_imports(text: str) -> str:
    """``text`` in which imports of modules that may not be there do not fail, on as many lines as before."""
    lines = text.split("\n")
    for node in _parse(text) or []:
        if not isinstance(node, ast.Import | ast.ImportFrom) or node.lineno != node.end_lineno:
            continue
        named = (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        )
        alone = lines[node.lineno - 1].split("#")[0].rstrip().endswith(ast.unparse(node))
        if alone and not {name.partition(".")[0] for name in named} <= _HAVE:
            lines[node.lineno - 1] = f"exec('try: {ast.unparse(node)}\\nexcept ImportError: pass', globals())"
    return "\n".join(lines)


def _parse(code: str) -> list[ast.stmt] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
