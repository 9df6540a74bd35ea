"""The protocols of others: every file is sound, and what a prompt asks for is what the grader reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import k2eval.protocols
from k2eval.cli import completion
from k2eval.config import TaskOverrides
from k2eval.errors import ConfigError
from k2eval.grading import grader_for
from k2eval.protocols import FIELDS, NAMES, Fact, Family, Protocol, protocol_named
from k2eval.recipes import recipe_for
from k2eval.records import Outcome
from k2eval.tasks import Item, load_tasks

PROBLEM = {"problem": "What is 3 + 4?", "starter_code": ""}
CHOICE = {"question": "Which is even?", "choices": "A. 3\nB. 4"}
ITEMS = {
    "math": Item("1", "7", PROBLEM),
    "choice": Item("1", "B", CHOICE, ("3", "4")),
    "code": Item("1", [], PROBLEM),
    "humaneval": Item("1", "", PROBLEM),
}
"""An item for each grader whose task has a prompt of its own."""
TASKS = {
    "math": ("aime25", "cmimc25", "apex25", "hmmt25", "math500", "omni_math_hard", "nano_math"),
    "choice": ("gpqa_diamond", "nano_choice"),
    "code": ("livecodebench", "livecodebench_v5", "nano_code"),
    "humaneval": ("humaneval",),
}
PAIRS = [(name, grader, task) for name in NAMES for grader, tasks in TASKS.items() for task in tasks]


def made(**fields: Any) -> Protocol:
    own: dict[str, Any] = {
        "name": "toy",
        "title": "Toy",
        "version": 1,
        "about": "a toy",
        "sources": {"page": "a page"},
        "families": [{"title": "all"}],
    }
    return Protocol.model_validate(own | fields)


def test_each_file_is_a_protocol_that_users_can_name() -> None:
    files = {path.stem for path in Path(k2eval.protocols.__file__).parent.glob("*.yaml")}
    assert files == set(NAMES) == set(completion.PROTOCOLS)
    assert [protocol_named(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_recipe_exists(name: str) -> None:
    recipe_for(str(protocol_named(name).recipe.value))


@pytest.mark.parametrize(("name", "grader", "task"), PAIRS)
def test_its_prompts_hold_the_question(name: str, grader: str, task: str) -> None:
    [loaded] = load_tasks([task], {task: TaskOverrides(protocol=name)})
    assert loaded.spec.grader == grader
    text = loaded.ask(ITEMS[grader]).messages[-1].content
    item = ITEMS[grader]
    assert str(item.fields.get("problem") or item.fields.get("question")) in text
    assert all(
        option in text.splitlines()[-3:] or f") {option}" in text or f". {option}" in text
        for option in item.options
    )


@pytest.mark.parametrize("name", NAMES)
def test_options_have_the_letters_of_their_places(name: str) -> None:
    [task] = load_tasks(["gpqa_diamond"], {"gpqa_diamond": TaskOverrides(protocol=name)})
    lines = task.ask(ITEMS["choice"]).messages[-1].content.splitlines()
    assert [line[0] + line[3:] for line in lines if line[1:3] in (") ", ". ")] == ["A3", "B4"]


@pytest.mark.parametrize("name", ["matharena", "simple-evals", "aa", "k2-think"])
def test_an_answer_in_the_asked_form_is_read(name: str) -> None:
    forms = {
        "Answer: X": "Steps.\n\nAnswer: {}",
        "Answer:": "Steps.\n\nAnswer: {}",
        "boxed": "Steps.\n\n\\boxed{{{}}}",
    }
    for grader, task, right, wrong in (("math", "math500", "7", "8"), ("choice", "gpqa_diamond", "B", "A")):
        [loaded] = load_tasks([task], {task: TaskOverrides(protocol=name)})
        question = loaded.ask(ITEMS[grader])
        asked = question.messages[-1].content.replace("It needs no \\boxed command.", "")
        form = next(answer for mark, answer in forms.items() if mark in asked)
        grade = grader_for(grader).grade
        assert grade(question, form.format(right), False).outcome is Outcome.CORRECT
        assert grade(question, form.format(wrong), False).outcome is Outcome.WRONG


def test_a_name_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="matharena"):
        protocol_named("math-arena")


def test_the_first_family_that_fits_counts_and_takes_the_common_facts() -> None:
    known = Fact(status="documented", value=0.5, source="page")
    families = (
        Family(
            title="contests",
            tasks=("aime*",),
            graders=("math",),
            facts={"repeats": Fact(status="documented", value=3, source="page")},
        ),
    )
    found = made(facts={"temperature": known}, families=families).for_task("aime25", "math")
    assert (found.sampling, found.repeats(16)) == ({"temperature": 0.5}, 3)


@pytest.mark.parametrize(("task", "grader"), [("gpqa_diamond", "choice"), ("aime25", "choice")])
def test_of_a_benchmark_without_a_family_nothing_is_known(task: str, grader: str) -> None:
    known = Fact(status="documented", value=0.5, source="page")
    found = made(
        facts={"temperature": known}, families=[Family(title="contests", tasks=("aime*",), graders=("math",))]
    )
    assert found.for_task(task, grader).sampling == {}
    assert set(found.for_task(task, grader).named("unknown")) == set(FIELDS) - {"options"}


def test_facts_carried_over_from_another_benchmark_are_inferred() -> None:
    known = Fact(status="documented", value=0.5, source="page")
    family = Family(title="other", carried_from="AIME", facts={"temperature": known})
    assert made(families=[family]).for_task("t", "math").named("inferred") == ("temperature",)


def test_words_alone_set_nothing() -> None:
    words = Fact(status="documented", words="by model", source="page")
    found = made(facts={"temperature": words}).for_task("t", "math")
    assert (found.sampling, found.told) == ({}, ("temperature",))


@pytest.mark.parametrize(
    "facts",
    [
        {"temperature": {"status": "unknown", "value": 1.0}},
        {"temperature": {"status": "documented", "value": 1.0}},
        {"temperature": {"status": "inferred", "source": "page"}},
        {"temperature": {"status": "documented", "value": 1.0, "source": "another"}},
        {"temperature": {"status": "documented", "value": -1.0, "source": "page"}},
        {"grader": {"status": "documented", "value": "math", "source": "page"}},
        {"heat": {"status": "unknown"}},
    ],
)
def test_a_fact_that_claims_too_much_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(facts=facts)
