"""nano_science: numeric functions in two or three sub-steps that build on each other, in the format of SciCode.

The first step is a formula with a change (a factor, an offset, a power). Later steps call the function of the step
before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from k2eval.recipes import scicode_messages

from .item import SYSTEM, Ask, Item, Row, Solution
from .nano_formulas import FORMULAS, Formula
from .pen import Pen

DEPENDENCIES = "import numpy as np"


@dataclass(frozen=True)
class Step:
    """One sub-step: a function whose body is one expression."""

    name: str
    arguments: tuple[str, ...]
    text: str
    background: str
    code: str
    slips: tuple[str, ...]
    summary: str
    inputs: Callable[[random.Random], list[str]]
    """Draws literal arguments for a test."""
    finds: tuple[Find, ...] = ()
    """Constants that have to be worked out first."""

    @property
    def header(self) -> str:
        """Signature and docstring."""
        return f"def {self.name}({', '.join(self.arguments)}):\n    '''{self.summary}'''"

    def source(self, code: str) -> str:
        """Return the whole function with this expression."""
        return f"{self.header}\n    value = {code}\n    return value"


def generate(rng: random.Random, level: int) -> Item:
    """Draw a problem of this level: two sub-steps, or three from level 3 on."""
    formula = rng.choice(FORMULAS)
    steps = [_first(rng, formula, level)]
    while len(steps) < (2 if level < 3 else 3):
        steps.append(_next(rng, steps[-1], level))
    sub_steps = [_sub_step(step, i, rng) for i, step in enumerate(steps, 1)]
    codes = [step.source(step.code) for step in steps]
    asks = tuple(_ask(step, sub_steps, codes[:i]) for i, step in enumerate(steps))
    row = {
        "problem_name": formula.name,
        "problem_description_main": f"Compute {formula.title} and what follows from it.",
        "required_dependencies": DEPENDENCIES,
        "sub_steps": sub_steps,
    }
    text = " ".join(step.text for step in steps)
    return Item("nano_science", level, row, asks, text, {"slips": tuple(step.slips for step in steps)})


def _ask(step: Step, sub_steps: list[Row], earlier: list[str]) -> Ask:
    messages = scicode_messages(SYSTEM, sub_steps, earlier, DEPENDENCIES, background=False)
    plan = (f"Recall: {step.background}", f"Write {step.name}")
    return Ask(messages, plan, lambda pen: _solve(step, pen), step.source(step.code))


def _solve(step: Step, pen: Pen) -> Solution:
    pen.note(step.background)
    constants = [find(pen) for find in step.finds]
    wrong = pen.rng.random() < pen.habits.quick_slip or pen.misreads()
    code = pen.rng.choice(step.slips) if wrong else step.code
    for right, got in constants:
        code = re.sub(rf"(?<![\d.]){right}(?![\d.])", str(got), code) if got != right else code
    pen.note(f"value = {code}")
    if wrong and not any(got != right for right, got in constants) and pen.rng.random() < pen.habits.notice:
        code = step.code
        pen.note(f"Wait: value = {code}")
    pen.short.append(code)
    source = step.source(code)
    block = f"```python\n# Background: {step.background}\n{source}\n```"
    return Solution("\n".join(pen.lines), f"\n{block}\n", source, (code,))


def _first(rng: random.Random, formula: Formula, level: int) -> Step:
    """Draw a formula, changed by small additions, so that the model must read it."""
    code, text, slips = (
        formula.code,
        f"Write a function for {formula.title} of {formula.inputs}",
        list(formula.slips),
    )
    finds: list[Find] = []
    most = 1 + (level > 1) + (level > 3) + (level > 5) + (level > 7)
    for number in range(rng.randint(1, most) if level < 6 else most):
        words, wrap, others, find = _draw_change(
            rng, level, calibrated=(number == 0 or (level > 5 and number == 1)) and rng.random() < 0.7
        )
        finds += [find] if find else []
        slips = [wrap(slip) for slip in slips] + [other(code) for other in others] + [code]
        code, text = wrap(code), f"{text}, {words}"
    slips = [slip for slip in dict.fromkeys(slips) if slip != code]
    count = len(formula.arguments)
    return Step(
        formula.name, formula.arguments, f"{text}.", formula.background, code, tuple(slips),
        _capital(formula.title), lambda r: [_literal(r) for _ in range(count)], tuple(finds),
    )  # fmt: skip


def _draw_change(
    rng: random.Random, level: int, *, calibrated: bool
) -> tuple[str, Wrap, list[Wrap], Find | None]:
    if calibrated:
        return rng.choice(_CALIBRATIONS)(rng, level)
    return (*rng.choice(_CHANGES)(rng), None)


Wrap = Callable[[str], str]
Find = Callable[[Pen], tuple[int, int]]
"""A function that works out a constant: the right value, and the value found."""


def _sum(code: str) -> str:
    """Return the expression, in brackets if a product would tear it apart."""
    depth = 0
    for i, c in enumerate(code):
        depth += (c == "(") - (c == ")")
        if depth == 0 and c in "+-" and i > 0 and code[i - 1] == " ":
            return f"({code})"
    return code


def _times(rng: random.Random) -> tuple[str, Wrap, list[Wrap]]:
    k = rng.randint(2, 99) / 10
    word = rng.choice((f"times {k}", f"multiplied by {k}"))
    return word, lambda c: f"{k} * {_sum(c)}", [lambda c: f"{_sum(c)} / {k}", lambda c: f"{c} + {k}"]


def _over(rng: random.Random) -> tuple[str, Wrap, list[Wrap]]:
    k = rng.randint(2, 60)
    word = rng.choice((f"divided by {k}", f"as one of {k} equal parts"))
    return (
        word,
        lambda c: f"{_sum(c)} / {k}",
        [lambda c: f"{k} * {_sum(c)}", lambda c: f"{_sum(c)} / {k + 1}"],
    )


def _plus(rng: random.Random) -> tuple[str, Wrap, list[Wrap]]:
    k = rng.randint(2, 99)
    word = rng.choice((f"plus {k}", f"with an offset of {k}"))
    return word, lambda c: f"{c} + {k}", [lambda c: f"{c} - {k}", lambda c: f"{c} + {k + 1}"]


def _minus(rng: random.Random) -> tuple[str, Wrap, list[Wrap]]:
    k = rng.randint(2, 99)
    word = rng.choice((f"minus {k}", f"less a loss of {k}"))
    return word, lambda c: f"{c} - {k}", [lambda c: f"{c} + {k}", lambda c: f"{k} - {_sum(c)}"]


def _percent(rng: random.Random) -> tuple[str, Wrap, list[Wrap]]:
    k = rng.randint(2, 95)
    return f"in percent of {k}", lambda c: f"100 * {_sum(c)} / {k}", [lambda c: f"{_sum(c)} / {k}"]


def _scaled(rng: random.Random, level: int) -> tuple[str, Wrap, list[Wrap], Find]:
    k, a = rng.randint(2, 6 + 12 * level), rng.randint(2, 5 + 8 * level)
    b = k * a
    return (
        f"scaled so that {a} becomes {b}", lambda c: f"{k} * {_sum(c)}",
        [lambda c: f"{b} * {_sum(c)}"], lambda pen: (k, pen.div(b, a)),
    )  # fmt: skip


def _shifted(rng: random.Random, level: int) -> tuple[str, Wrap, list[Wrap], Find]:
    top = (60, 99, 400, 900, 2500, 5000, 9999, 30000)[level - 1]
    k, a = rng.randint(2, top), rng.randint(2, top)
    b = k + a
    return (
        f"shifted so that {a} becomes {b}", lambda c: f"{c} + {k}",
        [lambda c: f"{c} + {b}"], lambda pen: (k, pen.sub(b, a)),
    )  # fmt: skip


_CHANGES = (_times, _over, _plus, _minus, _percent)
_CALIBRATIONS = (_scaled, _shifted, _scaled)


def _next(rng: random.Random, before: Step, level: int) -> Step:
    """Draw a step that calls the function of the step before."""
    makes = (_difference, _ratio, _slope, _mean, _adjusted, _adjusted, _adjusted, _decibel, _bounded)
    return rng.choice([make for make in makes if not before.name.startswith(make.__name__[1:])])(
        rng, before, level
    )


def _call(before: Step, arguments: tuple[str, ...]) -> str:
    return f"{before.name}({', '.join(arguments)})"


def _renamed(before: Step, name: str) -> tuple[str, ...]:
    """Return the arguments with the first one replaced by ``name``."""
    return (name, *before.arguments[1:])


def _two_points(before: Step) -> tuple[tuple[str, ...], str, str, str, str]:
    first = before.arguments[0]
    a, b = f"{first}1", f"{first}2"
    return (
        (a, b, *before.arguments[1:]),
        a,
        b,
        _call(before, _renamed(before, a)),
        _call(before, _renamed(before, b)),
    )


def _difference(rng: random.Random, before: Step, level: int) -> Step:
    arguments, a, b, at_a, at_b = _two_points(before)
    k = rng.randint(2, 9)
    moved = f"when {before.arguments[0]} goes from {a} to {b}"
    text = f"Write a function for {k} times the change of {before.name} {moved}."
    back = f"The change is the value at {b} minus the value at {a}."
    slips = (f"{k} * ({at_a} - {at_b})", f"{at_b} - {at_a}", f"{k} * ({at_b} + {at_a})")
    return _following(before, "difference", arguments, text, back, f"{k} * ({at_b} - {at_a})", slips)


def _ratio(rng: random.Random, before: Step, level: int) -> Step:
    arguments, a, b, at_a, at_b = _two_points(before)
    k = rng.choice((1, 10, 100))
    text = f"Write a function for {k} times the ratio of {before.name} at {b} to {before.name} at {a}."
    back = f"The ratio is the value at {b} over the value at {a}."
    slips = (f"{k} * {at_a} / {at_b}", f"{at_b} / {at_a} + {k}", f"{k} * {at_b} * {at_a}")
    return _following(before, "ratio", arguments, text, back, f"{k} * {at_b} / {at_a}", slips)


def _slope(rng: random.Random, before: Step, level: int) -> Step:
    first = before.arguments[0]
    h = rng.choice(("0.1", "0.01", "0.001"))
    up, down = (_call(before, _renamed(before, f"{first} {sign} {h}")) for sign in "+-")
    text = f"Write a function for the slope of {before.name} in {first} by a central difference of step {h}."
    back = "The slope is the difference of both sides over twice the step."
    code = f"({up} - {down}) / (2 * {h})"
    slips = (f"({up} - {down}) / {h}", f"({down} - {up}) / (2 * {h})", f"({up} + {down}) / (2 * {h})")
    return _following(before, "slope", before.arguments, text, back, code, slips)


def _mean(rng: random.Random, before: Step, level: int) -> Step:
    arguments, a, b, at_a, at_b = _two_points(before)
    w = rng.randint(1, 9)
    text = f"Write a function for the mean of {before.name} at {a} with weight {w} and at {b} with weight {10 - w}."
    back = "The mean is the sum of weight times value over the sum of the weights, which is 10."
    code = f"({w} * {at_a} + {10 - w} * {at_b}) / 10"
    slips = (
        f"({10 - w} * {at_a} + {w} * {at_b}) / 10" if w != 5 else f"({at_a} + {at_b}) / 10",
        f"({at_a} + {at_b}) / 2.5",
    )
    return _following(before, "mean", arguments, text, back, code, slips)


def _adjusted(rng: random.Random, before: Step, level: int) -> Step:
    words, wrap, others, find = _draw_change(rng, level, calibrated=rng.random() < 0.7)
    again, wrap_again, _ = rng.choice(_CHANGES)(rng)
    call = _call(before, before.arguments)
    text = f"Write a function for {before.name}, {words}, {again}."
    back = f"Call {before.name} and apply both changes in order."
    slips = (*(wrap_again(other(call)) for other in others), wrap(call), wrap_again(call))
    finds = (find,) if find else ()
    return _following(before, "adjusted", before.arguments, text, back, wrap_again(wrap(call)), slips, finds)


def _decibel(rng: random.Random, before: Step, level: int) -> Step:
    k = rng.randint(2, 40)
    call = _call(before, before.arguments)
    text = f"Write a function for the level in decibel of the size of {before.name} against {k}."
    back = "Ten times the decimal logarithm of the absolute ratio."
    code = f"10 * np.log10(np.abs({call}) / {k})"
    slips = (
        f"np.log10(np.abs({call}) / {k})",
        f"10 * np.log(np.abs({call}) / {k})",
        f"10 * np.log10({k} / np.abs({call}))",
    )
    return _following(before, "decibel", before.arguments, text, back, code, slips)


def _bounded(rng: random.Random, before: Step, level: int) -> Step:
    k = rng.randint(5, 200)
    call = _call(before, before.arguments)
    most = rng.random() < 0.5
    text = f"Write a function for {before.name}, but {'at most' if most else 'at least'} {k}."
    back = f"The {'smaller' if most else 'larger'} of the value and {k}."
    right, wrong = ("np.minimum", "np.maximum") if most else ("np.maximum", "np.minimum")
    slips = (f"{wrong}({call}, {k})", f"{right}({call}, {k + 1})", f"{right}({call}, 0)")
    return _following(before, "bounded", before.arguments, text, back, f"{right}({call}, {k})", slips)


def _following(
    before: Step,
    word: str,
    arguments: tuple[str, ...],
    text: str,
    back: str,
    code: str,
    slips: tuple[str, ...],
    finds: tuple[Find, ...] = (),
) -> Step:
    name = f"{word}_of_{before.name.split('_of_')[0] if '_of_' in before.name else before.name}"
    count = len(arguments)
    slips = tuple(slip for slip in slips if slip != code)
    return Step(
        name,
        arguments,
        text,
        back,
        code,
        slips,
        _capital(name.replace("_", " ")),
        lambda r: [_literal(r) for _ in range(count)],
        finds,
    )


def _sub_step(step: Step, number: int, rng: random.Random) -> Row:
    calls = [f"{step.name}({', '.join(step.inputs(rng))})" for _ in range(3)]
    return {
        "step_number": f"1.{number}",
        "step_description_prompt": step.text,
        "step_background": step.background,
        "function_header": step.header,
        "return_line": "    return value",
        "ground_truth_code": step.source(step.code),
        "test_cases": [f"{_BEFORE}{call}{_AFTER}" for call in calls],
    }


def _literal(rng: random.Random) -> str:
    return str(rng.randint(11, 99) / 10)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def targets(row: Row) -> dict[str, list[float]]:
    """Return the value of every test of every sub-step, from the ground truth that this module wrote."""
    return {number: [float(value) for value in values] for number, values in _evaluate(row, {}).items()}


def is_sharp(item: Item) -> bool:
    """Tell whether all targets are finite, and every likely slip of each step fails one of its tests."""
    with np.errstate(all="ignore"):
        right = _evaluate(item.row, {})
        if not all(np.isfinite(v) and 1e-9 < abs(v) < 1e15 for values in right.values() for v in values):
            return False
        for step, wrongs in zip(item.row["sub_steps"], item.extra["slips"], strict=True):
            number = step["step_number"]
            for wrong in wrongs:
                if np.allclose(_evaluate(item.row, {number: wrong})[number], right[number]):
                    return False
    return True


def _evaluate(row: Row, replaced: dict[str, str]) -> dict[str, list[Any]]:
    scope: dict[str, Any] = {"np": np}
    values = {}
    for step in row["sub_steps"]:
        source = step["ground_truth_code"]
        if step["step_number"] in replaced:
            source = (
                f"{step['function_header']}\n    value = {replaced[step['step_number']]}\n    return value"
            )
        exec(source, scope)
        values[step["step_number"]] = [
            eval(test[len(_BEFORE) : -len(_AFTER)], scope) for test in step["test_cases"]
        ]
    return values


_BEFORE, _AFTER = "assert np.allclose(", ", target)"
