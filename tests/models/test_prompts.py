"""What the tasks ask is what k2-nano was trained on."""

import pytest

from k2eval.recipes.prompts import scicode_messages
from k2eval.tasks.data import load_questions
from k2eval.tasks.scicode import problem_of
from k2eval.tasks.task import load_tasks
from models.nano.item import SYSTEM
from models.nano.nano_choice import render
from models.nano.questions import KINDS, test_items

test_items.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_has_its_hundred_questions(kind: str) -> None:
    (task,) = load_tasks([kind])
    assert load_questions(task, data=None).available == 100


@pytest.mark.parametrize("kind", ["nano_math", "nano_code"])
def test_the_prompt_of_a_task_is_the_prompt_of_training(kind: str) -> None:
    (task,) = load_tasks([kind])
    asked = {question.messages for question in load_questions(task, data=None).questions()}
    assert asked == {item.asks[0].messages for item in test_items(kind)}


def test_options_are_shown_as_in_training() -> None:
    (task,) = load_tasks(["nano_choice"])
    for question, item in zip(
        load_questions(task, data=None).questions(), test_items("nano_choice"), strict=True
    ):
        assert question.messages[0].content == SYSTEM
        assert question.messages[1].content == render(item.row["question"], question.options)


def test_steps_are_asked_as_in_training() -> None:
    (task,) = load_tasks(["nano_science"])
    for question, item in zip(
        load_questions(task, data=None).questions(), test_items("nano_science"), strict=True
    ):
        problem = problem_of(question)
        steps = question.metadata["problem"]["sub_steps"]
        earlier = [ask.gold for ask in item.asks]
        for number, ask in enumerate(item.asks):
            asked = scicode_messages(
                SYSTEM,
                steps,
                earlier[:number],
                problem.required_dependencies,
                background=question.metadata["background"],
            )
            assert asked == ask.messages
