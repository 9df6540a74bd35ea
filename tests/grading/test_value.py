"""Values that are stated without a box: which text is one, and which only looks like one."""

import pytest

from k2eval.grading.answer import find_answer
from k2eval.grading.math.grader import grade
from k2eval.records import Outcome
from tests.grading.conftest import make_question

STATED = [
    ("56", "The answer is 56 apples."), ("56", "The answer is 56. I hope this helps!"),
    ("56", "The answer is 56 because 7*8=56."), ("(3,4)", "The final answer is (3, 4)."),
    ("56", "We have y = 3.\nx = 56"), ("56", "**Final Answer**\n\n\\[\n56\n\\]"), ("56", "### Answer\n\n56"),
    ("56", "### Final Answer\n\n$$56$$"), ("56", "Final Answer: 56"), ("56", "The answer is $56$, as claimed."),
    ("56", "The answer is thus $56$"), ("56", "The answer is therefore 56."), ("56", "So the final result is $56$."),
    ("56", "The value is therefore $56$"), ("56", "**Answer**: The probability is **56**."),
    ("56", "Hence the answer is\n\\begin{equation}\n56\n\\end{equation}"), ("56", "> **56**"), ("56", "```\n56\n```"),
    ("56", "The answer is:\n\n- 56"), ("57", "The answer is (57)."), ("e^9-2", "The final answer is -2 + exp(9)."),
    ("56", r"$\therefore x=56$"), ("56", "Therefore, x = 56."), ("56", "So the total number of ways is 56."),
    ("56", "Thus there are 56 ways."), ("56", "Hence, the answer to this problem is 56."),
    ("56", "The answer is 56 (see the table above)."), ("56", "The answer is 56 square units."),
    ("56", "The answer is 56 cm."), ("56", "The answer is 56 cm^2, since the area is 7*8."),
    ("56", "The answer is 56; this completes the proof."), ("56", "The answer is 56, which is 7*8."),
    ("56", "The answer is 56, so we are done."), ("56", "Answer: 56\n\nExplanation: 7*8 = 56, and 5 + 51 = 56."),
    ("56", "**Answer:** 56 apples"), ("56", "**Answer:** `56`"), ("56", "The answer is **56**."),
    ("56", "The answer is **56 apples**."), ("56", "Answer:\n56"), ("56", "Answer:\n\n**56**"),
    ("56", "The answer must be 56."), ("56", "Our final answer is then 56."), ("56", "My answer: 56"),
    ("56", "the answer is equal to 56."), ("56", r"The correct answer is \(56\)."), ("56", "The answer is $x = 56$."),
    ("56", "The answer is x = 56."), ("x=1,x=2", "The answer is $x=1$ or $x=2$."),
    ("1,2", "The answers are 1 and 2."), ("1,2,3", "The answer is 1, 2, and 3."),
    ("1,2,3", "The answer is $1$, $2$ and $3$."), (r"\frac{1}{2}", "The answer is 1/2."),
    (r"\frac{1}{2}", "The answer is 0.5."), ("0.5", "The answer is 0.5"), ("1234", "The answer is 1,234."),
    (r"\sqrt{2}", "The answer is √2."), (r"2\sqrt3", r"The final answer is 2\sqrt{3}."),
    (r"2\sqrt3", "The answer is 2*sqrt(3)."), (r"2\pi", "The answer is 2π."), (r"50\%", "The answer is 50%."),
    (r"50\%", "The answer is 50 percent."), (r"\text{ellipse}", "The answer is an ellipse."),
    (r"\text{yes}", "The answer is yes."), (r"\text{Monday}", "Answer: Monday"),
    (r"\text{Alice, Bob}", "The answer is Alice and Bob."), ("28", "答案：28"), ("28", "答案是28。"), ("28", "所以答案为 28。"),
    ("28", "**答案：** 28"), ("28", "所以一共有28个。"), ("28", "因此，x = 28。"), ("28", "综上所述，答案是 $28$。"), ("28", "最终答案：**28**"),
    ("28", "故答案为：28．"), ("28", "正确答案是28"), ("28", "所以小明有28个苹果。"), ("28", "因此面积为28平方厘米。"),
    ("[1,2)", "The answer is [1, 2)."), ("[1,2)", "The answer is $[1,2)$."), ("x>3", "The answer is x > 3."),
    ("x^2+1", "The answer is x^2 + 1."), ("x^2+1", "Answer: $f(x) = x^2+1$"), ("-17", "**Final answer:** -17"),
    ("-17", "The answer is -17 degrees."), (r"\$5", "The answer is $5."), (r"\$5", r"The answer is \$5."),
    ("5", "The answer is $5 dollars."), ("7", "I computed 5 first. The answer is 5? No, the answer is 7."),
    ("7", "The answer is 5. Wait, I made a mistake. The answer is 7."),
    ("6", "The answer is 6.\n\nThis matches the bound from part (a), where n = 3."),
    ("56", "The desired probability is 56."), ("56", "Answer = 56"), ("56", "ANSWER: 56"),
    ("56", "The answer is 56 meters per second."), ("56", "The answer is 56 km/h."), ("56", "Total = 56"),
    ("56", "Final answer\n\n56"), ("56", "Final Answer: The final answer is $56$. I hope it is correct."),
    ("56!", "The answer is $56!$."), ("56", r"answer: $\boldsymbol{56}$"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"The answer is $\begin{pmatrix}1\\2\end{pmatrix}$."),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "**Final Answer**\n$$\n\\begin{pmatrix}1\\\\2\\end{pmatrix}\n$$"),
    ("1024", "The answer is 2^{10} = 1024."), ("1024", "The answer is 2**10."), ("6", "The answer is 2 * 3 = 6."),
    ("56", "The answer is 56 (fifty-six)."), ("56", "The answer is 56 - the product of 7 and 8."),
    ("56", "The answer is **56** since 7 × 8 = 56."),
    ("56", "Therefore the answer is:\n\n**56**\n\nHope that helps!"), ("12.5", "The answer is 12.5."),
    ("A", "The answer is A."), ("3:4", "The ratio is 3:4.\n\nAnswer: 3:4"),
    (r"\frac58", "Thus, the answer is\n$$\n\\frac{5}{8}.\n$$"),
    (r"\frac58", "Thus, the answer is\n$$\n\\frac{5}{8}.\n$$\nThis completes the solution."),
    ("56", "It follows that\n\\[ x = 56. \\]"), ("56", "<answer>The answer is 56 apples.</answer>"),
    ("56", "#### 56"), ("56", "The answer is 56 in total."), ("56", "The answer is 56 ways to do it."),
    ("12", "The final answer is 12, not 13."), ("12", "Hence the required number is 12."),
    ("12", "Thus the answer: 12"), ("(1,2),(2,1)", "The answer is (1,2) and (2,1)."),
    (r"\emptyset", "The answer is: no solution."), ("56", "So x equals 56."), ("56", "We conclude that n = 56."),
    ("56", "So, the number of apples is $56$."), ("56", r"Therefore, the sum of all values is $\mathbf{56}$."),
    (r"\frac{5}{8}", r"**Answer: $\frac58$**"), (r"\frac{5}{8}", r"Answer: \frac{5}{8}."),
    (r"\frac{5}{8}", "Final answer: 5/8"), (r"\frac{5}{8}", "The answer is $5/8$ or 0.625."),
    (r"\frac{5}{8}", r"Therefore, the probability is $\frac{5}{8}$."),
    (r"\frac{5}{8}", r"So the answer is \[\frac58.\]"), (r"\frac{5}{8}", "The answer is:\n$$\\frac{5}{8}$$\n"),
    (r"\frac{5}{8}", "Thus\n\\[ p = \\frac{5}{8} \\]"), (r"\frac{5}{8}", "The answer is p = 5/8"),
    (r"\frac{5}{8}", "ANSWER\n5/8"), (r"\frac{5}{8}", "**5/8** is the answer."),
    (r"\frac{5}{8}", "5/8 is the answer."), (r"\frac{5}{8}", r"$\frac58$ is the final answer."),
    (r"\frac{5}{8}", "∴ 5/8"), (r"\frac{5}{8}", r"$$\therefore \frac58$$"), (r"\frac{5}{8}", "Result: 5/8"),
    (r"\frac{5}{8}", "Solution: 5/8"), (r"\frac{5}{8}", "Final result: 5/8"), (r"\frac{5}{8}", "p = 5/8"),
    (r"\frac{5}{8}", r"$p = \frac58$"), (r"\frac{5}{8}", "P(A) = 5/8"), (r"\frac{5}{8}", "P(A) = 5/8."),
    (r"\frac{5}{8}", "Therefore P(A) = 5/8."), (r"\frac{5}{8}", "Hence the probability is 5/8, as desired."),
    (r"\frac{5}{8}", r"Hence, $P = \frac{5}{8}$."), (r"\frac{5}{8}", "**p = 5/8**"),
    (r"\frac{5}{8}", r"The answer is **$\frac{5}{8}$**."),
    (r"\frac{5}{8}", r"The answer is $\frac{5}{8}$, which is 0.625."), (r"\frac{5}{8}", "The answer is 5/8 (62.5%)."),
    (r"\frac{5}{8}", "The answer is 5/8, or 62.5%."), (r"\frac{5}{8}", "The answer is 62.5%."),
    (r"\frac{5}{8}", "Final Answer: **5/8**"), (r"\frac{5}{8}", r"Final Answer: $$\frac58$$"),
    (r"\frac{5}{8}", "# Answer\n\n$$\n\\frac{5}{8}\n$$"),
    (r"\frac{5}{8}", "## Final Answer\n\nThe probability is $\\frac{5}{8}$."), (r"\frac{5}{8}", "So, 5/8."),
    (r"\frac{5}{8}", r"The final answer is: $\frac{5}{8}$. I hope it is correct."),
    (r"\frac{5}{8}", r"The final answer is \(\frac{5}{8}\)"),
    (r"\frac{5}{8}", r"The final answer is \[ \frac{5}{8} \]"), (r"\frac{5}{8}", r"Answer: \[\frac{5}{8}\]"),
    (r"\frac{5}{8}", r"Answer: $$\frac{5}{8}$$"), (r"\frac{5}{8}", "The answer is\n\n5/8"),
    (r"\frac{5}{8}", r"The answer is $\frac{5}{8}$!"), (r"\frac{5}{8}", "Our final answer is 5/8."),
    (r"\frac{5}{8}", "The required probability is 5/8."),
    (r"\frac{5}{8}", r"The required probability is therefore $\frac{5}{8}$."),
    (r"\frac{5}{8}", "The answer is equal to 5/8"), (r"\frac{5}{8}", "The answer equals 5/8."),
    (r"\frac{5}{8}", "the answer comes out to be 5/8"), (r"\frac{5}{8}", "Answer : 5/8"),
    (r"\frac{5}{8}", "ANSWER = 5/8"), (r"\frac{5}{8}", "answer:5/8"), (r"\frac{5}{8}", r"答案是 $\frac58$。"),
    (r"\frac{5}{8}", r"答案：$\frac{5}{8}$"), (r"\frac{5}{8}", r"因此概率为 $\frac{5}{8}$。"), (r"\frac{5}{8}", "所以所求概率是5/8。"),
    (r"\frac{5}{8}", r"故答案为 $\dfrac{5}{8}$．"), (r"\frac{5}{8}", "故所求概率为5/8."),
    (r"\frac{5}{8}", "答案：\n\n$$\\frac58$$"), (r"\frac{5}{8}", "最终答案为：5/8"), (r"\frac{5}{8}", "**答案**：5/8"),
    (r"\frac{5}{8}", "【答案】5/8"), (r"\frac{5}{8}", "Antwort: 5/8"), (r"\frac{5}{8}", "<answer>5/8</answer>"),
    (r"\frac{5}{8}", r"<answer>$\frac58$</answer>"), (r"\frac{5}{8}", "<answer>The answer is 5/8.</answer>"),
    (r"\frac{5}{8}", "The answer is 5/8.\n\n**Check:** 5/8 + 3/8 = 1."),
    (r"\frac{5}{8}", "Answer: 5/8\n\nConfidence: 90%"), (r"\frac{5}{8}", "So the probability that it is red is 5/8."),
    (r"\frac{5}{8}", "Thus, we conclude that the probability is $5/8$."), (r"\frac{5}{8}", "This gives 5/8."),
    (r"\frac{5}{8}", "We conclude that $p = 5/8$."), (r"\frac{5}{8}", "Answer: .625"),
    (r"\frac{5}{8}", "```\n5/8\n```"), (r"\frac{5}{8}", "> 5/8"), (r"\frac{5}{8}", "- 5/8"),
    (r"\frac{5}{8}", "* 5/8"), (r"\frac{5}{8}", "**5/8**"), (r"\frac{5}{8}", "5/8."), (r"\frac{5}{8}", "$5/8$"),
    (r"\frac{5}{8}", "$$5/8$$"), (r"\frac{5}{8}", r"\(5/8\)"), (r"\frac{5}{8}", r"\[5/8\]"),
    (r"\frac{5}{8}", "$= 5/8$"),
    (r"\frac{5}{8}", r"Therefore the answer is $$\frac{5}{8}.$$ This completes the proof."),
    (r"\frac{5}{8}", r"The answer is $\dfrac{5}{8}$ as required."), (r"\frac{5}{8}", "The answer is simply 5/8."),
    (r"\frac{5}{8}", "The answer is 5/8</s>"),
]  # fmt: skip
NOT_STATED = [
    ("56", "There are 56 cases to consider, but I did not finish."),
    ("56", "I could not finish; x = 56 was the last case I tried."), ("56", "The answer is not 56."),
    ("56", "The answer is about 56."), ("56", "The answer is at least 56."), ("56", "The answer is 56 or 57."),
    ("56", "The answer is 56 or so."), ("56", "The answer is 56?"), ("56", "The answer is between 56 and 60."),
    ("56", "The answer is 56 times 3."), ("56", "The answer is 56 plus 1."),
    ("56", "The answer is 56, but that counts twice."), ("56", "The answer is 56 if n is even."),
    ("56", "The answer is 56 more than before."), ("56", "The answer is 56. Wait, that is wrong."),
    ("56", "The answer is 57."), ("56", "The answer is 56. So the final answer is 57."),
    ("56", "The answer is less than 56."), ("56", "If the answer is 56, we are done."),
    ("56", "Suppose the answer is 56. Then it is."), ("56", "The answer cannot be 56."),
    ("56", "The answer is 56 thousand."), ("56", "The answer is 56 hundred"), ("56", "The answer is 5600%."),
    ("56", "Case 56"), ("56", "Step 56"), ("56", "So we need to check x = 56."), ("56", "So suppose x = 56."),
    ("56", "Maybe x = 56."), ("56", "Let x = 56."), ("56", "The answer is 56 out of 100."),
    ("56", "The answer is 56x."), ("56", "The answer is 56 + x."), ("56", "The answer is 56^2."),
    ("56", "The answer is 56 squared."), ("56", "The answer is 56/2."), ("56", "The answer is 56.5."),
    ("56", "The answer is 56,000."), ("56", "The answer is 56 to 60."), ("56", "The answer is 56-60."),
    ("56", "The answer is one of 56, 57."), ("56", "The answer is twice 56."), ("56", "The answer is 56 factorial."),
    ("56", "The answer is 56 mod 60."), ("56", "The next step gives 56"), ("56", "I think it may be 56."),
    ("56", "The answer is x, where x > 56."), ("56", "The wrong answer is 56."), ("(3,4)", "The answer is (4, 3)."),
    ("(3,4)", "The answer is 3 and 4."), (r"\text{ellipse}", "The answer is not an ellipse."),
    (r"\text{ellipse}", "The answer is an ellipse or a circle."), (r"\text{yes}", "The answer is yes or no."),
    (r"\text{yes}", "The answer is no."), ("28", "答案不是28。"), ("28", "答案约为28。"), ("28", "答案是28或29。"),
    ("28", "答案是28万。"), ("28", "答案：82"), ("28", "如果答案是28，那么"), ("5", "The answer is 5 feet 3 inches."),
    ("5", "The answer is 5 hours and 3 minutes."), ("5", "The answer is $5 million."), ("56", "Answer: see 56"),
    ("56", "Answer: Let me compute: 7*8 = 56"), ("1,2", "The answer is 1 or 2, hard to say."),
    ("56", "So the first term is 56."), ("56", "Thus at most 56 are possible."), ("56", "Therefore n > 56."),
    ("56", "Hence x is not 56."), ("56", "The answer is 56. Actually, it is 57."), ("56", "So 56 cases remain."),
    ("56", "The answer is 10 less than 56."), ("56", "The answer is the square of 56."),
    ("56", "The answer is three times 56."), ("56", "The answer is 56% of 100."), ("1024", "The answer is 210."),
    ("5", "The answer is 5 (mod 7) plus 2"), ("56", "The answer is (56, 3)."),
    ("56", "My answer would be 56 unless n = 2."), ("56", "Could the answer be 56?"), ("56", "Is the answer 56?"),
    ("56", "The number 56"), ("56", "56 is the number of cases"), (r"\frac{5}{8}", "The answer is 5/8 or 3/8."),
    (r"\frac{5}{8}", "The answer is 8/5."), (r"\frac{5}{8}", "The answer is 5/8 of 3."),
    (r"\frac{5}{8}", "The answer is 5/8 + 1."), (r"\frac{5}{8}", "The answer is 5/8 if a = 1."),
    (r"\frac{5}{8}", "5/8 is one case."), (r"\frac{5}{8}", "Suppose p = 5/8."),
    (r"\frac{5}{8}", "p is at least 5/8."), (r"\frac{5}{8}", "p < 5/8"),
    (r"\frac{5}{8}", "The answer is less than 5/8."), (r"\frac{5}{8}", "The probability of the first event is 5/8."),
    (r"\frac{5}{8}", "Step 3: p = 5/8 so far."), (r"\frac{5}{8}", "Then 5/8 of the balls are red."),
    (r"\frac{5}{8}", "So we have 5/8 for the first draw."), (r"\frac{5}{8}", "Thus we multiply by 5/8."),
    (r"\frac{5}{8}", "Maybe 5/8?"), (r"\frac{5}{8}", "5/8?"), (r"\frac{5}{8}", "The answer is 5/8? I doubt it."),
    (r"\frac{5}{8}", "Answer: 5/8 or 1/2"), (r"\frac{5}{8}", "Answer: 1 - 5/8"), (r"\frac{5}{8}", "Answer: 5/8 x"),
    (r"\frac{5}{8}", "The answer is 3 5/8."), (r"\frac{5}{8}", "The answer is 15/8."),
    (r"\frac{5}{8}", "The answer is 5/80."), (r"\frac{5}{8}", "The answer is 5/8%."),
    (r"\frac{5}{8}", "The answer is -5/8."), (r"\frac{5}{8}", "The answer is not 5/8 but 3/8."),
    (r"\frac{5}{8}", "Not 5/8."), (r"\frac{5}{8}", "The answer is 3/8, not 5/8."),
    (r"\frac{5}{8}", "The answer is 1/2.\n\nNote that p = 5/8 would give another result."),
    (r"\frac{5}{8}", "I am not sure, p = 5/8 might work."), (r"\frac{5}{8}", "答案不是5/8。"),
    (r"\frac{5}{8}", "答案是5/8或3/8。"), (r"\frac{5}{8}", "答案大于5/8。"), (r"\frac{5}{8}", "设概率为5/8。"),
    (r"\frac{5}{8}", "如果概率是5/8，则"), (r"\frac{5}{8}", "The answer is 3/8. The complement is 5/8."),
    (r"\frac{5}{8}", "The answer cannot be 5/8."),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "text"), STATED)
def test_a_stated_value_is_read(gold: str, text: str) -> None:
    assert grade(make_question(gold), text, False).outcome is Outcome.CORRECT


@pytest.mark.parametrize(("gold", "text"), NOT_STATED)
def test_a_value_that_is_not_stated_does_not_count(gold: str, text: str) -> None:
    assert grade(make_question(gold), text, False).outcome is not Outcome.CORRECT


@pytest.mark.parametrize(("gold", "text"), STATED[:12])
def test_a_stated_value_does_not_count_at_the_token_limit(gold: str, text: str) -> None:
    assert grade(make_question(gold), text, True).outcome is Outcome.TRUNCATED


def test_of_several_statements_the_last_counts() -> None:
    assert find_answer("The answer is 5.\n\nThe final answer is 6.", False).text == "6"


def test_a_box_counts_before_any_statement() -> None:
    assert find_answer("\\boxed{5}\n\nThe answer is 6.", False).text == "5"
