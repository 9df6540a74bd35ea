from fractions import Fraction

from hypothesis import assume, given, settings, strategies as st

from k2eval.grading import choice
from k2eval.grading.answer import find_answer
from k2eval.grading.math import grader
from k2eval.grading.math.latex import normalise
from k2eval.grading.math.structure import parse
from tests.grading.conftest import make_question

integers = st.integers(-(10**12), 10**12)

INTEGER_FORMS = (
    "{n}", "{n}.0", "{n}.", "${n}$", r"\({n}\)", r"\text{{{n}}}", r"\mathbf{{{n}}}", "x = {n}", r"{n}^\circ",
    r"{n} \text{{ cm}}",
    "{n:,}", "{{{n}}}", r"\left({n}\right)", "**{n}**", r"\frac{{{n}}}{{1}}", "{n} units", r"\boxed{{{n}}}",
    " {n} ", r"\displaystyle {n}",
)  # fmt: skip


@given(integers, st.sampled_from(INTEGER_FORMS))
def test_an_integer_in_any_form_is_right_and_its_neighbours_never(n: int, form: str) -> None:
    for as_integer in (True, False):
        assert grader.matches(str(n), form.format(n=n), as_integer)
        assert not grader.matches(str(n), form.format(n=n + 1), as_integer)
        assert not grader.matches(str(n), form.format(n=n - 1), as_integer)


@given(st.integers(0, 999), st.integers(0, 3))
def test_leading_zeros_change_nothing(n: int, zeros: int) -> None:
    assert grader.matches(str(n), "0" * zeros + str(n), as_integer=True)
    assert grader.matches("0" * zeros + str(n), str(n), as_integer=True)


def fraction_forms(value: Fraction, scale: int) -> list[str]:
    p, q, sign = abs(value.numerator) * scale, value.denominator * scale, "-" if value < 0 else ""
    whole, rest = divmod(p, q)
    mixed = [rf"{sign}{whole}\frac{{{rest}}}{{{q}}}"] if whole and rest else []
    return [
        rf"{sign}\frac{{{p}}}{{{q}}}",
        rf"\frac{{{sign}{p}}}{{{q}}}",
        f"{sign}{p}/{q}",
        rf"{sign}\dfrac{{{p}}}{{{q}}}",
        *mixed,
    ]


@given(st.fractions(min_value=-50, max_value=50, max_denominator=60), st.integers(1, 9))
def test_a_fraction_in_any_form_is_right_and_a_near_one_never(value: Fraction, scale: int) -> None:
    gold = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    for form in fraction_forms(value, scale):
        assert grader.matches(gold, form), form
    for form in fraction_forms(value + Fraction(1, 10**6), 1):
        assert not grader.matches(gold, form), form


@given(st.decimals(min_value=-1000, max_value=1000, places=4, allow_nan=False, allow_infinity=False))
def test_a_decimal_is_its_fraction_and_nothing_near(value: object) -> None:
    exact = Fraction(str(value))
    assert grader.matches(str(value), rf"\frac{{{exact.numerator}}}{{{exact.denominator}}}")
    assert not grader.matches(str(value), str(value) + "1")


expressions = st.recursive(
    st.one_of(st.integers(1, 9).map(str), st.sampled_from(["x", "n", r"\pi", r"\sqrt{2}"])),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: render(*t)),
    max_leaves=5,
)


def render(left: str, sign: str, right: str) -> str:
    return {"/": rf"\frac{{{left}}}{{({right})^2+1}}", "*": rf"({left}) \cdot ({right})"}.get(
        sign, f"({left}) {sign} ({right})"
    )


@settings(max_examples=30)
@given(expressions, st.integers(1, 7))
def test_an_expression_survives_rewriting_and_no_shift(text: str, shift: int) -> None:
    assert grader.matches(text, rf"1 \cdot ({text})")
    assert grader.matches(text, rf"({text}) + {shift} - {shift}")
    assert grader.matches(text, rf"\frac{{{shift} \cdot ({text})}}{{{shift}}}")
    assert not grader.matches(text, rf"({text}) + \frac{{{shift}}}{{1000000}}")


@given(st.lists(integers, min_size=2, max_size=6, unique=True), st.randoms())
def test_a_list_is_the_same_in_any_order_and_a_tuple_is_not(values: list[int], random: object) -> None:
    words = [str(value) for value in values]
    assert grader.matches(", ".join(words), ", ".join(reversed(words)))
    assert grader.matches(rf"\{{{', '.join(words)}\}}", ", ".join(reversed(words)))
    assert not grader.matches(f"({', '.join(words)})", f"({', '.join(reversed(words))})")
    assert not grader.matches(", ".join(words), ", ".join(words[1:]))


anything = st.text(
    st.sampled_from("\\{}[]()$%^_,.;:=<>|&+-*/! \n\t\0ab1279xπ²√½°\ud800") | st.characters(), max_size=60
)
pieces = st.lists(
    st.sampled_from([r"\boxed{", r"\frac{", r"\text{", "}", "{", r"\left(", r"\pm", r"\cup", "<think>",
                     "</think>", "<answer>", "1", ",",
                     "=", "x", "^", "_", r"\sqrt", r"\begin{pmatrix}", r"\end{pmatrix}", r"\\", "&", "Answer: ",
                     "B", "(", ")", "%", "!", " or "]),
    max_size=25,
).map("".join)  # fmt: skip


@given(anything | pieces, st.booleans())
def test_no_text_breaks_a_grader(text: str, truncated: bool) -> None:
    for response in (text, rf"\boxed{{{text}}}"):
        first = grader.grade(make_question("x+1"), response, truncated)
        assert first == grader.grade(make_question("x+1"), response, truncated)
        choice.grade(make_question("B", options=("x+1", "2", "c", "d")), response, truncated).to_line()


@given(pieces)
def test_normalising_twice_changes_nothing_that_parsing_sees(text: str) -> None:
    assume(text.count("{") == text.count("}"))  # what is cut in the middle may be read in more ways than one
    once = normalise(text)
    assert parse(normalise(once)).kind in ("leaf", parse(once).kind)


@given(st.text(st.sampled_from("ab{} \\"), max_size=40))
def test_the_last_balanced_box_is_found_behind_any_text(text: str) -> None:
    assert find_answer(text + "\n x \\boxed{7}", truncated=False).text == "7"
