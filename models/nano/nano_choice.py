r"""nano_choice: four options; the letter goes into ``\boxed{}``. The options are permuted in every repeat."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from .item import Ask, Item, Solution, ask_for
from .nano_math import NAMES, number
from .pen import Pen, nearby

INSTRUCTION = "Put the letter of the right option inside \\boxed{}."
LETTERS = "ABCD"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Options = tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """A question with its right option first, before the options are shuffled."""

    text: str
    options: Options
    plan: tuple[str, ...]
    choose: Callable[[Pen, Options], int]
    """Works it out over the options as shown; the index of the option taken."""


def generate(rng: random.Random, level: int) -> Item:
    """Draw a question of this level."""
    problem = rng.choice(FAMILIES)(rng, level)
    order = rng.sample(range(4), 4)
    shown = tuple(problem.options[i] for i in order)
    answer = order.index(0)
    row = {"question": problem.text, "options": list(shown), "answer": answer, "level": level}
    plan = (*problem.plan, "Take the option that fits")
    ask = Ask(
        ask_for(render(problem.text, shown)), plan, lambda p: _solve(problem, p, shown), LETTERS[answer]
    )
    text = problem.text + "|" + "|".join(sorted(shown))
    return Item("nano_choice", level, row, (ask,), text)


def render(question: str, options: Options) -> str:
    """Render the user message as the task does."""
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True))
    return f"{question}\n\n{lines}\n\n{INSTRUCTION}"


def _solve(problem: Problem, pen: Pen, shown: Options) -> Solution:
    index = problem.choose(pen, shown)
    letter, option = LETTERS[index], shown[index]
    if not pen.habits.scans:
        pen.note(f"{letter} is {option}")
    summary = ", ".join(pen.short)
    lead = f"{summary}. " if summary else ""
    return Solution(
        "\n".join(pen.lines), f"{lead}{letter} is {option}. \\boxed{{{letter}}}", letter, (letter,)
    )


def _take(pen: Pen, result: int | str, shown: Options) -> int:
    """Return the option with this text; if there is none, the nearest in value or a guess."""
    for letter, option in zip(LETTERS, shown if pen.habits.scans else (), strict=False):
        word = "yes" if option == str(result) else "no"
        pen.note(f"{letter}. {gap(int(option), result) if isinstance(result, int) else option} {word}")
        if word == "yes":
            break
    if str(result) in shown:
        return shown.index(str(result))
    pen.note(f"{result} is not there")
    if isinstance(result, int):
        return min(range(4), key=lambda i: abs(int(shown[i]) - result))
    return pen.rng.randrange(4)


def gap(a: int, b: int) -> str:
    """Write two numbers side by side with their difference, which is 0 if they are equal."""
    return f"{a}-{b}={a - b}"


def _near_options(rng: random.Random, right: int) -> Options:
    wrong: list[str] = []
    while len(wrong) < 3:
        other = nearby(right, rng) if rng.random() < 0.8 else right + rng.randint(2, 12)
        if other != right and other >= 0 and str(other) not in wrong:
            wrong.append(str(other))
    return (str(right), *wrong)


def value(rng: random.Random, level: int) -> Problem:
    """Ask for the value of a product, sum or difference of several numbers."""
    while True:
        a, b = number(rng, level), rng.randint(3, 5 + 5 * level)
        rest = [number(rng, level) for _ in range(level)]
        signs = [rng.choice("+-") for _ in rest]
        text, partial, fine = f"{a} * {b}", a * b, True
        for sign, n in zip(signs, rest, strict=True):
            text += f" {sign} {n}"
            partial += n if sign == "+" else -n
            fine = fine and partial >= 0
        if fine:
            break

    def choose(pen: Pen, shown: Options) -> int:
        total = pen.mul(a, b)
        for sign, n in zip(signs, rest, strict=True):
            total = pen.add(total, n) if sign == "+" else pen.sub(total, n)
        return _take(pen, total, shown)

    plan = (
        f"Multiply {a} by {b}",
        *(f"{'Add' if s == '+' else 'Subtract'} {n}" for s, n in zip(signs, rest, strict=True)),
    )
    return Problem(f"What is {text}?", _near_options(rng, partial), plan, choose)


def divisible(rng: random.Random, level: int) -> Problem:
    """Ask which number is divisible by a given one."""
    top = (60, 120, 400, 900, 3000, 6000, 9000, 20000)[level - 1]
    d = rng.randint(3, (7, 9, 12, 15, 19, 39, 59, 99)[level - 1])
    right = d * rng.randint(3, max(4, top // d))
    options: list[int] = [right]
    while len(options) < 4:
        other = rng.randint(10, top)
        if other % d and other not in options:
            options.append(other)

    def choose(pen: Pen, shown: Options) -> int:
        for index, option in enumerate(shown):
            if pen.habits.scans:
                pen.note(f"{LETTERS[index]}. {option}")
            if pen.mod(int(option), d) == 0:
                return index
        return pen.rng.randrange(4)

    text = f"Which of these numbers is divisible by {d}?"
    plan = (f"Take the remainder of each number by {d}", "Stop where it is 0")
    return Problem(text, tuple(map(str, options)), plan, choose)


def largest(rng: random.Random, level: int) -> Problem:
    """Ask which of four expressions has the largest or smallest value."""
    biggest = rng.random() < 0.5
    while True:
        pairs = [_pair(rng, level) for _ in range(4)]
        ranked = sorted(pairs, key=lambda p: p[1], reverse=biggest)
        if len({v for _, v, _ in pairs}) == 4 and len({t for t, _, _ in pairs}) == 4:
            break
    texts = tuple(t for t, _, _ in ranked)
    run = {t: steps for t, _, steps in pairs}

    def choose(pen: Pen, shown: Options) -> int:
        values = []
        best = 0
        for index, option in enumerate(shown):
            if pen.habits.scans:
                pen.note(f"{LETTERS[index]}. {option}")
            values.append(run[option](pen))
            if pen.habits.scans and index:
                line = gap(values[index], values[best])
                if (values[index] > values[best]) == biggest and not pen.misreads():
                    best = index
                pen.note(f"{line}, best {LETTERS[best]}. {values[best]}")
        if pen.habits.scans:
            return best
        order = sorted(values, reverse=biggest)
        return values.index(order[1] if pen.misreads() else order[0])

    word = "largest" if biggest else "smallest"
    plan = ("Compute the four values", f"Find the {word}")
    return Problem(f"Which expression has the {word} value?", texts, plan, choose)


def _pair(rng: random.Random, level: int) -> tuple[str, int, Callable[[Pen], int]]:
    a, b = rng.randint(3, 7 + 8 * level), rng.randint(3, 7 + 4 * level)
    c = number(rng, level)
    if level < 2:
        return f"{a} * {b}", a * b, lambda p: p.mul(a, b)
    if rng.random() < 0.5 and a * b > c:
        return f"{a} * {b} - {c}", a * b - c, lambda p: p.sub(p.mul(a, b), c)
    return f"{a} * {b} + {c}", a * b + c, lambda p: p.add(p.mul(a, b), c)


def weekday(rng: random.Random, level: int) -> Problem:
    """Ask for the day of the week after a number of days."""
    start = rng.randrange(7)
    lots = rng.randint(2, 9) if level > 2 else 1
    days = rng.randint(8, (30, 60, 60, 150, 400, 900, 2000, 6000)[level - 1])
    event = rng.choice(("market", "party", "race", "meeting", "concert"))
    right = (start + days * lots) % 7
    wrong = rng.sample([d for d in range(7) if d != right], 3)
    when = f"{days} days" if lots == 1 else f"{lots} times {days} days"

    def choose(pen: Pen, shown: Options) -> int:
        total = days if lots == 1 else pen.mul(lots, days)
        left = pen.mod(total, 7)
        day = DAYS[(start + left) % 7]
        if pen.misreads():
            day = DAYS[(start + left + pen.rng.choice((1, 6))) % 7]
        pen.note(f"{left} days after {DAYS[start]}: {day}")
        return _take(pen, day, shown)

    text = f"Today is {DAYS[start]}. The {event} is {when} from now. On which day is the {event}?"
    plan = (f"Find the number of days: {when}", "Take the remainder by 7", f"Count on from {DAYS[start]}")
    return Problem(text, (DAYS[right], *(DAYS[d] for d in wrong)), plan, choose)


def ranking(rng: random.Random, level: int) -> Problem:
    """Ask who is first, last or second, after comparisons in random order."""
    count = 4 + (level > 2) + (level > 4) + (level > 5) + (level > 6) + (level > 7)
    people = rng.sample(NAMES, count)
    more, less, best, worst = rng.choice(
        (("older", "younger", "oldest", "youngest"), ("taller", "shorter", "tallest", "shortest"),
         ("faster", "slower", "fastest", "slowest"))
    )  # fmt: skip
    facts = [
        f"{a} is {more} than {b}." if rng.random() < 0.5 else f"{b} is {less} than {a}."
        for a, b in zip(people, people[1:], strict=False)
    ]
    rng.shuffle(facts)
    place, word = rng.choice(((0, best), (-1, worst), (1, f"second {best}"), (-2, f"second {worst}")))

    def choose(pen: Pen, shown: Options) -> int:
        order = list(people)
        if pen.misreads() or pen.rng.random() < 1.5 * pen.habits.careful_slip:
            i = pen.rng.randrange(count - 1)
            order[i], order[i + 1] = order[i + 1], order[i]
        pen.note(" > ".join(order))
        return _take(pen, order[place], shown)

    others = [p for p in people if p != people[place]]
    wrong = rng.sample(others, 3)
    plan = (f"Put all in order, {best} first", f"Find the {word}")
    return Problem(f"{' '.join(facts)} Who is the {word}?", (people[place], *wrong), plan, choose)


def following(rng: random.Random, level: int) -> Problem:
    """Ask for the next number of a sequence whose differences grow, or that is multiplied each time."""
    first, step = rng.randint(1, 8 * level), rng.randint(2, 3 + 3 * level)
    growth = rng.randint(1, 2 + level) if level > 1 else 0
    if rng.random() < 0.3:
        factor, plus = rng.randint(2, 3), rng.randint(0, 2 * level)
        terms = [first]
        for _ in range(4):
            terms.append(terms[-1] * factor + plus)
        plan = (f"Multiply {terms[-2]} by {factor}", f"Add {plus}")
        text = f"A sequence begins {', '.join(map(str, terms[:-1]))}. Each term is {factor} times the last plus {plus}."

        def multiply(pen: Pen, shown: Options) -> int:
            return _take(pen, pen.add(pen.mul(terms[-2], factor), plus), shown)

        return Problem(f"{text} What comes next?", _near_options(rng, terms[-1]), plan, multiply)
    terms, gap = [first], step
    for _ in range(4):
        terms.append(terms[-1] + gap)
        gap += growth

    def choose(pen: Pen, shown: Options) -> int:
        early = pen.sub(terms[2], terms[1])
        late = pen.sub(terms[3], terms[2])
        more = pen.sub(late, early)
        return _take(pen, pen.add(terms[3], pen.add(late, more)), shown)

    text = f"A sequence begins {', '.join(map(str, terms[:-1]))}. The steps grow evenly. What comes next?"
    steps = ("Find the last two steps", "Find how much the step grows", f"Add the next step to {terms[3]}")
    return Problem(text, _near_options(rng, terms[-1]), steps, choose)


FAMILIES = (value, divisible, largest, weekday, ranking, following)
