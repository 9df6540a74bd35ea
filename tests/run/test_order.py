"""Samples come first repeats first, then the longest first as far as is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from k2eval.engines.scripted import ScriptedEngine
from k2eval.journal import VERDICTS, read_lines
from k2eval.records import Outcome, Question, Request, SampleKey, Sampling, Verdict
from k2eval.run.lengths import EarlierLengths
from k2eval.run.order import Order, limit_of
from k2eval.run.plan import Assignment
from tests.scripted_runs import config, run


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def assignments(
    questions: Mapping[str, Iterable[str]], repeats: int = 2, limits: Mapping[str, int] | None = None
) -> list[Assignment]:
    limits = limits or {}
    return [
        Assignment(
            Question(task=task, id=question, messages=(), gold=None),
            repeat_index,
            Sampling(max_tokens=limits.get(task, 1000)),
            "1",
        )
        for task, ids in questions.items()
        for question in ids
        for repeat_index in range(repeats)
    ]


def verdict(task: str, question: str, tokens: int, repeat_index: int = 0, **fields: Any) -> Verdict:
    defaults: dict[str, Any] = {"outcome": Outcome.WRONG, "score": 0.0, "grader": "math/1"}
    return Verdict(
        **defaults | {"recipe_tokens": tokens} | fields,
        task=task,
        question_id=question,
        repeat_index=repeat_index,
    )


def drained(order: Order) -> list[str]:
    return [name(order.pop()) for _ in range(len(order))]


def name(assignment: Assignment) -> str:
    return f"{assignment.question.id}{assignment.repeat_index}"


def test_without_knowledge_the_repeats_come_in_turn_each_from_another_question_on() -> None:
    assert drained(Order(assignments({"t": "abc"}))) == ["a0", "b0", "c0", "c1", "a1", "b1"]


@pytest.mark.parametrize("replicas", [2, 4, 8])
def test_no_replica_gets_most_repeats_of_a_question_if_replicas_take_turns(replicas: int) -> None:
    """Else the one with the long questions ends last; 64 questions are a multiple of each number."""
    order = Order(assignments({"t": [f"{number}-" for number in range(64)]}, repeats=16))
    repeats = Counter((order.pop().question.id, turn % replicas) for turn in range(len(order)))
    assert max(repeats.values()) <= 2 * 16 / replicas


def test_first_repeats_of_a_task_with_a_higher_limit_come_first() -> None:
    work = assignments({"short": "a", "long": "bc"}, limits={"short": 100, "long": 1000})
    assert drained(Order(work)) == ["b0", "c0", "a0", "c1", "b1", "a1"]


def test_the_steps_of_a_question_count_before_anything_is_known() -> None:
    async def solver() -> None: ...

    assignment, *_ = assignments({"t": "a"})
    question = assignment.question.model_copy(update={"tags": {"steps": "3"}})
    assert limit_of(assignment) == 1000
    assert limit_of(Assignment(question, 0, assignment.sampling, "1", solver)) == 3000
    assert limit_of(Assignment(question, 0, assignment.sampling, "1")) == 1000


def test_once_siblings_are_finished_the_longest_question_comes_first() -> None:
    order = Order(assignments({"t": "abc"}))
    firsts = [order.pop() for _ in range(3)]
    for assignment, tokens in zip(firsts, (100, 900, 500), strict=True):
        order.end(assignment, tokens)
    assert drained(order) == ["b1", "c1", "a1"]


def test_the_order_is_decided_again_with_each_answer() -> None:
    order = Order(assignments({"t": "ab"}, repeats=3))
    first, second = order.pop(), order.pop()
    order.end(first, 400)
    order.end(second, 300)
    third = order.pop()
    assert name(third) == "a1"
    order.end(third, 10)
    assert drained(order) == ["b1", "b2", "a2"]


def test_a_sample_that_takes_long_tells_that_its_question_is_long() -> None:
    clock = Clock()
    order = Order(assignments({"t": [f"{number:02}-" for number in range(16)]}), clock=clock)
    firsts = [order.pop() for _ in range(16)]
    for clock.now, assignment in enumerate(firsts[:15], start=1):
        order.end(assignment, 100)
    clock.now = 100.0
    assert drained(order)[0] == "15-1"


def test_samples_that_have_just_begun_tell_nothing() -> None:
    clock = Clock()
    order = Order(assignments({"t": [f"{number:02}-" for number in range(16)]}, repeats=3), clock=clock)
    firsts = [order.pop() for _ in range(16)]
    clock.now = 10.0
    for assignment in firsts:
        order.end(assignment, 500 if assignment.question.id == "05-" else 100)
    assert drained(order)[:2] == ["05-1", "05-2"]


def test_a_failed_sample_tells_no_length() -> None:
    order = Order(assignments({"t": "ab"}, repeats=3))
    first, second = order.pop(), order.pop()
    order.end(first, None)
    order.end(second, 100)
    assert drained(order) == ["a1", "a2", "b1", "b2"]


def test_lengths_of_an_earlier_start_count() -> None:
    work = [assignment for assignment in assignments({"t": "abc"}) if assignment.repeat_index == 1]
    verdicts = [verdict("t", question, tokens) for question, tokens in zip("abc", (5, 50, 20), strict=True)]
    assert drained(Order(work, verdicts)) == ["b1", "c1", "a1"]


def test_a_question_without_an_answer_comes_first_when_a_run_goes_on() -> None:
    work = assignments({"t": "abc"}, repeats=3)
    failed = verdict("t", "c", 0, outcome=Outcome.ENGINE_ERROR, score=None)
    missing = [assignment for assignment in work if assignment.question.id == "c" or assignment.repeat_index]
    order = Order(missing, [verdict("t", "a", 900), verdict("t", "b", 100), failed])
    assert drained(order)[0] == "c0"


def test_an_earlier_run_tells_the_order_of_first_repeats_too() -> None:
    earlier = EarlierLengths([[verdict("t", "a", 10), verdict("t", "b", 90), verdict("t", "c", 30)]])
    assert drained(Order(assignments({"t": "abc"}, repeats=1), earlier=earlier)) == ["b0", "c0", "a0"]


def test_an_earlier_run_need_only_agree_in_which_questions_are_long() -> None:
    """The new run's answers are ten times as long, and a task that the earlier run lacks is of middle length."""
    earlier = EarlierLengths([[verdict("t", "a", 10), verdict("t", "b", 90), verdict("t", "c", 30)]])
    order = Order(assignments({"t": "abc"}, repeats=3), earlier=earlier)
    first = order.pop()
    assert name(first) == "b0"
    order.end(first, 900)
    assert drained(order) == ["c0", "a0", "b1", "b2", "c1", "c2", "a1", "a2"]


def test_siblings_in_time_outweigh_an_earlier_run() -> None:
    earlier = EarlierLengths([[verdict("t", "a", 40), verdict("t", "b", 60)]])
    lengths = [verdict("t", "a", 90, index) for index in range(6)]
    lengths += [verdict("t", "b", 30, index) for index in range(6)]
    work = [assignment for assignment in assignments({"t": "ab"}, repeats=8) if assignment.repeat_index >= 6]
    assert drained(Order(work, lengths, earlier)) == ["a6", "a7", "b6", "b7"]


def test_more_than_there_is_cannot_be_taken() -> None:
    order = Order(assignments({"t": "a"}, repeats=1))
    order.pop()
    assert not order
    with pytest.raises(IndexError, match="No sample is left"):
        order.pop()


Lengths = dict[tuple[str, str], list[int]]


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Assignment], Lengths, list[int]]:
    """Draw samples, the length of each, and the number of places that are free at each step."""
    shape = {task: [f"{task}{number}" for number in range(draw(st.integers(1, 5)))] for task in "tu"}
    repeats = draw(st.integers(1, 4))
    work = assignments(shape, repeats)
    tokens = st.lists(st.integers(1, 64_000), min_size=repeats, max_size=repeats)
    lengths = {(task, question): draw(tokens) for task, ids in shape.items() for question in ids}
    return work, lengths, draw(st.lists(st.integers(1, 7), min_size=1, max_size=20))


@settings(max_examples=60, deadline=None)
@given(runs())
def test_each_sample_comes_once_and_first_repeats_before_second_ones(
    drawn: tuple[list[Assignment], Lengths, list[int]],
) -> None:
    work, lengths, places = drawn
    clock = Clock()
    order = Order(work, clock=clock)
    taken: list[SampleKey] = []
    made: list[Assignment] = []
    step = 0
    while order:
        step += 1
        clock.now += 1.0
        while order and len(made) < places[step % len(places)]:
            made.append(order.pop())
            taken.append(made[-1].sample_key)
        ending = made.pop(step % len(made))
        key = ending.sample_key
        order.end(ending, lengths[key.task, key.question_id][key.repeat_index] if step % 5 else None)
    assert sorted(taken) == sorted(assignment.sample_key for assignment in work)
    firsts = len(lengths)
    assert len({(key.task, key.question_id) for key in taken[:firsts]}) == firsts


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 64_000), min_size=2, max_size=12, unique=True))
def test_once_all_siblings_are_known_the_longest_question_comes_first(tokens: list[int]) -> None:
    order = Order(assignments({"t": [f"{number}-" for number in range(len(tokens))]}))
    firsts = [order.pop() for _ in tokens]
    for assignment in firsts:
        order.end(assignment, tokens[int(assignment.question.id[:-1])])
    rest = [tokens[int(key.split("-")[0])] for key in drained(order)]
    assert rest == sorted(tokens, reverse=True)


def looks(questions: int, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return how often a length is estimated for each sample."""
    from k2eval.run.lengths import Lengths as Estimates

    count = 0
    expect = Estimates.expect

    def counted(self: Estimates, *args: Any) -> float:
        nonlocal count
        count += 1
        return expect(self, *args)

    monkeypatch.setattr(Estimates, "expect", counted)
    order = Order(assignments({"t": [f"{number}" for number in range(questions)]}, repeats=4))
    while order:
        order.end(order.pop(), 100)
    monkeypatch.undo()
    return count / (4 * questions)


@pytest.mark.parametrize("questions", [64, 1024])
def test_the_steps_of_a_sample_grow_with_the_logarithm(
    questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looks(questions, monkeypatch) <= 2 * math.log2(4 * questions)


def words(request: Request) -> str:
    return "word " * (50 if request.question_id.endswith("3") else 5) + "\\boxed{1}"


def asked(engine: ScriptedEngine) -> list[SampleKey]:
    return [SampleKey(each.task, each.question_id, each.repeat_index) for each in engine.requests]


async def test_a_run_asks_first_repeats_first_and_then_the_longest(tmp_path: Path) -> None:
    engine = ScriptedEngine(words, capacity=1)
    await run(config(tmp_path / "run", repeats=3), words, solver=engine)
    first, rest = asked(engine)[:6], asked(engine)[6:]
    assert {key.repeat_index for key in first} == {0}
    assert len({key.question_id for key in first}) == 6
    longest = [key for key in first if key.question_id.endswith("3")]
    assert [key.question_id for key in rest[:2]] == [longest[0].question_id] * 2


async def test_an_earlier_run_changes_the_order_and_nothing_else(tmp_path: Path) -> None:
    plain, ordered = (ScriptedEngine(words, capacity=1) for _ in range(2))
    await run(config(tmp_path / "plain"), words, solver=plain)
    settings = config(tmp_path / "ordered", lengths_from=(tmp_path / "plain",))
    await run(settings, words, solver=ordered)
    assert asked(ordered)[0].question_id.endswith("3")
    assert asked(ordered) != asked(plain)
    seeds = [{each.key: each.seed for each in engine.requests} for engine in (plain, ordered)]
    assert seeds[0] == seeds[1]
    assert sorted(lines(tmp_path / "plain")) == sorted(lines(tmp_path / "ordered"))
    again = config(tmp_path / "plain", lengths_from=(tmp_path / "ordered",), repeats=3)
    assert (await run(again, words)).generated == 6


def lines(out: Path) -> list[str]:
    return [each.to_line() for _, each in read_lines(out / VERDICTS, Verdict)]
