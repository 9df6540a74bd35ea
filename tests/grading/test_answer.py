import time

import pytest

from k2eval.grading import choice
from k2eval.grading.answer import EXTRACTED_LIMIT, find_answer, tidy
from tests.grading.conftest import make_question


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{73}", "73"),
        (r"\fbox{73}", "73"),
        (r"\boxed {73}", "73"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{\left\{1\right.}", r"\left\{1\right."),
        (r"\boxed{\boxed{5}}", r"\boxed{5}"),
        ("\\boxed{1}\n\\boxed{2}", "2"),
        (r"\boxed{7}, as asked in \boxed{}", "7"),
        (r"a stray { and \boxed{7}", "7"),
        (r"a stray } and \boxed{7}", "7"),
        (r"\boxed 7", "7"),
        ("<answer>7</answer>", "7"),
        ("<answer>7", "7"),
        (r"\boxed{1} <answer>\boxed{7}</answer>", "7"),
        (r"\boxed{1} <answer>7</answer>", "7"),
        (r"\boxed{7} <answer>The result is given above.</answer>", "7"),
        ("<answer></answer>\\boxed{7}", "7"),
        ("The final answer is $7$.", "7"),
        ("The final answer is 7.", "7"),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "7"),
        (r"The answer is \frac{1}{2}.", r"\frac{1}{2}"),
        ("**Final Answer:** 7", "7"),
        ("Therefore\n\n$$\\frac12$$", r"\frac12"),
        ("Thinking …\n**7**", "7"),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str) -> None:
    assert find_answer(text, truncated=False).text == answer


@pytest.mark.parametrize(
    "text",
    ["", "I do not know.", "It is 7 or so", "Step 7 follows", r"\boxed{7} no, \boxed{8",
     "The answer is 7 or 8, hard to say", "7 is\nthe number\nthat we\nwere looking for", r"\boxed{}"],
)  # fmt: skip
def test_what_is_no_final_answer_is_not_taken_for_one(text: str) -> None:
    assert find_answer(text, truncated=False).text is None


@pytest.mark.parametrize("text", ["The answer is 7", "<answer>7", r"\boxed{7", "so far"])
def test_a_response_at_its_token_limit_needs_a_closed_answer(text: str) -> None:
    result = find_answer(text, truncated=True)
    assert result.text is None and result.cut


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (r"$x = \boxed{1}$, $y=\boxed{2}$", "x = 1, y = 2"),
        (r"\boxed{x=1},\quad\boxed{y=2}", "x=1, y=2"),
        (r"\boxed{1} and y = \boxed{2}", ""),
        (r"x = \boxed{1}", ""),
    ],
)
def test_boxes_on_the_last_line_keep_their_names(text: str, named: str) -> None:
    assert find_answer(text, False).named == named


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        (r"$\boxed{3}$ and $\boxed{5}$", "3, 5"),
        (r"\(\boxed{3}\) or \(\boxed{5}\)", r"3 \text{ or } 5"),
        ("$$\\boxed{3}$$\n或\n$$\\boxed{5}$$", r"3 \text{ or } 5"),
        (r"$x = \boxed{3}$, $y = \boxed{5}$", "3, 5"),
        (r"\boxed{1} so \boxed{3}, \boxed{5}", "3, 5"),
        (r"\boxed{3}\boxed{5}", "3, 5"),
        (r"$\boxed{3}$ or $\boxed{3}$", ""),
        (r"\boxed{3}. Then \boxed{5}", ""),
        (r"\boxed{\frac12}, i.e. \boxed{0.5}", ""),
        (r"$\boxed{\frac12} = \boxed{0.5}$", ""),
    ],
)
def test_boxes_with_a_joint_between_them_are_one_answer(text: str, joined: str) -> None:
    assert find_answer(text, False).joined == joined


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{3}. Wait, that's wrong. The answer is 5.", "5"),
        ("$\\boxed{3}$\n\nActually, the answer is 5.", "5"),
        (r"\boxed{3} is wrong, the answer is 5.", "5"),
        (r"$\boxed{3}$ is not the answer.", None),
        (r"One may say $\boxed{3}$, but this is false: the answer is 5.", "5"),
        (r"\boxed{3}. Wait, let me check: 1 + 2 = 3.", "3"),
        (r"\boxed{3}. The answer is 5 for odd n.", "3"),
        (r"$\boxed{3}$ is not prime.", "3"),
        (r"$\boxed{3}$. Actually, the answer is often misquoted.", "3"),
    ],
)
def test_a_box_counts_unless_the_text_behind_it_corrects_it(text: str, answer: str | None) -> None:
    assert find_answer(text, False).text == answer


def test_a_statement_behind_but_wait_is_not_withdrawn() -> None:
    assert find_answer("The answer is 3. But wait, a case is missing. The answer is 5.", False).text == "5"
    assert find_answer("The answer is 3. But wait, a case is missing.", False).text is None


def test_boxes_on_the_last_line_are_siblings() -> None:
    assert find_answer("\\boxed{0}\n\\boxed{1} and \\boxed{2}", False).siblings == ("1", "2")


@pytest.mark.parametrize(
    "text",
    [r"\boxed{" + "{" * 100_000, r"\boxed{" * 20_000, "{" * 100_000 + r"\boxed{7}", r"\boxed{1}" * 50_000],
)
def test_hostile_braces_cost_linear_time(text: str) -> None:
    start = time.process_time()
    find_answer(text, False)
    assert time.process_time() - start < 2


def test_an_extracted_answer_is_short_and_valid_unicode() -> None:
    text = tidy("\ud800\0" + "x" * 10_000) or ""
    assert len(text) <= EXTRACTED_LIMIT + 1
    text.encode()


FOUR_MEGABYTES = 4 << 20


@pytest.mark.parametrize(
    "around", ["{}", r"\boxed{{{}}}", "Answer: {}", "<answer>{}</answer>", r"{}\boxed{{7}}"]
)
@pytest.mark.parametrize(
    "piece",
    [
        "answer is (E).^ ",
        "answer is $x",
        "answer\n",
        "Answer: \\[",
        "\n",
        "A or B ",
        "答案是",
        "1, ",
        "{",
        "\\boxed{A}",
        "So x = 1. ",
    ],
)
def test_a_response_of_four_megabytes_is_read_in_little_time(piece: str, around: str) -> None:
    text = around.format(piece * (FOUR_MEGABYTES // len(piece)))
    start = time.process_time()
    find_answer(text, False)
    choice.grade(make_question("B", options=("Alpha decay", "Beta decay", "7", "x^2")), text, False)
    assert time.process_time() - start < 2
