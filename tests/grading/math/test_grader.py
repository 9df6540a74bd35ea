import pytest

from k2eval.grading.math.grader import grade, matches
from k2eval.records import Outcome
from tests.grading.cases import RIGHT, WRONG
from tests.grading.conftest import make_question


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_the_same_answer_in_another_form_is_right(gold: str, answer: str) -> None:
    assert matches(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_another_answer_is_wrong(gold: str, answer: str) -> None:
    assert not matches(gold, answer)


@pytest.mark.parametrize("gold", sorted({gold for gold, _ in RIGHT}))
def test_every_gold_equals_itself(gold: str) -> None:
    assert matches(gold, gold)


def integer(gold: str, answer: str) -> bool:
    return matches(gold, answer, as_integer=True)


@pytest.mark.parametrize(
    "answer",
    ["73", "073", "73.0", r"73^\circ", r"73 \text{ units}", r"\text{73}", "+73", "$73$", r"\frac{146}{2}", "m+n = 73",
     "49+24=73", r"2^6+9", "x = 73", r"\mathbf{073}", "73.", r"\textbf{(073)}", r"73\%"],
)  # fmt: skip
def test_an_integer_answer_may_be_written_in_many_ways(answer: str) -> None:
    assert integer("073", answer)


@pytest.mark.parametrize(
    "answer",
    ["72.9999", "73.0001", "73 or 74", "73, 74", "{73, 74}", r"\{73\}", "(73, 1)", "730", "7.3", "0.73", "-73",
     "73x", "73!",
     "x > 73", r"73 \pm 1", "372", "", r"\frac{73}{2}", r"7300\%", "[73, 73]", "73 = 74",
     "73_8", r"73\text{ thousand}"],
)  # fmt: skip
def test_an_integer_answer_must_be_that_integer(answer: str) -> None:
    assert not integer("073", answer)


@pytest.mark.parametrize(
    ("gold", "answer"), [("1234", "1,234"), ("1234", r"1{,}234"), ("1234", r"1\,234"), ("0", "000")]
)
def test_an_integer_answer_may_have_groups_and_zeros(gold: str, answer: str) -> None:
    assert integer(gold, answer)


def test_a_grade_says_what_was_extracted() -> None:
    result = grade(make_question(r"\frac12"), r"So it is $\boxed{0.5}$.", False)
    assert (result.outcome, result.score, result.extracted) == (Outcome.CORRECT, 1.0, "0.5")


def test_a_gold_may_be_a_number() -> None:
    assert grade(make_question(73), r"\boxed{73}", False).outcome is Outcome.CORRECT


def test_a_list_may_be_spread_over_boxes_on_one_line() -> None:
    assert grade(make_question("1,2"), r"\boxed{2} and \boxed{1}", False).outcome is Outcome.CORRECT


def test_boxes_on_one_line_do_not_make_a_single_answer_right() -> None:
    assert grade(make_question("1"), r"\boxed{1} or \boxed{2}", False).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"The largest value of \(b_3\) is \(17\).", "17"),
        (r"We get \(\boxed{17}\) such paths.", "17"),
        (r"$\boxed{n+1}$", "1+n"),
        (r"$(x+1)^2$ OR $x^2+2x+1$", "(1+x)^2"),
        (r"\frac{3}{2^{10}", r"\frac{3}{1024}"),
        ("\x0crac{3}{4}", r"\frac34"),
        (r"\\frac{3}{4}", r"\frac34"),
    ],
)
def test_golds_that_are_sentences_or_damaged_are_read(gold: str, answer: str) -> None:
    assert matches(gold, answer) and not matches(gold, "3")


def test_a_response_without_an_answer_is_no_answer() -> None:
    assert grade(make_question("7"), "I cannot say.", False).outcome is Outcome.NO_ANSWER


def test_a_response_cut_by_the_token_limit_is_truncated() -> None:
    assert grade(make_question("7"), "so far we have 7", True).outcome is Outcome.TRUNCATED


def test_a_boxed_answer_counts_although_the_token_limit_came() -> None:
    assert grade(make_question("7"), r"\boxed{7} and thus", True).outcome is Outcome.CORRECT


@pytest.mark.parametrize("text", [r"$\boxed{3}$ and $\boxed{5}$", r"\boxed{3}\text{ or }\boxed{5}"])
def test_two_boxes_are_two_answers(text: str) -> None:
    assert grade(make_question("5"), text, False).outcome is Outcome.WRONG
    assert grade(make_question("3,5"), text, False).outcome is Outcome.CORRECT
