import random
import re

from hypothesis import given, strategies as st

from models.nano.pen import CAREFUL, FLAWLESS, Habits, Pen, nearby

numbers = st.integers(0, 99_999)
RIGHT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
}


@given(st.sampled_from(sorted(RIGHT)), numbers, numbers, st.booleans())
def test_a_pen_without_slips_is_right(operation: str, a: int, b: int, careful: bool) -> None:
    b = max(b, 1)
    pen = Pen(random.Random(0), CAREFUL if careful else FLAWLESS)
    assert getattr(pen, operation)(a, b) == RIGHT[operation](a, b)


@given(st.sampled_from("+-*"), numbers, numbers)
def test_every_part_of_a_careful_line_has_the_same_value(sign: str, a: int, b: int) -> None:
    pen = Pen(random.Random(0), CAREFUL)
    {"+": pen.add, "-": pen.sub, "*": pen.mul}[sign](a, b)
    assert len({eval(part) for part in pen.lines[0].split("=")}) == 1


@given(numbers, st.integers(1, 999))
def test_a_careful_division_subtracts_multiples_until_less_than_the_divisor_is_left(a: int, b: int) -> None:
    pen = Pen(random.Random(0), CAREFUL)
    pen.mod(a, b)
    left = a
    for factor, product, rest in re.findall(rf"\b{b}\*(\d+)=(\d+),(\d+);", pen.lines[0]):
        assert b * int(factor) == int(product)
        assert left - int(product) == int(rest)
        left = int(rest)
    assert left < b


@given(st.integers(-5_000, 5_000), st.integers(0, 1_000))
def test_nearby_is_another_number(number: int, seed: int) -> None:
    assert nearby(number, random.Random(seed)) != number


def test_a_noticed_slip_is_corrected() -> None:
    pen = Pen(random.Random(1), Habits(careful=0.0, quick_slip=1.0, notice=1.0))
    assert pen.add(17, 26) == 43
    assert len(pen.lines) == 2
    assert pen.lines[1].startswith("Wait: ")
