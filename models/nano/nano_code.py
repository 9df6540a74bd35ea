"""nano_code: small programs over a list or a word, in the format of LiveCodeBench (stdin and functional)."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Any

from .item import Ask, Item, Row, Solution, ask_for
from .nano_rules import Rule, draw_rule
from .nano_stages import Stage, draw_end, draw_middle
from .pen import Pen

STDIN_INSTRUCTION = "Read from standard input and print the result. Answer with one ```python block."
CALL_INSTRUCTION = "Complete this code. Answer with one ```python block."
DIFFICULTY = ("easy", "easy", "easy", "medium", "medium", "medium", "hard", "hard")
NAMES = ("solve", "work", "compute", "result", "answer", "process")


@dataclass(frozen=True)
class Program:
    """Stages over one value: a list ``a`` of integers, or a word ``s``."""

    over_list: bool
    stages: tuple[Stage, ...]
    functional: bool
    name: str

    @property
    def variable(self) -> str:
        """Name of the value in statement and program."""
        return "a" if self.over_list else "s"

    def source(self, codes: list[str]) -> str:
        """Return the program whose stages are written as ``codes``, the last one an expression."""
        *middle, end = codes
        if self.functional:
            body = "".join(f"        {line}\n" for line in [*middle, f"return {end}"])
            return f"{self.starter}{body}".rstrip()
        read = "a = list(map(int, input().split()))" if self.over_list else "s = input()"
        return "\n".join([read, *middle, f"print({end})"])

    @property
    def starter(self) -> str:
        """Starter code of a functional question; empty for a program over standard input."""
        if not self.functional:
            return ""
        kind = "List[int]" if self.over_list else "str"
        return f"class Solution:\n    def {self.name}(self, {self.variable}: {kind}):\n"


def generate(rng: random.Random, level: int) -> Item:
    """Draw a question of this level: level + 1 stages, or one more."""
    if rng.random() < 0.45:
        return _from_examples(rng, level)
    over_list = rng.random() < 0.65
    count = level + rng.randint(0, 1)
    stages = (*draw_middle(rng, over_list, count), draw_end(rng, over_list))
    program = Program(over_list, stages, rng.random() < 0.5, rng.choice(NAMES))
    codes = [stage.code for stage in stages]
    source = program.source(codes)
    example = _test(program, _input(rng, over_list, 4))
    row = _program_row(program, _statement(program, example), [example], level)
    texts = tuple(stage.text for stage in stages)
    ask = Ask(ask_for(render(row)), texts, lambda p: _solve(program, p), source, texts)
    return Item("nano_code", level, row, (ask,), " ".join(texts), {"program": program})


def _from_examples(rng: random.Random, level: int) -> Item:
    """Draw a question about a rule to find from examples and to write down."""
    rule = draw_rule(rng, level)
    functional, name = rng.random() < 0.5, rng.choice(NAMES)
    verb = "return" if functional else "print"
    table = "\n".join(f"{x} -> {y}" for x, y in rule.table)
    content = f"A rule turns a whole number x into another one:\n{table}\nFind the rule and {verb} the result for x."
    tests = [_rule_test(rule, x, functional) for x in (rule.table[0][0], 5, 10, 17, 23, 1, 0, 58)]
    starter = f"class Solution:\n    def {name}(self, x: int):\n" if functional else ""
    row = _row(content, starter, tests, "rule", name if functional else "", level)

    def work(pen: Pen) -> Solution:
        formula = rule.find(pen)
        pen.note(f"x -> {formula}")
        source = f"{starter}        return {formula}" if functional else f"x = int(input())\nprint({formula})"
        return Solution("\n".join(pen.lines), f"\n```python\n{source}\n```\n", source, (formula,))

    gold = work(Pen(random.Random(0))).final
    return Item("nano_code", level, row, (Ask(ask_for(render(row)), rule.plan, work, gold),), content)


def _rule_test(rule: Rule, x: int, functional: bool) -> Row:
    value = eval(rule.code, {"x": x})
    return {"input": str(x), "output": str(value), "testtype": "functional" if functional else "stdin"}


def complete(item: Item, rng: random.Random) -> Item | None:
    """Return the item with hidden tests that every likely slip fails; None if no such tests are found."""
    program: Program | None = item.extra.get("program")
    if program is None:
        return item
    for _ in range(3):
        values = [_input(rng, program.over_list, size) for size in (5, 1, 8, 12, 7, 10, 14, 9)]
        results = [run_reference(program, value) for value in values]
        if len(set(map(str, results))) > 3 and "" not in results and _is_sharp(program, values, results):
            tests = json.loads(item.row["public_test_cases"]) + [_test(program, value) for value in values]
            row = _program_row(program, item.row["question_content"], tests, item.level)
            return replace(item, row=row)
    return None


def _is_sharp(program: Program, values: list[Any], results: list[Any]) -> bool:
    for i, stage in enumerate(program.stages):
        for slip in stage.slips:
            stages = (*program.stages[:i], replace(stage, code=slip), *program.stages[i + 1 :])
            try:
                got = [run_reference(replace(program, stages=stages), value) for value in values]
            except Exception:
                continue
            if got == results:
                return False
    return True


def render(row: Row) -> str:
    """Render the user message as the task does."""
    if row["starter_code"]:
        return (
            f"{row['question_content']}\n\n{CALL_INSTRUCTION}\n```python\n{row['starter_code'].rstrip()}\n```"
        )
    return f"{row['question_content']}\n\n{STDIN_INSTRUCTION}"


def _statement(program: Program, example: Row) -> str:
    subject = "a list a of integers" if program.over_list else "a word s"
    verb = "Return" if program.functional else "Print"
    *middle, end = (stage.text for stage in program.stages)
    steps = " ".join(f"{text}." for text in middle)
    ending = end[0].lower() + end[1:]
    line = f"You are given {subject}. {steps} {verb} {ending}."
    return f"{line}\n\nExample:\n{example['input']}\n{example['output']}"


def _solve(program: Program, pen: Pen) -> Solution:
    codes = []
    for stage in program.stages:
        wrong = pen.rng.random() < pen.habits.quick_slip * 0.6 or pen.misreads()
        code = stage.slip(pen.rng) if wrong else stage.code
        pen.note(f"{stage.text}: {code}")
        if wrong and pen.rng.random() < pen.habits.notice:
            code = stage.code
            pen.note(f"Wait: {code}")
        pen.short.append(code)
        codes.append(code)
    source = program.source(codes)
    return Solution("\n".join(pen.lines), f"\n```python\n{source}\n```\n", source, tuple(codes))


def _input(rng: random.Random, over_list: bool, size: int) -> Any:
    if over_list:
        return [rng.randint(-20, 60) if rng.random() < 0.8 else rng.randint(0, 9) for _ in range(size)]
    return "".join(rng.choice("aeioubcdstrnlm") for _ in range(size))


def _test(program: Program, value: Any) -> Row:
    result = run_reference(program, value)
    if program.functional:
        return {"input": json.dumps(value), "output": json.dumps(result), "testtype": "functional"}
    text = " ".join(map(str, value)) if program.over_list else value
    return {"input": text, "output": str(result), "testtype": "stdin"}


def run_reference(program: Program, value: Any) -> Any:
    """Run our own reference program; call this only with programs that this module wrote."""
    scope: dict[str, Any] = {program.variable: value}
    *middle, end = (stage.code for stage in program.stages)
    exec("\n".join(middle), scope)
    return eval(end, scope)


def _program_row(program: Program, content: str, tests: list[Row], level: int) -> Row:
    title = f"{'list' if program.over_list else 'word'} in {len(program.stages)} stages"
    return _row(content, program.starter, tests, title, program.name if program.functional else "", level)


def _row(content: str, starter: str, tests: list[Row], title: str, function: str, level: int) -> Row:
    return {
        "question_title": title,
        "question_content": content,
        "platform": "nano",
        "starter_code": starter,
        "difficulty": DIFFICULTY[level - 1],
        "contest_date": "2025-01-01T00:00:00",
        "public_test_cases": json.dumps(tests[:1]),
        "private_test_cases": json.dumps(tests[1:]),
        "metadata": json.dumps({"func_name": function} if function else {}),
    }
