import json
import random

import pytest

from models.nano.documents import END, MAKERS, chat_document, draw_item, judge_document, plain_document
from models.nano.rewards import JUDGE, Try, reward, verdict


@pytest.mark.parametrize("stage", sorted(MAKERS))
def test_a_reply_ends_with_the_end_token_alone(stage: str) -> None:
    rng = random.Random(3)
    for _ in range(100):
        document = MAKERS[stage](rng, rng.choice(draw_item(rng).asks))
        assert document.reply.count(END) == 1
        assert document.reply.endswith(END)
        assert document.prompt.endswith("<|im_start|>assistant\n")


def test_a_judgement_is_the_object_that_the_judge_is_asked_for() -> None:
    rng = random.Random(4)
    for _ in range(200):
        reply = judge_document(rng, rng.choice(draw_item(rng).asks)).reply.removesuffix(END)
        assert list(json.loads(reply)) == ["explanation", "index"]


def test_judgements_name_both_places_about_equally_often() -> None:
    rng = random.Random(5)
    named = [
        verdict(judge_document(rng, rng.choice(draw_item(rng).asks)).reply.removesuffix(END))
        for _ in range(400)
    ]
    assert 140 < sum(index == 1 for index in named) < 260


def test_documents_depend_on_the_seed_alone() -> None:
    for make in (plain_document, chat_document):
        assert make(random.Random(6)) == make(random.Random(6))


def test_base_never_sees_the_chat_format() -> None:
    rng = random.Random(7)
    for _ in range(300):
        document = plain_document(rng)
        assert document.prompt == ""
        assert "<|im_start|>" not in document.reply
        assert "<think>" not in document.reply


@pytest.mark.parametrize(
    ("kind", "gold", "reply", "right"),
    [
        ("nano_math", "42", "<think>\n</think>\n<answer>6*7=42. \\boxed{42}</answer>", 1.0),
        ("nano_math", "42", "<think>\n</think>\n<answer>6*7=43. \\boxed{43}</answer>", 0.0),
        ("nano_math", "42", "<think>\n6*7=42 \\boxed{42}", 0.0),
        ("nano_choice", "B", "<think>\n</think>\n<answer>B is 3. \\boxed{B}</answer>", 1.0),
        ("nano_code", "x = 1", "<think>\n</think>\n<answer>\n```python\nx  =  1\n```\n</answer>", 1.0),
        ("nano_code", "x = 1", "<think>\n</think>\n<answer>\n```python\nx = 2\n```\n</answer>", 0.0),
        ("nano_code", "x = 1", "<think>\n</think>\n<answer>\n```python\nx = (\n```\n</answer>", 0.0),
        (JUDGE, "1", '{"explanation": "because", "index": 1}', 1.0),
        (JUDGE, "1", '{"explanation": "because", "index": 0}', 0.0),
        (JUDGE, "1", "index 1", 0.0),
    ],
)
def test_rewards(kind: str, gold: str, reply: str, right: float) -> None:
    assert reward(Try(kind, gold, reply)) == right
