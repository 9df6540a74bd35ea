"""The programs that SciCode's steps run, from a response: the answer's code, step by step."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping

from k2eval.grading.code.blocks import code_blocks, extract_code
from k2eval.grading.code.source import defines, names_bound, parsed, with_plain_lines
from k2eval.tasks.scicode import Problem, Step

STEPS = "scicode_steps"
"""The one key of a response that holds the code of each step: an object from step number to code or null."""


def container(codes: Mapping[str, str | None]) -> str:
    """Return the response that answers a main problem with the code of each step; None for a step without code."""
    return json.dumps({STEPS: dict(codes)})


def codes_held(text: str, problem: Problem) -> dict[str, str | None] | None:
    """Return step number -> code or None for each graded step if ``text`` is from `container`; else None."""
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
    """Find the code of each graded step in an ``answer`` in Markdown whose reasoning has been split off.

    A step's code is the last block that defines the step's function or class.

    Returns:
        Step number -> code or None; None if the answer has no block at all.
    """
    if not any(block.is_python or block.names_no_language for block in code_blocks(answer)):
        return None
    blocks = {step.step_number: extract_code(answer, step.name) for step in problem.sub_steps if step.graded}
    return {
        step.step_number: code if (code := blocks[step.step_number]) and defines(code, step.name) else None
        for step in problem.sub_steps
        if step.graded
    }


def codes_of_program(code: str, problem: Problem) -> dict[str, str | None]:
    """Return the code of each graded step if one program answers all: the whole program, if it defines the step."""
    names = names_bound(code)
    return {
        step.step_number: code if step.name in names else None for step in problem.sub_steps if step.graded
    }


def step_code(answer: str, step: Step) -> str | None:
    """Return the code in the answer to one step: the last block that defines the step's name, or the last block."""
    return extract_code(answer, step.name)


def program(problem: Problem, step: Step, codes: Mapping[str, str | None]) -> str:
    """Return the program of a step: the dependencies, the code of all earlier steps and its own, imports kept.

    SciCode's own harness deletes every import line of the model. Here they stay. An import of a missing module or name
    is ignored, so that the program fails only where it would have failed without that line.
    """
    parts = [problem.required_dependencies]
    for own in (*problem.earlier(step), step):
        code = own.given_code or codes.get(own.step_number)
        if code and code not in parts:
            parts.append(code)
    return _lenient_imports("\n\n".join(with_plain_lines(part) for part in parts))


def _lenient_imports(text: str) -> str:
    """Return ``text`` in which no import fails, with the same number of lines, ``__future__`` imports first."""
    lines = text.split("\n")
    future: list[str] = []
    for node in reversed(parsed(text) or []):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            future.append(ast.unparse(node))
            _replace(lines, node, "pass")
        elif not set(_modules(node)) <= sys.stdlib_module_names:
            statements = [ast.unparse(_with(node, alias)) for alias in node.names]
            tries = "\n".join(f"try: {statement}\nexcept ImportError: pass" for statement in statements)
            _replace(lines, node, f"exec({tries!r}, globals())")
    return "".join(f"{line}\n" for line in dict.fromkeys(reversed(future))) + "\n".join(lines)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return [name.partition(".")[0] for name in named]


def _with(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


def _replace(lines: list[str], node: ast.stmt, statement: str) -> None:
    """Put ``statement`` where ``node`` stands, and empty lines if it has more than one. Later nodes come first."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    lines[first : last + 1] = [before + statement + after, *[""] * (last - first)]
