"""The stages of nano_code programs: their words in the statement, their code, and likely slips."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage of a program."""

    text: str
    code: str
    slips: tuple[str, ...]
    """Code that looks alike and is wrong."""

    def slip(self, rng: random.Random) -> str:
        """Draw one of the wrong ways to write the stage."""
        return rng.choice(self.slips)


Make = Callable[[random.Random], Stage]


def keep(rng: random.Random) -> Stage:
    """Keep the numbers that satisfy a condition."""
    k = rng.randint(2, 40)
    d = rng.randint(3, 9)
    texts = {
        "x % 2 == 0": ("even",),
        "x % 2 != 0": ("odd",),
        f"x > {k}": (f"greater than {k}", f"above {k}", f"more than {k}"),
        f"x < {k}": (f"less than {k}", f"below {k}", f"under {k}"),
        f"x >= {k}": (f"at least {k}", f"not less than {k}", f"{k} or more"),
        f"x <= {k}": (f"at most {k}", f"not greater than {k}", f"{k} or less"),
        f"x % {d} == 0": (f"divisible by {d}", f"multiples of {d}"),
        f"x % {d} != 0": (f"not divisible by {d}", f"not multiples of {d}"),
        "x > 0": ("positive",),
        "x < 0": ("negative",),
        "x >= 0": ("not negative",),
        f"abs(x) > {k}": (f"greater than {k} in absolute value",),
    }
    condition = rng.choice(list(texts))
    phrase = rng.choice(texts[condition])
    drop = rng.random() < 0.3
    test = f"not {condition}" if drop else condition
    verb = rng.choice(("Remove", "Drop")) if drop else rng.choice(("Keep only", "Select"))
    others = [f"not {condition}" if not drop else condition]
    near = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": "!=", "!=": "=="}
    sign = condition.split()[-2]
    others.append(test.replace(f" {sign} ", f" {near[sign]} "))
    others.append(test.replace(str(k), str(k + 1)) if str(k) in test else test.replace("0", "1"))
    return _list(f"{verb} the numbers that are {phrase}", "[x for x in a if {}]", test, others)


def _list(text: str, frame: str, code: str, others: list[str]) -> Stage:
    slips = tuple(f"a = {frame.format(other)}" for other in others if other != code)
    return Stage(text, f"a = {frame.format(code)}", slips)


def change(rng: random.Random) -> Stage:
    """Change every number."""
    k, d = rng.randint(2, 20), rng.randint(2, 9)
    text, code, others = rng.choice((
        (f"Multiply each number by {d}", f"x * {d}", [f"x * {d + 1}", f"x + {d}", f"x ** {d}"]),
        (f"Add {k} to each number", f"x + {k}", [f"x - {k}", f"x + {k + 1}", f"x * {k}"]),
        (f"Increase each number by {k}", f"x + {k}", [f"x - {k}", f"x + {k + 1}", f"x * {k}"]),
        (f"Subtract {k} from each number", f"x - {k}", [f"{k} - x", f"x + {k}", f"x - {k - 1}"]),
        (f"Subtract each number from {k}", f"{k} - x", [f"x - {k}", f"{k} + x"]),
        ("Square each number", "x * x", ["x + x", "x * 2"]),
        ("Double each number", "x * 2", ["x * x", "x + 2"]),
        ("Replace each number by its absolute value", "abs(x)", ["-x", "x"]),
        ("Change the sign of each number", "-x", ["abs(x)", "x"]),
        (f"Replace each number by its remainder by {d}", f"x % {d}", [f"x // {d}", f"x % {d + 1}"]),
        (f"Divide each number by {d} and round down", f"x // {d}", [f"x % {d}", f"x / {d}"]),
    ))  # fmt: skip
    return _list(text, "[{} for x in a]", code, others)


def arrange(rng: random.Random) -> Stage:
    """Draw a stage that reorders or cuts the list."""
    k = rng.randint(2, 6)
    text, code, others = rng.choice((
        ("Sort the numbers", "sorted(a)", ["sorted(a)[::-1]", "a[::-1]"]),
        ("Sort the numbers from large to small", "sorted(a)[::-1]", ["sorted(a)", "a[::-1]"]),
        ("Reverse the list", "a[::-1]", ["sorted(a)", "a[::2]"]),
        (f"Take the first {k} numbers", f"a[:{k}]", [f"a[{k}:]", f"a[:{k + 1}]", f"a[-{k}:]"]),
        (f"Take the last {k} numbers", f"a[-{k}:]", [f"a[:{k}]", f"a[{k}:]", f"a[-{k + 1}:]"]),
        (f"Skip the first {k} numbers", f"a[{k}:]", [f"a[:{k}]", f"a[{k - 1}:]"]),
        ("Remove repeated numbers and sort", "sorted(set(a))", ["sorted(a)", "set(a)"]),
        ("Take every second number", "a[::2]", ["a[1::2]", "a[:2]"]),
        ("Take every second number, starting with the second", "a[1::2]", ["a[::2]", "a[2::2]"]),
    ))  # fmt: skip
    return _list(text, "{}", code, others)


def finish_list(rng: random.Random) -> Stage:
    """Draw the last stage of a program over a list."""
    k, d = rng.randint(2, 30), rng.randint(3, 12)
    text, code, others = rng.choice((
        ("The sum", "sum(a)", ["len(a)", "max(a, default=0)"]),
        ("The largest number, or 0 if there is none", "max(a, default=0)", ["min(a, default=0)", "max(a)"]),
        ("The smallest number, or 0 if there is none", "min(a, default=0)", ["max(a, default=0)", "min(a)"]),
        ("How many numbers there are", "len(a)", ["sum(a)", "len(set(a))"]),
        ("How many different numbers there are", "len(set(a))", ["len(a)", "sum(set(a))"]),
        (f"The sum plus {k}", f"sum(a) + {k}", [f"sum(a) - {k}", f"sum(a) * {k}", "sum(a)"]),
        (f"The sum minus {k}", f"sum(a) - {k}", [f"sum(a) + {k}", f"{k} - sum(a)"]),
        (f"The sum times {d}", f"sum(a) * {d}", [f"sum(a) + {d}", f"sum(a) * {d + 1}"]),
        (f"The remainder of the sum by {d}", f"sum(a) % {d}", [f"sum(a) // {d}", f"len(a) % {d}"]),
        (f"How often {k} occurs", f"a.count({k})", ["len(a)", f"a.count({k + 1})"]),
    ))  # fmt: skip
    return Stage(text, code, tuple(others))


def change_word(rng: random.Random) -> Stage:
    """Change the word."""
    k = rng.randint(2, 5)
    c, d = rng.sample("aeiostrnlm", 2)
    vowel = "''.join(c for c in s if c {}in 'aeiou')"
    text, code, others = rng.choice((
        ("Reverse the word", "s[::-1]", ["s[::2]", "sorted(s)"]),
        ("Make it upper case", "s.upper()", ["s.lower()", "s.title()"]),
        ("Remove the vowels", vowel.format("not "), [vowel.format(""), "s"]),
        ("Keep only the vowels", vowel.format(""), [vowel.format("not "), "s"]),
        (f"Replace every {c} by {d}", f"s.replace('{c}', '{d}')",
         [f"s.replace('{d}', '{c}')", f"s.replace('{c}', '')"]),
        (f"Remove every {c}", f"s.replace('{c}', '')", [f"s.replace('{d}', '')", f"s.replace('', '{c}')"]),
        ("Sort the letters", "''.join(sorted(s))", ["sorted(s)", "''.join(sorted(s)[::-1])"]),
        ("Sort the letters from z to a", "''.join(sorted(s)[::-1])", ["''.join(sorted(s))", "s[::-1]"]),
        (f"Take the first {k} letters", f"s[:{k}]", [f"s[{k}:]", f"s[:{k + 1}]"]),
        (f"Take the last {k} letters", f"s[-{k}:]", [f"s[:{k}]", f"s[{k}:]"]),
        (f"Skip the first {k} letters", f"s[{k}:]", [f"s[:{k}]", f"s[{k - 1}:]"]),
        ("Write it twice", "s * 2", ["s + 2", "s * 3"]),
        (f"Put {c} in front", f"'{c}' + s", [f"s + '{c}'", f"'{d}' + s"]),
        (f"Append {c}", f"s + '{c}'", [f"'{c}' + s", f"s + '{d}'"]),
        ("Append the word in reverse", "s + s[::-1]", ["s[::-1]", "s[::-1] + s"]),
    ))  # fmt: skip
    return Stage(text, f"s = {code}", tuple(f"s = {other}" for other in others))


def finish_word(rng: random.Random) -> Stage:
    """Draw the last stage of a program over a word."""
    c, d = rng.sample("aeiostrnlm", 2)
    text, code, others = rng.choice((
        ("The word", "s", ["len(s)", "s[::-1]"]),
        ("The word", "s", ["len(s)", "s[::-1]"]),
        ("Its length", "len(s)", ["len(set(s))", "s"]),
        ("How many different letters it has", "len(set(s))", ["len(s)", "set(s)"]),
        (f"How often {c} occurs", f"s.count('{c}')", [f"s.count('{d}')", "len(s)"]),
        (f"The position of the first {c}, or -1", f"s.find('{c}')", [f"s.rfind('{c}')", f"s.count('{c}')"]),
        (f"The position of the last {c}, or -1", f"s.rfind('{c}')", [f"s.find('{c}')", f"s.count('{c}')"]),
    ))  # fmt: skip
    return Stage(text, code, tuple(others))


LIST_STAGES: tuple[Make, ...] = (keep, change, arrange, keep, change)
WORD_STAGES: tuple[Make, ...] = (change_word,)


def draw_middle(rng: random.Random, over_list: bool, count: int) -> list[Stage]:
    """Draw stages that change the value, no two of the same code in a row."""
    stages: list[Stage] = []
    while len(stages) < count:
        stage = rng.choice(LIST_STAGES if over_list else WORD_STAGES)(rng)
        if not stages or stages[-1].code != stage.code:
            stages.append(stage)
    return stages


def draw_end(rng: random.Random, over_list: bool) -> Stage:
    """Draw the final stage."""
    return (finish_list if over_list else finish_word)(rng)
