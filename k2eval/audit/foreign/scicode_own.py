"""SciCode's own harness: the first block of each step, without its imports, behind the code of the earlier steps.

The tests run in k2eval's sandbox, and targets stay outside. There they stand beside the program, which could read them:
a program that does so passes there and not here.
"""

from __future__ import annotations

import ast
import re

from k2eval.audit.reasons import How
from k2eval.audit.steps import texts_of_steps
from k2eval.grading.code import programs, scicode, step_code
from k2eval.records import Grade, Outcome, Question
from k2eval.tasks.scicode import Problem, Step, problem_of

VERSION = 1
# Matches a line that imports, indented or not: "import x", "from x import y"; not "important = 1".
_IMPORT = re.compile(r"^[^\S\n]*(?:import .*|from .*(?:\s|\n\s*)import\s+.*)", re.MULTILINE)
time_limit = scicode.time_limit
prepare = scicode.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` holds what the model wrote in each step (`k2eval.audit.steps`)."""
    problem, answers = problem_of(question), texts_of_steps(text)
    programs_of: dict[str, str] = {}
    parts = [problem.required_dependencies]
    steps: dict[str, Outcome] = {}
    hows = set()
    for step in problem.sub_steps:
        if step.given_code is not None:
            parts.append(function_in(step.given_code, step.name))
            continue
        answer = answers.get(step.step_number)
        if answer is None:
            steps[step.step_number] = Outcome.NO_ANSWER
            continue
        code = block_of(answer)
        bare = _IMPORT.sub("", code)
        hows.add(_how(answer, step, code, bare))
        parts.append(bare)
        programs_of[step.step_number] = "\n".join(parts)
        steps[step.step_number] = _judged(question, problem, step, programs_of[step.step_number])
    failed = [outcome for outcome in steps.values() if outcome is not Outcome.CORRECT]
    own = [outcome for outcome in failed if not outcome.is_infrastructure]
    how = next((each for each in (How.NO_IMPORTS, How.OTHER_BLOCK) if each in hows), How.OFFICIAL_RUN)
    return Grade.of(
        next(iter(own or failed), Outcome.CORRECT),
        programs.shown(parts[-1]),
        how=how,
        steps={number: str(outcome) for number, outcome in steps.items()},
    )


def block_of(answer: str) -> str:
    """Return the first block that is marked as Python, else the first block, else the whole text.

    >>> block_of("So:\\n```python\\nx = 1\\n```\\nor\\n```python\\nx = 2\\n```"), block_of("x = 3")
    ('\\nx = 1\\n', 'x = 3')
    """
    mark = "```python" if "```python" in answer else "```"
    return answer.split(mark)[1].split("```")[0] if mark in answer else answer


def function_in(code: str, name: str) -> str:
    """Return the function or class of a given step without the rest of its file."""
    try:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
                return ast.unparse(node)
    except (SyntaxError, ValueError, RecursionError):
        pass
    return code


def _judged(question: Question, problem: Problem, step: Step, program: str) -> Outcome:
    return scicode.judge_program(question, problem, step, program).outcome


def _how(answer: str, step: Step, code: str, bare: str) -> How:
    """Return what this harness does otherwise with the answer to a step."""
    own = step_code(answer.rpartition("</think>")[2], step)
    if own is None or own.strip() != code.strip():
        return How.OTHER_BLOCK
    return How.NO_IMPORTS if bare != code else How.OFFICIAL_RUN
