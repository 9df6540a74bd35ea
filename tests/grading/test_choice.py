import pytest

from k2eval.grading import grader_for
from k2eval.grading.choice import grade
from k2eval.grading.option import letter_of
from k2eval.reasoning import AUTO
from k2eval.records import Outcome
from tests.grading.conftest import make_question

WORDS = ("Alpha decay", "Beta decay", "Gamma decay", "Delta")
VALUES = ("1/2", "0.25", "3", "4 m/s")


def chosen(text: str, options: tuple[str, ...] = WORDS, truncated: bool = False) -> str | None:
    """The letter that the grader reads in ``text``; None if it finds none."""
    question = make_question("A", options=options)
    result = grader_for("choice").grade_response(question, text, truncated, AUTO)
    assert (result.outcome is Outcome.CORRECT) == (result.extracted == "A")
    return result.extracted if result.outcome in (Outcome.CORRECT, Outcome.WRONG) else None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Ans: B", "B"), ("Answer: Beta decay (B)", "B"), ("So it has to be B.", "B"), ("Thus it loses an electron (B).", "B"),
        ("It is clear that B is the answer.", "B"), ("Answer - B", "B"), ("**Answer** – (B)", "B"), ("Answer: <B>", "B"), ("选B", "B"), ("La réponse est B.", "B"),
        ("Die richtige Antwort ist (B).", "B"), ("So it loses an electron, which corresponds to option B.", "B"),
        ("This matches choice (B).", "B"), ("A is wrong, C is wrong, D is wrong. So B.", "B"),
        ("The charge rises by one, so B.", "B"), ("Beta decay", "B"), ("It emits an electron.\n\n**Beta decay**", "B"),
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
        ("The answer is\n\n(B)", "B"),
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
     "Option B is incorrect.", r"\boxed{}", "Bananas", "I would say that it cannot be told",
     r"\boxed{7}", "The answer is not B.", "The wrong answer is B.", "Neither A nor B is the correct answer.",
     "I cannot go with option B.", "Answer: B or not B", "This does not match option B.", "The distractor is option B.",
     "which rules out option B.", "Vitamin B.", "Thus not beta (B).", "I doubt that B is the answer.",
     "It may be that this matches option B.", "If so B.", "Alpha decay\nBeta decay", "A or B, so B.",
     r"\boxed{A (or C)}", r"\boxed{\text{not B}}"],
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


SETTLED_ON_B = [
    "Answer: B", "The answer is B, A is wrong.", "The answer is B and A is wrong.",
    "The answer is B because A is too small and C is too large.", "The answer is B, not A.",
    "The answer is B rather than A.", "The answer is B since neither A nor C works.",
    "The answer is B, unlike C or D.", "Answer: B (A was tempting)", "Answer: B (not A)", "b. Beta decay", "b", "B.",
    "b)", "(b)", '{"answer": "B"}', '{"answer": "B", "explanation": "A is wrong"}', '```json\n{"answer": "B"}\n```',
    "{'answer': 'B'}", '{"final_answer": "B"}', '{"choice": "B"}', '{"reason":"A is wrong","answer":"B"}',
    "B is correct.", "**B is correct.**", "So B is correct.", "Option B is correct.", "B is right.",
    "$x=3$, \\boxed{x=3}\n\n**Answer: B**", "We get \\boxed{E=mc^2}.\n\nSo the answer is (B).", "\\boxed{7}\n\nB",
    "✅ **B**", "Answer: B ✅", "答案：B", "答案是B", "答案: $B", "答案为 **B**", "**答案：B**", "正确答案是 **B**", "故选 B。", "故选：B",
    "故选B", "所以选B。", "因此，应选 B", "本题选 B", "正确选项为B", "答案选B", "答案：（B）", "答案是 B 选项", "B 是正确的。", "选项 B 是正确的。", "B 正确。",
    "A 错误。答案是 B，因为 A 太小。", "答案是B，而不是A。", "Therefore, B.", "So, (B)", "It is B.", "It must be B", "I'd say B.",
    "I'll go with B.", "My answer: B", "My answer is B", "My choice is B.", "Let's go with B", "> **B**", "- B",
    "```\nB\n```", "Final Answer\n\nB", "### Answer\n\n**B**", "**Answer**\n\n(B) Beta decay",
    "### Final Answer\n\n**B. Beta decay**", "The answer is:\n\n- B", "The answer is\n$$B$$", r"Answer: \(B\)",
    r"The final answer is $\text{B}$.", "The correct answer to this question is B.",
    "The answer to the question above is (B).", "Answer (final): B", "The answer must therefore be B.",
    "The answer, therefore, is B.", "Therefore the correct choice would be B.", "The best option is thus B.",
    "The most appropriate answer is B", "Antwort: B", "Réponse : B", "Respuesta: B", "답: B", "答え: B", "ANSWER: B",
    "answer: b", "Answer is B)", "Answer:B", "Answer=B", "Answer: B: Beta decay", "Answer: B - Beta decay",
    "Answer: B, Beta decay", "Answer: Beta decay", "The answer is beta decay", "The answer is **Beta decay**",
    "Answer: B) Beta decay (A is for helium)", "The answer is B. A nucleus emits an electron.",
    "The answer is B. I am sure.", "The answer is B\n\nA: falls by two\nC: no change\nD: falls",
    "The answer is B.\n\nA) Alpha decay\nB) Beta decay\nC) Gamma decay\nD) Electron capture",
    "I considered A and C. The answer is B.", "The answer is A. No, the answer is B.",
    "The answer is A? Let me see. The answer is B.",
    "I first thought the answer is A. Wait, that is wrong. The answer is B.", "<answer>B</answer>",
    "<answer>b</answer>", "<answer>The correct option is B.</answer>", r"\boxed{\text{b}}", r"\boxed{b. Beta decay}",
    r"\boxed{选B}", r"\boxed{答案：B}", r"\boxed{B项}", '\\boxed{"B"}', r"\boxed{Answer: B}",
    "\\boxed{B}\n\nThe answer is B because A is wrong.", "Answer: B. However, A is often chosen.",
    "Correct: B is the answer.\n\nAnswer: B", "**Answer:** `B`", "The answer is <b>B</b>",
    "Answer: **B) Beta decay**", "Answer: Option B", "Answer: option (B)", "Answer: the option B",
    "The right choice: B", "Thus, the correct answer is option B: Beta decay.", "Therefore, the answer is **(B)**.",
    "So the answer is B) Beta decay", "I choose option B", "I select (B).", "I pick B",
    "The correct answer is B, as A would need more energy.", "The answer is B (since A and C violate charge).",
    "The answer is B: A and C violate charge.", "Answer: B; A and C are excluded.",
    "Answer: B, because C or D would do nothing", "So the correct statement is:\n\n**B. Beta decay**", "B", "**B.**",
    "The answer is B！", "答案：Ｂ", "答案是（B）。", "综上，选B。", "因此正确答案为B。", "我选B", "我选择 B。", "答案選 B", "正確答案是 B",
    "Answer: (b) Beta decay", "**Final Answer: (B)**", "Final answer: **B) Beta decay**", "The answer is: B",
    r"\boxed{B \text{ (Beta decay)}}", r"$\boxed{\mathrm{(B)}}$", "Option: B", "Among the options, B fits best.\n\nB",
    "I think it is B", "Answer:\n\nB", "Answer is: B.", "### Final Answer: B", "<answer>Option B</answer>",
    "<answer>\nB\n</answer>", "答案选择B", "选项B正确", "所以,答案是(B)", "综上所述，正确答案是B。", "【答案】B", "答案：【B】", "【答案】 B\n【解析】A 错误",
    "故答案为B", "故答案选B", "因此选项B是正确的", "B is the answer.", "(B) is correct.", "The correct answer is B: Beta decay.",
    "Therefore, option B is the best choice.", "So the answer is clearly B.", "Correct Answer: B",
    "My final choice is B.", "The answer, then, is B.", "Thus, our answer is (B).", "Hence B.",
    "Final Answer: B\n\nConfidence: 95%", "Explanation: a neutron turns into a proton.\nAnswer: B\nConfidence: 90%",
    "Answer: B. Beta decay\nExplanation: A would lose four nucleons.", '{"answer":"B","confidence":0.9}',
    '{"Answer": "B. Beta decay"}', '{"answer": "Beta decay"}', "**B) Beta decay**", r"The answer is \boxed{B}.",
    r"\boxed{\text{B. Beta decay}}", r"$$\boxed{\text{(B) Beta decay}}$$", r"\boxed{\mathbf{B}\;}",
    "\\[\n\\boxed{B}\n\\]", "So the final answer is B, beta decay.",
    "The process is beta decay, i.e. option (B).\n\n(B)", 'The answer is "B".', "The answer is 'B'.",
    "The answer is `B`.", "The answer is _B_.", "The answer is __B__.", "The answer is: **(B) Beta decay**",
    "Answer = (B)", "ANSWER: (B)", "answer: B.", "the correct option is b", "the answer is (b)",
    "Choice B is correct.", "B is the right choice.", "Therefore, the best answer is: B.",
    "After weighing the options, I choose (B).", "I'd go with B.", "The correct response is B.",
    "the right answer is B", "So we pick B.", "Thus the correct letter is B.", "Answer：**B**", "答案是：B。", "答案：B．",
    "答案:B选项", "答案为（B）", "选：B", "应该选B", "正确的是B", "正确的选项是 B", "答案就是B", "这道题选B。", "故正确答案为 B", "答案是「B」", "答案：\n\nB",
    "最终答案：B", "**最终答案：B**", "答案 B", "答：B", "A、C、D 都不对，答案是 B", "Réponse: B", "答え：B", "정답: B", "正确答案：B", "Answer: B\n",
    "Answer: B\n\n---\nLet me know if you need more.", "Answer: B<|im_end|>", "Answer: B</s>", "**Answer**: B",
    "*Answer*: B", "__Answer:__ B", "Answer: *B*", "Answer: ***B***", "Answer: [B]", "Answer: {B}", "Answer: B!",
    "Answer: → B", "Final answer (letter only): B", "The final answer is (B) since (A) and (C) are excluded.",
    "My answer is therefore (B).", "The answer is B, i.e. beta decay", "The answer is B. (A is wrong.)",
    "The answer is B; A, C, and D fail.", "B. Beta decay",
    "B)", "Therefore: B", "Ans. B", "Final: B", "In conclusion, B.", "We conclude (B).", "I am going with B.", "That leaves B.",
    "Only B is correct.", "B is the only correct option.", "B is right; A, C and D are wrong.", "This is option B.", "b) beta decay",
    "B - Beta decay", "Option B: Beta decay", "The process described is beta decay (B).", "The answer is beta decay, since Z rises.",
    "**B**\n\nExplanation: a neutron becomes a proton.", "It is the electron that leaves, which is option B.",
    "Beta particles are seen.\n\n=> B", "→ B", "La respuesta correcta es la B.",
]  # fmt: skip
SETTLED_ON_NONE = [
    "Answer: A or B?", "Answer: A;B", "The answer is A, or maybe B.", "Answer: A?", "Answer: A | B", "Answer: A & B",
    "Answer: A vs B", "Answer: A and/or B", "Answer: A, possibly B", "Answer: A (maybe B)", "Answer: A - B",
    "Answer: A B C", "Answer: (A) (B)", "Answer: (A), (B)", "Answer: [A][B]", "Answer: either A or B",
    "Answer: both A and B", "The answer is between A and B.", "The answer is A, but it could also be B.",
    "The answer is A, but B is also correct.", "The answer is A. Or B.", "The answer is A or C, I am not sure.",
    "The answers are A and B", "The answer could be A.", "The answer might be A or B",
    "The answer is A; alternatively B.", "Answer: A, alternatively, B", "The correct options are A and C.",
    "Answer: A\nor B", "Answer: A as well as B", "The answer is A) Alpha decay or B) Beta decay.",
    "Answer: **A** or **B**", "Answer: $A$ or $B$", "**Answer: A / B**", "Final answer: A, B, and C",
    "The answer is A, B.", "答案：A或B", "答案是A和B", "故选A、B", "故选 A 或 B。", "选 A 还是 B？", "答案：AB", "答案可能是 A", "答案不是A", "A\nB",
    "(A) (B)", "A, B", "A or B", "Option A or option B", "The answer is A, although B is possible", "I'd say A or B",
    r"\boxed{A; B}", r"\boxed{A|B}", r"\boxed{A\text{ or }B}", r"\boxed{A, or maybe B}", r"\boxed{A: possibly B}",
    r"\boxed{A. or B}", r"\boxed{A?}", r"\boxed{A B}", r"\boxed{A+B}", r"\boxed{A或B}", r"\boxed{A、B}", r"\boxed{A和B}",
    '{"answer": ["A", "B"]}', '{"answer": "A or B"}', '{"answer": "A, B"}', "<answer>A or B</answer>",
    "<answer>A, B</answer>", "<answer>A/B</answer>", "The answer is A. Wait, that is wrong.",
    "The answer is A. So the answer is not A.", "Suppose the answer is A. Then it fails.",
    "If the answer is A, the charge changes", "The answer is a nucleus.", "Answer: Let's think.",
    "A) Alpha decay\nB) Beta decay\nC) Gamma decay\nD) Electron capture", "Option A: wrong. Option B: wrong.",
    "The correct answer is neither.", "I", "Answer: none of these", "Which answer is correct: A or B?",
    "Let's look at option A.", "The answer is A or it is B", "It's A or B.", "Answer: A (B is also possible)",
    "Answer: A and possibly B", "Answer: A / (B)", "答案：A、B", "正确答案是A或者C", "The answer is A... or B",
    "A is correct. B is correct.", "The answer is (A) or (B), depending on the sign.", "The answer depends: A or B",
    "Answer: A,B,C", "The answer is A, D", "Answer: A / D", "Answer: A or D.", "The answer: A or B",
    "Answer: A; or, B", "Answer: A ∨ B", "Answer: A OR B", "Answer: Either (A) or (B)", "Both A and B are correct.",
    "The answer is A or\nB", "The answer is A or\n\n(B)", "The answer is A and\nC because both fit", "答案是 A 或\nB",
    "The answer is A — or B.", "The answer is option A or option B.", "The answer is probably A or B.",
    "Answer: A, B or C", "Answer: **A**, **B**", "The answer is A. B is also acceptable.", "answer: a or b",
    "answer: a, b", "The answer is A/B", "Final answer: (A) and (C)", r"Answer: A\B", "A? B?",
    "Answer: A (or possibly B?)", "答案：A 或 B", "答案：A,B", "故选AB", "【答案】AB", "【答案】A或B", "Either A or B could be right.",
    "The answer is A or B because both fit.", "The answer is not A", "Answer: A is wrong",
    "Answer: A is incorrect, B too", "Answer A is not correct", "The correct answer is not A but I am unsure.",
    "Is the answer A?", "Could the answer be A?", "The answer might be A.", "The answer may be A",
    "The possible answers are A and C.", "Options: A", "A is possible, B is possible.", "Answer: A~B", "Answer: A→B",
    "Answer: A to D", "Answer: A-D", "The answer lies between A and B.", "A or B.", "Maybe A", "Perhaps A.",
    "Answer: A... or maybe C?", "The answer is (A) but (B) also works.", "The answer is A, and B is also right.",
    "Answer: A + C", "Answer: A plus B", "Answer: I", "As", "A nucleus", "Answer: As", "Answer: Alpha",
    "Answer: Aardvark", r"\boxed{a nucleus}", r"\boxed{\text{A nucleus}}", r"\boxed{A, C}",
    r"\boxed{A \text{ and } C}", r"\boxed{\text{A or C}}", r"\boxed{A\,/\,C}", r"\boxed{A}, \boxed{C}",
    r"\boxed{A}\boxed{C}", r"\boxed{A} or \boxed{C}", r"\boxed{\text{Not A}}", r"\boxed{\text{None}}",
    r"\boxed{\text{A, but maybe C}}", r"\boxed{A\&C}", r"\boxed{A C}", r"\boxed{AC}", "<answer>A and C</answer>",
    "<answer>A C</answer>", "<answer>not A</answer>", "Answer: None of A, B.", "Answer: neither",
    "Answer: all of them", "Answer: A and D are both correct",
    "The charge number rises, which is B.", "B\n\nis no option.", "Unlike alpha decay (B).", "B is right, as is C.",
    "The answer is A or, less likely, C.", "$\\boxed{A}$\n\nor\n\n$\\boxed{C}$", r"\boxed{A} is wrong.",
]  # fmt: skip


@pytest.mark.parametrize("text", SETTLED_ON_B)
def test_one_option_is_read_from_many_forms(text: str) -> None:
    assert chosen(text) == "B"


@pytest.mark.parametrize("text", SETTLED_ON_NONE)
def test_two_options_or_a_doubt_are_no_answer(text: str) -> None:
    assert chosen(text) is None


def test_a_letter_of_another_alphabet_is_the_command_of_latex() -> None:
    assert chosen(r"\boxed{δ}", (r"\alpha", r"\beta", r"\gamma", r"\delta")) == "D"


def test_a_formula_in_a_box_gives_way_to_a_statement_behind_it() -> None:
    assert chosen("\\boxed{E = mc^2}\n\n**Answer: D**") == "D"
    assert chosen("**Answer: D**\n\n\\boxed{E = mc^2}") is None


TEN = tuple(f"the value {number}" for number in range(10, 20))


@pytest.mark.parametrize(
    "text", ["I", "I.", "I think", "So I", "Thus, I.", "The value is 18.\n\nI", "A or\nI"]
)
def test_the_pronoun_is_no_option(text: str) -> None:
    assert chosen(text, TEN) is None


@pytest.mark.parametrize("text", ["(I)", "The answer is I.", "So option I.", "Therefore (I)", r"\boxed{I}"])
def test_the_letter_i_with_a_mark_is_the_ninth_option(text: str) -> None:
    assert chosen(text, TEN) == "I"
