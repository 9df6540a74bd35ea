import pytest

from k2eval.grading.choice import grade
from k2eval.grading.option import letter_of
from k2eval.records import Outcome
from tests.grading.conftest import make_question

WORDS = ("Alpha decay", "Beta decay", "Gamma decay", "Delta")
VALUES = ("1/2", "0.25", "3", "4 m/s")


def chosen(text: str, options: tuple[str, ...] = WORDS, truncated: bool = False) -> str | None:
    """The letter that the grader reads in ``text``; None if it finds none."""
    found = grade(make_question("A", options=options), text, truncated)
    assert (found.outcome is Outcome.CORRECT) == (found.extracted == "A")
    return found.extracted if found.outcome in (Outcome.CORRECT, Outcome.WRONG) else None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{B}", "B"), (r"\boxed{\text{B}}", "B"), (r"\boxed{\textbf{(B)}}", "B"),
        (r"\boxed{\mathbf{B}}", "B"), (r"\boxed{(B)}", "B"),
        (r"\boxed{b}", "B"), (r"\boxed{B.}", "B"), (r"\boxed{B. Beta decay}", "B"),
        (r"\boxed{B) Beta decay}", "B"), (r"\boxed{B: Beta decay}", "B"),
        (r"\boxed{\text{B) Beta decay}}", "B"), (r"\boxed{B. Beta}", "B"), (r"\boxed{Option B}", "B"),
        (r"\boxed{Beta decay}", "B"),
        (r"\boxed{\text{Beta decay}}", "B"), ("**Answer:** (C)", "C"), ("**Answer: C**", "C"),
        ("**Answer:** C", "C"), ("Answer: b", "B"),
        ("Answer: $B$", "B"), ("The correct answer is (D).", "D"), ("The correct answer is D", "D"),
        ("The answer is **D**.", "D"),
        ("<answer>C</answer>", "C"), ("<answer>C", "C"), ("<answer>The answer is (C).</answer>", "C"), ("B", "B"),
        ("(B)", "B"), ("**B**", "B"),
        ("B) Beta decay", "B"), ("Option C is correct.", "C"), ("Choice (D) is the correct one.", "D"),
        ("The answer is B because it is.", "B"),
        ("The answer is A because it is.", "A"), ("The answer is Beta decay", "B"),
        ("The answer is B, A is wrong.", "B"),
        ("The answer is A. No, the answer is C.", "C"), ("Answer: A\n\nOn reflection:\n\nAnswer: D", "D"),
        ("\\boxed{B}\nno,\n\\boxed{C}", "C"),
        ("<think>The answer is A</think>Answer: C", "C"), ("The answer is\n\n(B)", "B"),
        (r"The final answer is $\boxed{D}$. I hope it is correct.", "D"),
        (r"\boxed{B, Beta decay}", "B"), (r"\boxed{B (Beta decay)}", "B"), (r"\boxed{B\ \text{Beta decay}}", "B"),
        (r"\boxed{\text{B is correct}}", "B"), (r"\boxed{\mathsf{B}:}", "B"), (r"\boxed{Ｂ}", "B"),
        (r"\boxed{\text{Beta}\ \text{decay.}}", "B"), ("Answer: `B`", "B"), ("Answer：B", "B"), ("Option (B)", "B"),
        ("So B is the correct answer.", "B"), ("I would go with option B.", "B"), ("The answer is **Beta decay**.", "B"),
    ],
)  # fmt: skip
def test_the_letter_is_found(text: str, letter: str) -> None:
    assert chosen(text) == letter


@pytest.mark.parametrize(
    "text",
    ["", "No idea.", "A nucleus decays.", "The answer is a nucleus", "Answer: A nucleus decays", r"\boxed{Alpha}",
     r"\boxed{E}", r"\boxed{A, B}",
     r"\boxed{A or B}", r"\boxed{AB}", r"\boxed{(B) and (C)}", r"\boxed{A) or (B)}", r"\boxed{B} wait \boxed{C}",
     "The answer is B and C.",
     "Option B is incorrect.", "<think>B", r"\boxed{}", "Bananas", "I would say that it cannot be told",
     r"\boxed{7}", "The answer is not B.", "The wrong answer is B.", "Neither A nor B is the correct answer.",
     "I cannot go with option B.", r"\boxed{A (or C)}", r"\boxed{\text{not B}}"],
)  # fmt: skip
def test_nothing_is_guessed(text: str) -> None:
    assert chosen(text) is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{\frac{1}{2}}", "A"),
        (r"\boxed{0.5}", "A"),
        (r"\boxed{1/4}", "B"),
        (r"\boxed{3}", "C"),
        (r"\boxed{4 m/s}", "D"),
    ],
)
def test_an_option_may_be_given_by_its_value(text: str, letter: str) -> None:
    assert chosen(text, VALUES) == letter


def test_a_label_decides_before_a_value_and_a_text_before_a_label() -> None:
    assert chosen(r"\boxed{A: +\infty}", (r"+\infty", "0", "1", "2")) == "A"
    assert chosen("The answer is A = iron, B = tin", ("A = zinc, B = tin", "A = iron, B = tin")) == "B"
    assert chosen(r"\boxed{C = 5}", ("4", "5", "6")) == "B"
    assert chosen(r"\boxed{c}", ("c", "a", "b")) == "A"


@pytest.mark.parametrize("answer", [r"10^{-11}\,\mathrm{eV}", "10^{-11}", r"\(10^{-11}\) eV", "1e-11 eV"])
def test_a_unit_may_be_written_in_many_ways(answer: str) -> None:
    options = ("$10^{-4}$ eV", "$10^{-11}$ eV", "$10^{-8}$ eV")
    assert chosen(rf"\boxed{{{answer}}}", options) == "B"


def test_an_option_given_by_a_value_that_two_options_share_is_no_answer() -> None:
    assert chosen(r"\boxed{0.5}", ("1/2", "2/4", "3", "4")) is None


def test_a_letter_means_its_place_even_where_options_are_letters() -> None:
    assert chosen(r"\boxed{A}", ("B", "A", "D", "C")) == "A"


def test_letters_beyond_the_options_are_unknown() -> None:
    assert chosen(r"\boxed{D}", ("x", "y", "z")) is None


def test_options_that_hold_brackets_are_told_apart() -> None:
    options = ("[a] b", "b", "[c] b", "[b]")
    assert [letter_of(option, options) for option in options[2:]] == ["C", "D"]


def test_a_statement_counts_only_where_the_response_was_finished() -> None:
    assert chosen("The answer is B", truncated=True) is None


def test_a_box_counts_although_the_token_limit_came() -> None:
    assert chosen(r"\boxed{B}", truncated=True) == "B"


def test_a_cut_response_is_truncated() -> None:
    assert grade(make_question("A", options=WORDS), "Let us see", True).outcome is Outcome.TRUNCATED


def test_a_gold_in_lower_case_is_a_letter_too() -> None:
    assert grade(make_question("b", options=WORDS), r"\boxed{B}", False).outcome is Outcome.CORRECT
