import pytest

from k2eval.recipes.answers import answer_of
from k2eval.records import Question, Response
from tests.recipes.support import QUESTION


def response(text: str, finish: str = "stop") -> Response:
    return Response(
        text=text, finish_reason=finish, selected="k", generations=("k",), output_tokens=1, recipe_tokens=1
    )


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("\\boxed{42}", "so $\\boxed{42.0}$"),
        ("\\boxed{\\frac12}", "\\boxed{1/2}"),
        ("\\boxed{ 1,000 }", "\\boxed{1000}"),
        ("<answer>7</answer>", "\\boxed{7}"),
    ],
)
def test_the_same_answer_votes_the_same(first: str, other: str) -> None:
    votes = [answer_of(QUESTION, response(text)).vote for text in (first, other)]
    assert votes[0] == votes[1] is not None


@pytest.mark.parametrize("text", ["<think>\\boxed{42}", "no number here", "<think>a</think>"])
def test_without_an_answer_there_is_no_vote(text: str) -> None:
    assert answer_of(QUESTION, response(text)).vote is None


def test_a_truncated_text_votes_only_with_a_closed_box() -> None:
    assert answer_of(QUESTION, response("</think>The answer is 42", "length")).vote is None
    assert answer_of(QUESTION, response("</think>\\boxed{42} and", "length")).vote == "42"


@pytest.mark.parametrize("text", ["**Answer:** (B)", "\\boxed{B}", "\\boxed{B. Alpha decay}"])
def test_choices_vote_by_letter(text: str) -> None:
    choice = Question(
        task="t", id="q", grader="choice", messages=QUESTION.messages, gold="B", options=("x", "y", "z", "w")
    )
    assert answer_of(choice, response(text)).vote == "b"


def test_an_enormous_answer_is_taken_as_written() -> None:
    answer = "9" * 100_000
    assert answer_of(QUESTION, response(f"\\boxed{{{answer}}}")).vote == answer


def test_other_graders_compare_the_whole_answer() -> None:
    science = QUESTION.model_copy(update={"grader": "scicode"})
    first, same, other = (
        answer_of(science, response(f"<think>{i}</think>{text}")) for i, text in enumerate(["a", " a", "b"])
    )
    assert first.vote == same.vote != other.vote
