import pytest

from k2eval.grading.math.domain import differ


def of_tails(gold: str, answer: str) -> bool:
    return differ(f"cx{gold}", f"cx{answer}", "cx", "cx")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r", c\in \mathbb{R}", r", c\in \mathbb{Z}"),
        (r", c\in \mathbb{R}", r", c\ne 0"),
        (", c>0", r", 0\le c"),
        (r" \text{ for integer } c", r" \text{ for any positive integer } c"),
        (r", c\in \mathbb{N}", r", c\ge 2"),
        (", c<5", ", c<6"),
    ],
)
def test_other_ranges_differ(gold: str, answer: str) -> None:
    assert of_tails(gold, answer) and of_tails(answer, gold)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r", c\in \mathbb{R}^{+}", ", c>0"),
        (r", c\in \mathbb{N}", r" \text{ for integer } c \ge 0"),
        (r", c\in \mathbb{Z}_{\ge 0}", r", c\in \mathbb{N}"),
        (", c>0", ""),
        (", c>0", r" \text{ for any constant } c"),
        (r", c\in \mathbb{Z}, c>2", r", c\in \mathbb{Z}, c\ge 3"),
        (", c>0, c\\ne 0", ", c>0"),
        (r", c\ne 1", r" \text{ for } c\in \mathbb{R}\setminus\{1\}"),
    ],
)
def test_one_range_in_two_forms_does_not_differ(gold: str, answer: str) -> None:
    assert not of_tails(gold, answer) and not of_tails(answer, gold)


def test_the_argument_of_a_function_is_no_parameter() -> None:
    assert not differ("a_n=2n, n>1", "a_n=2n, n>2", "a_n=2n", "a_n=2n")
