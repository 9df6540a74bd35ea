"""Marks that reasoning only speaks of, told from those that end it, in the phrases that models write."""

import pytest

from k2eval.reasoning import split

SPOKEN_OF = [
    "I'll put my reasoning in <think></think> tags and the answer in <answer></answer>.",
    "I must end with </think>. Then",
    "After </think>, I give the answer.",
    "Then </think>, then the box.",
    "closing </think>: so",
    "must not forget </think>! Then",
    "(i.e., </think>) so",
    "so </think> comes last",
    "the closing tag is </think>.",
    "The tag is: </think>",
    "The format: <think> ... </think> <answer> ... </answer>",
    "The format: <think>...</think><answer>...</answer>",
    'Format is "<think>\n...\n</think>\n\n<answer>...</answer>".',
    "They say: put thoughts between `<think>` and `</think>`.",
    'I need to write "</think>" first.',
    "do I emit </think>? Not yet.",
    "it said '<think> reasoning process here </think>'.",
    "The assistant's output after </think> is what counts.",
    "Once I hit </think>, I can't go back.",
    "the </think>-delimited part",
    "the </think>'s position",
    "e.g. </think>",
    "Ich schließe mit dem </think>-Tag und",
    "je dois fermer avec la balise </think> puis",
    "debo cerrar con la etiqueta </think> y luego",
    "нужно закрыть тегом </think> и",
    "用</think>来结束",
    "最后写上</think>然后",
    '以"</think>"结尾',
    "标签是</think>。",
    "在</think>之后给出答案",
    "我需要在</think>后面写答案",
    "</think>标签之后",
    "</think> の後に答え",
    "</think>タグの後",
    "- reasoning: <think>…</think>\n- answer: <answer>…</answer>",
    "I should produce:\n<think>\nreasoning\n</think>\nanswer",
    "The user wants:\n> <think>\n> text\n> </think>",
    "```\n<think>\nreasoning\n</think>\n```",
    "it's like <think>\n(reasoning)\n</think>\n<answer>\n(answer)\n</answer>",
    "Format:\n\n    <think>\n    my reasoning\n    </think>\n    <answer>8</answer>\n",
]

ENDS = [
    "It is 8.</think>8",
    "So 8\n</think>\n8",
    "Thus f(x) = `8`</think>\n8",
    "OK so the answer is (8)</think>(8)",
    "so the answer is A </think> A",
    "That is it!</think>8",
    "I used the <think> tag.\n</think>\n8",
    "They want <think> tags. So 8.</think>8",
    "They asked for the tags <think>\nand so on, so I did.\n</think>\n8",
    'It is "8"</think>"8"',
    "I will write the</think>8",
    "Let me give the answer. </think> The answer is 8",
    "Let me give the answer. </think> the answer is 8",
    "Let me give the answer </think> The answer is 8",
    "I'm ready to answer </think>\n\n8",
    "所以答案是8</think>8",
    "答案可用</think>8",
    "x in</think>8",
    "done </think>and 8",
    "Okay.\n<think>\nLet me compute carefully this sum of numbers one by one with all carries.\n</think>\n8",
    "it ends with **8**</think>**8**",
    "the set is (</think>\n\n8",
    "the value of\n</think>\n\n8",
    "so</think>-8",
    "so</think>-x",
    "so</think>.5",
    "\\]</think>\\[8\\]",
    "= 8$</think>$8$",
    "```\ncode\n```</think>```python\nx\n```",
    "verify:\n- 1\n- 2\n</think>\n- so 8",
    "thus 8 </think> \\boxed{8}",
    "fine。</think>答案是8",
    "好的</think>之和为8",
]


@pytest.mark.parametrize("words", SPOKEN_OF)
def test_a_guess_behind_a_mark_that_is_spoken_of_is_no_answer(words: str) -> None:
    assert not split(f"<think>Hm. {words} \\boxed{{8}} maybe").complete


@pytest.mark.parametrize("words", SPOKEN_OF)
def test_the_end_that_follows_is_found(words: str) -> None:
    answer = split(f"<think>Hm. {words} \\boxed{{7}} maybe.\n</think>\n\n\\boxed{{8}}").answer
    assert answer.strip() == "\\boxed{8}"


@pytest.mark.parametrize("words", ENDS)
def test_an_end_is_an_end(words: str) -> None:
    parts = split(f"<think>Hm, {words}")
    assert parts.complete
    assert parts.answer == words.rpartition("</think>")[2]
