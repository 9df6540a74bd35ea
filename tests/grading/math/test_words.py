"""Answers in words."""

import pytest

from k2eval.grading.math.grader import matches

RIGHT = [
    (r"\text{ellipse}", r"\text{an ellipse}"), (r"\text{ellipse}", r"\text{The ellipse}"),
    (r"\text{an ellipse}", "ellipse"), (r"\text{odd}", r"\text{odd function}"), (r"\text{odd function}", "odd"),
    (r"\text{odd}", r"\text{an odd function}"), (r"\text{odd}", r"\text{The function is odd}"),
    (r"\text{odd}", r"\text{It is odd}"), (r"\text{even}", r"\text{it's even}"),
    (r"\text{March 14}", r"\text{March 14th}"), (r"\text{March 14}", r"\text{14 March}"),
    (r"\text{March 14}", r"\text{March }14"), (r"\text{March 14}", "March 14"),
    (r"\text{March 14}", r"\text{14th of March}"), (r"\text{March 14}", r"\text{the 14th of March}"),
    (r"\text{March 14}", r"\text{Mar. 14}"), (r"\text{March 14}", r"\text{March }14^{\text{th}}"),
    (r"\text{March 14}", r"\text{on March 14}"), (r"\text{March 14, 2025}", r"\text{14 March 2025}"),
    (r"\text{March 14, 2025}", "March 14th, 2025"), (r"\text{March 14}", r"\text{March 14.}"),
    (r"\text{Alice, Bob}", r"\text{Bob, Alice}"), (r"\text{Alice, Bob}", r"\text{Bob and Alice}"),
    (r"\text{Alice and Bob}", r"\text{Bob, Alice}"), (r"\text{Alice}, \text{Bob}", r"\text{Bob}, \text{Alice}"),
    (r"\text{Alice, Bob}", r"\text{Alice}\text{ and }\text{Bob}"),
    (r"\text{Alice, Bob, Carol}", r"\text{Carol, Alice, and Bob}"), ("Alice, Bob", "Bob, Alice"),
    (r"\text{Bob}", r"\text{Bob.}"), (r"\text{no solution}", r"\text{No real roots}"),
    (r"\text{no real roots}", "No real roots"), (r"\text{no solution}", r"\text{No real solutions}"),
    (r"\text{no solution}", r"\text{has no solutions}"),
    (r"\text{no solution}", r"\text{There are no real solutions}"),
    (r"\text{no solution}", r"\text{No solutions exist}"),
    (r"\text{no solution}", r"\text{The equation has no solution}"), (r"\emptyset", r"\text{no real roots}"),
    (r"\emptyset", r"\text{none}"), (r"\text{None}", r"\text{no solution}"),
    (r"\text{DNE}", r"\text{does not exist}"), (r"\text{undefined}", r"\text{Undefined}"),
    (r"\emptyset", r"\text{no such integers}"), (r"\emptyset", r"\text{no real values}"),
    (r"\emptyset", r"\text{the empty set}"), (r"\text{no real solutions}", r"\text{no real solution}"),
    (r"\text{Monday}", r"\text{on Monday}"), (r"\text{Monday}", r"\text{It is Monday}"),
    (r"\text{Monday}", r"\text{a Monday}"), (r"\text{Monday}", "monday"), (r"\frac12", r"\text{one half}"),
    (r"\frac12", r"\text{half}"), (r"\frac12", r"\text{a half}"), (r"\frac12", r"\text{one-half}"),
    (r"\frac23", r"\text{two thirds}"), (r"\frac23", r"\text{two-thirds}"), (r"\frac34", r"\text{three quarters}"),
    (r"\frac34", r"\text{three fourths}"), (r"\frac14", r"\text{a quarter}"), ("23", r"\text{twenty-three}"),
    ("23", "twenty three"), ("100", r"\text{one hundred}"), ("700", r"\text{seven hundred}"),
    ("20", r"\text{twenty}"), ("15", r"\text{fifteen}"), ("0", r"\text{zero}"), ("105", r"\text{one hundred five}"),
    ("105", r"\text{one hundred and five}"), ("2000", r"\text{two thousand}"), ("12", r"\text{twelve}"),
    ("12", r"\text{twelve apples}"), ("5", r"\text{five ways}"), ("-5", r"\text{minus five}"),
    ("-5", r"\text{negative five}"), ("1200", r"\text{twelve hundred}"), (r"\text{True}", "true"),
    (r"\text{Yes}", "yes"), (r"\text{east}", r"\text{East}"), (r"\text{isosceles}", r"\text{isosceles triangle}"),
    (r"\text{isosceles triangle}", r"\text{an isosceles triangle}"), (r"\text{Evelyn}", "Evelyn"),
    (r"\text{Evelyn}", r"\textbf{Evelyn}"), (r"\text{increasing}", r"\text{Increasing}"),
    (r"\text{the circle}", r"\text{circle}"), (r"\text{parabola}", r"\text{The graph is a parabola}"),
    (r"\text{right triangle}", r"\text{a right triangle}"), (r"\text{A and C}", r"\text{C and A}"),
    (r"\text{A, C}", r"\text{C, A}"), (r"\text{red}", "Red"), (r"\text{point}", r"\text{a point}"), ("3", "three"),
    (r"\text{two lines}", r"\text{two lines}"), (r"\text{neither}", r"\text{Neither}"),
    (r"\text{infinitely many}", r"\text{Infinitely many solutions}"), (r"\text{all real numbers}", r"\mathbb{R}"),
    (r"\mathbb{R}", r"\text{any real number}"), (r"\mathbb{R}", r"\text{all real } x"),
]  # fmt: skip
WRONG = [
    (r"\text{ellipse}", r"\text{hyperbola}"), (r"\text{ellipse}", r"\text{not an ellipse}"),
    (r"\text{odd}", r"\text{even function}"), (r"\text{odd}", r"\text{neither odd nor even}"),
    (r"\text{odd}", r"\text{odd or even}"), (r"\text{odd}", r"\text{not odd}"),
    (r"\text{odd}", r"\text{The function is not odd}"), (r"\text{March 14}", r"\text{March 15}"),
    (r"\text{March 14}", r"\text{April 14}"), (r"\text{March 14}", "14"), (r"\text{March 14}", "March"),
    ("14", r"\text{March 14}"), (r"\text{March 14, 2025}", "March 14, 2024"), (r"\text{March 4}", r"\text{March 14}"),
    (r"\text{Alice, Bob}", r"\text{Alice}"), (r"\text{Alice, Bob}", r"\text{Alice, Carol}"),
    (r"\text{Alice}", r"\text{Alice and Bob}"), (r"\text{Alice, Bob}", r"\text{Alice, Bob, Carol}"),
    (r"\text{Alice}", r"\text{not Alice}"), ("0", r"\text{No real roots}"),
    (r"\text{two real roots}", r"\text{no real roots}"), (r"\text{no solution}", r"\text{one solution}"),
    (r"\text{Monday}", r"\text{Not Monday}"), (r"\text{Monday}", r"\text{Monday or Friday}"),
    (r"\text{Monday}", r"\text{It is not Monday}"), (r"\text{Monday}", r"\text{Sunday}"),
    ("7", r"\text{seven hundred}"), ("2", r"\text{half}"), (r"\frac12", r"\text{one third}"),
    (r"\frac23", r"\text{three halves}"), ("20", r"\text{twelve}"), ("23", r"\text{thirty-two}"),
    ("5", r"\text{five hundred}"), ("5", r"\text{fifty}"), ("5", r"\text{five or six}"), ("5", r"\text{not five}"),
    ("5", r"\text{fifth}"), ("12", r"\text{twelve dozen}"), (r"\text{yes}", r"\text{no}"), (r"\text{A}", r"\text{a}"),
    (r"\text{True}", r"\text{Not true}"), (r"\text{isosceles}", r"\text{equilateral}"),
    (r"\text{right}", r"\text{left}"), (r"\text{A and C}", r"\text{A and B}"),
    (r"\text{increasing}", r"\text{not increasing}"), (r"\text{no}", r"\text{no solution}"),
    ("5", r"\text{about five}"), ("5", r"\text{at least five}"), ("-5", r"\text{five}"),
    (r"\text{infinite}", r"\text{finite}"), ("1", r"\text{one of them}"), ("1", r"\text{no one}"),
    ("3", r"\text{May 3}"), (r"\text{even}", r"\text{uneven}"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_an_answer_in_words_is_understood(gold: str, answer: str) -> None:
    assert matches(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_an_answer_in_words_of_another_value_is_wrong(gold: str, answer: str) -> None:
    assert not matches(gold, answer)
