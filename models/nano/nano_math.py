r"""nano_math: multi-step arithmetic and small word problems; the answer goes into ``\boxed{}``."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .item import Ask, Item, Solution, ask_for
from .pen import FLAWLESS, Pen

INSTRUCTION = "Put the final answer inside \\boxed{}."

Steps = Callable[[Pen], int]
Problem = tuple[str, list[str], Steps]
"""The text, the plan and the working."""

NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jana", "Karl", "Lea")
THINGS = ("shells", "cards", "stamps", "marbles", "coins", "books", "beads", "stones", "apples", "pens")
PLACES = ("school", "market", "garden", "library", "museum", "farm")


def solution(pen: Pen, answer: int) -> Solution:
    """Return the solution: the pen's lines, and the answer."""
    summary = ", ".join(pen.short)
    boxed = f"\\boxed{{{answer}}}"
    return Solution("\n".join(pen.lines), f"{summary}. {boxed}", str(answer), (str(answer),))


def generate(rng: random.Random, level: int) -> Item:
    """Draw a question of this level."""
    family = rng.choice(FAMILIES)
    text, plan, steps = family(rng, level)
    gold = str(steps(Pen(rng, FLAWLESS)))
    ask = Ask(ask_for(f"{text}\n\n{INSTRUCTION}"), tuple(plan), lambda pen: solution(pen, steps(pen)), gold)
    return Item("nano_math", level, {"problem": text, "answer": gold, "level": level}, (ask,), text)


def number(rng: random.Random, level: int) -> int:
    """Draw a number whose size grows with the level."""
    top = (30, 60, 99, 300, 900, 1500, 3000, 6000)[level - 1]
    return rng.randint(3, top)


def expression(rng: random.Random, level: int) -> Problem:
    """Ask for the value of a nested expression, evaluated from the inside out."""
    while True:
        tree = _tree(rng, level + 1, level)
        if tree is not None:
            break
    value_text, _, program = tree
    plan = [_describe(sign, _ref(a), _ref(b)) for sign, a, b in program]

    def work(pen: Pen) -> int:
        results: list[int] = []
        for sign, a, b in program:
            left = a if isinstance(a, int) else results[int(a[1:]) - 1]
            right = b if isinstance(b, int) else results[int(b[1:]) - 1]
            operate = {"+": pen.add, "-": pen.sub, "*": pen.mul, "/": pen.div}[sign]
            results.append(operate(left, right))
        return results[-1]

    return f"Compute {value_text}.", plan, work


Operand = int | str
Program = list[tuple[str, Operand, Operand]]


def _ref(operand: Operand) -> str:
    return str(operand) if isinstance(operand, int) else f"({operand[1:]})"


def _describe(sign: str, a: str, b: str) -> str:
    return {
        "+": f"Add {a} and {b}",
        "-": f"Subtract {b} from {a}",
        "*": f"Multiply {a} by {b}",
        "/": f"Divide {a} by {b}",
    }[sign]


def _tree(rng: random.Random, operations: int, level: int) -> tuple[str, int, Program] | None:
    program: Program = []

    def build(count: int) -> _Term:
        if count == 0:
            leaf = number(rng, level)
            return _Term.of(leaf)
        left_count = rng.randint(0, count - 1) if rng.random() < 0.35 else count - 1
        left = build(left_count)
        right = build(count - 1 - left_count)
        signs = ["+", "-"]
        if left.value * right.value < 3000 * level and min(left.value, right.value) < 13 * (1 + level):
            signs += ["*", "*"]
        if right.strength == 2 and left.value > 12:
            divisors = [d for d in range(3, 13) if left.value % d == 0]
            if divisors and rng.random() < 0.4:
                right, signs = _Term.of(rng.choice(divisors)), ["/"]
        sign = rng.choice(signs)
        if sign == "-" and left.value < right.value and count - 1 - left_count == 0:
            sign = "+"
        program.append((sign, left.operand, right.operand))
        return _joined(left, sign, right, f"#{len(program)}")

    tree = build(operations)
    values = _values(program)
    limit = 10_000 if level < 6 else 100_000
    return (tree.text, tree.value, program) if all(0 <= value < limit for value in values) else None


class _Term(NamedTuple):
    """A part of an arithmetic expression."""

    text: str
    value: int
    operand: Operand
    strength: int
    """How strongly the parts are bound: 2 for a number, 1 for a product, 0 for a sum."""

    @classmethod
    def of(cls, leaf: int) -> _Term:
        return cls(str(leaf), leaf, leaf, 2)


def _joined(left: _Term, sign: str, right: _Term, operand: Operand) -> _Term:
    """Join two terms, with the brackets that the sign asks for."""
    a, b = left.value, right.value
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[sign]
    strength = 1 if sign in "*/" else 0
    bracketed = right.strength < strength or (right.strength == strength and sign in "-/")
    left_text = f"({left.text})" if left.strength < strength else left.text
    right_text = f"({right.text})" if bracketed else right.text
    return _Term(f"{left_text} {sign} {right_text}", value, operand, strength)


def _values(program: Program) -> list[int]:
    values: list[int] = []
    for sign, a, b in program:
        left = a if isinstance(a, int) else values[int(a[1:]) - 1]
        right = b if isinstance(b, int) else values[int(b[1:]) - 1]
        values.append(
            {"+": left + right, "-": left - right, "*": left * right, "/": left // max(right, 1)}[sign]
        )
    return values


def story(rng: random.Random, level: int) -> Problem:
    """Ask for a person's collection after one event after the other."""
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    value = start = number(rng, level) + 20
    sentences, plan, moves = [f"{name} has {start} {thing}."], [], []
    for _ in range(level + 1):
        sentence, step, move, value = _event(rng, level, value, name, thing)
        sentences.append(sentence)
        plan.append(step)
        moves.append(move)

    def work(pen: Pen) -> int:
        total = start
        for move in moves:
            total = move(pen, total)
        return total

    sentences.append(f"How many {thing} does {name} have now?")
    return " ".join(sentences), plan, work


Move = Callable[[Pen, int], int]


def _event(rng: random.Random, level: int, value: int, name: str, thing: str) -> tuple[str, str, Move, int]:
    n = number(rng, level)
    other = rng.choice([x for x in NAMES if x != name])
    place = rng.choice(PLACES)
    choices = ["find", "boxes", "find"]
    if value > n + 5:
        choices += ["give", "lose"]
    divisors = [d for d in range(2, 10) if value % d == 0 and value // d > 4]
    if divisors:
        choices += ["share", "share"]
    if value < 400 * level:
        choices += ["times"]
    kind = rng.choice(choices)
    if kind == "find":
        verb = rng.choice(("finds", "buys", "wins"))
        return f"{name} {verb} {n} more at the {place}.", f"Add {n}", lambda p, t: p.add(t, n), value + n
    if kind == "give":
        return f"{name} gives {n} to {other}.", f"Subtract {n}", lambda p, t: p.sub(t, n), value - n
    if kind == "lose":
        return f"{name} loses {n} at the {place}.", f"Subtract {n}", lambda p, t: p.sub(t, n), value - n
    if kind == "share":
        d = rng.choice(divisors)
        text = f"{name} puts all into {d} equal heaps and keeps only one."
        return text, f"Divide by {d}", lambda p, t: p.div(t, d), value // d
    if kind == "times":
        m = rng.randint(2, 5)
        word = ("two", "three", "four", "five")[m - 2]
        text = f"At the {place} the number of {thing} grows to {word} times as many."
        return text, f"Multiply by {m}", lambda p, t: p.mul(t, m), value * m
    boxes, each = rng.randint(2, 4 + 3 * level), rng.randint(3, 6 + 6 * level)
    text = f"{other} brings {boxes} boxes with {each} {thing} each for {name}."
    plan = f"Multiply {boxes} by {each} and add"
    return text, plan, lambda p, t: p.add(t, p.mul(boxes, each)), value + boxes * each


def shop(rng: random.Random, level: int) -> Problem:
    """Ask for the change after buying several goods with a round sum."""
    name = rng.choice(NAMES)
    goods = rng.sample(("pen", "book", "lamp", "cup", "ball", "map", "hat", "bag"), min(level + 1, 4))
    top = (9, 12, 25, 45, 90, 150, 250, 400)[level - 1]
    lots = [(rng.randint(2, 3 + 3 * level), rng.randint(3, top), good) for good in goods]
    total = sum(count * price for count, price, _ in lots)
    paid = (total // 100 + rng.randint(1, 2)) * 100
    prices = " ".join(f"A {good} costs {price} coins." for _, price, good in lots)
    bought = _join([f"{count} {good}s" for count, _, good in lots])
    text = f"{prices} {name} buys {bought} and pays with {paid} coins. How many coins does {name} get back?"
    plan = [f"Multiply {count} by {price}" for count, price, _ in lots]
    plan += ["Add all the products", f"Subtract the sum from {paid}"]

    def work(pen: Pen) -> int:
        products = [pen.mul(count, price) for count, price, _ in lots]
        cost = products[0]
        for product in products[1:]:
            cost = pen.add(cost, product)
        return pen.sub(paid, cost)

    return text, plan, work


def equation(rng: random.Random, level: int) -> Problem:
    """Ask for the whole solution of a linear equation."""
    x = rng.randint(2, (9, 20, 40, 90, 200, 400, 600, 900)[level - 1])
    a = rng.randint(3, 6 + 3 * level)
    b = number(rng, level)
    if level < 3:
        plan = [f"Subtract {b} on the right side", f"Divide by {a}"]
        return f"Solve {a} x + {b} = {a * x + b} for x.", plan, lambda p: p.div(p.sub(a * x + b, b), a)
    c = rng.randint(2, a - 1)
    d = (a - c) * x + b
    if level == 3:
        plan = [f"Subtract {c} from {a}", f"Subtract {b} from {d}", "Divide the second by the first"]

        def work(pen: Pen) -> int:
            left = pen.sub(a, c)
            return pen.div(pen.sub(d, b), max(left, 1))

        return f"Solve {a} x + {b} = {c} x + {d} for x.", plan, work
    e = rng.randint(2, 20)
    right = (a - c) * x + a * e + b
    plan = [f"Multiply {a} by {e} and add {b}", f"Subtract that from {right}", f"Subtract {c} from {a}"]
    plan += ["Divide the second by the third"]

    def long_work(pen: Pen) -> int:
        constant = pen.add(pen.mul(a, e), b)
        rest = pen.sub(right, constant)
        return pen.div(rest, max(pen.sub(a, c), 1))

    return f"Solve {a} (x + {e}) + {b} = {c} x + {right} for x.", plan, long_work


def sequence(rng: random.Random, level: int) -> Problem:
    """Ask for a term, or the sum of the first terms, of an arithmetic sequence."""
    first, step = number(rng, level), rng.randint(2, 5 + 5 * level)
    n = rng.randint(6, (9, 15, 30, 45, 60, 80, 99, 150)[level - 1])
    shown = ", ".join(str(first + i * step) for i in range(3))
    term_plan = [f"Subtract 1 from {n}", f"Multiply by {step}", f"Add {first}"]

    def term(pen: Pen) -> int:
        return pen.add(pen.mul(pen.sub(n, 1), step), first)

    if level < 3:
        return f"A sequence begins {shown} and each step is equal. What is term number {n}?", term_plan, term

    def work(pen: Pen) -> int:
        both = pen.add(first, term(pen))
        if n % 2:
            return pen.div(pen.mul(both, n), 2)
        return pen.mul(both, pen.div(n, 2))

    finish = ["Multiply by the number of terms", "Halve it"] if n % 2 else [f"Halve {n}", "Multiply both"]
    text = f"A sequence begins {shown} and each step is equal. What is the sum of its first {n} terms?"
    return text, [*term_plan, f"Add {first} again", *finish], work


def divisor(rng: random.Random, level: int) -> Problem:
    """Ask for the greatest common divisor, found by remainders."""
    g = rng.randint(2, 5 + 6 * level)
    a, b = sorted((g * rng.randint(3, 6 + 6 * level), g * rng.randint(2, 4 + 4 * level)), reverse=True)
    if a == b:
        a += g
    plan = [
        f"Take the remainder of {a} by {b}",
        "Go on with the smaller two until it is 0",
        "Take the last divisor",
    ]

    def work(pen: Pen) -> int:
        big, small = a, b
        for _ in range(12):
            if small <= 0:
                break
            big, small = small, pen.mod(big, small)
        return big

    return f"What is the greatest common divisor of {a} and {b}?", plan, work


def remainder(rng: random.Random, level: int) -> Problem:
    """Ask for the remainder of a product plus a number."""
    a, b, c = number(rng, level), rng.randint(3, 9 * level), number(rng, level)
    m = rng.randint(3, 7 + 5 * level)
    plan = [f"Multiply {a} by {b}", f"Add {c}", f"Take the remainder by {m}"]
    text = f"What is the remainder when {a} * {b} + {c} is divided by {m}?"
    return text, plan, lambda p: p.mod(p.add(p.mul(a, b), c), m)


def travel(rng: random.Random, level: int) -> Problem:
    """Ask for the whole distance of several legs, or the mean speed."""
    name = rng.choice(NAMES)
    legs = [(rng.randint(2, 9), rng.randint(10, 20 + 25 * level)) for _ in range(1 + level // 2 + 1)]
    parts = [f"{hours} hours at {speed} km per hour" for hours, speed in legs]
    plan = [f"Multiply {hours} by {speed}" for hours, speed in legs] + ["Add all"]

    def work(pen: Pen) -> int:
        lengths = [pen.mul(hours, speed) for hours, speed in legs]
        total = lengths[0]
        for length in lengths[1:]:
            total = pen.add(total, length)
        return total

    text = f"{name} drives {_join(parts)}. How many km is that in all?"
    if level < 4:
        return text, plan, work
    way = sum(hours * speed for hours, speed in legs)
    spare = rng.randint(5, 90)
    text = f"{name} wants to drive {way + spare} km and drives {_join(parts)}. How many km are left?"
    return text, [*plan, f"Subtract that from {way + spare}"], lambda p: p.sub(way + spare, work(p))


def _join(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


FAMILIES: tuple[Callable[[random.Random, int], Problem], ...] = (
    expression, expression, story, story, story, shop, equation, sequence, divisor, remainder, travel,
)  # fmt: skip
