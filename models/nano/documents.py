"""Questions into training documents: plain worked solutions for `base`, chat turns for `sft`."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import NamedTuple

from k2eval.recipes.prompts import judge_messages, plan_messages, with_plan
from k2eval.records import Message

from .item import Ask, Item, Solution
from .pen import CAREFUL, FLAWLESS, PLANNED_STUDENT, POOR, STUDENT, Habits
from .questions import KINDS, training_item

END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"

WEIGHTS = {"nano_math": 5, "nano_choice": 4, "nano_code": 3, "nano_science": 3}
STAGES = {"plain": 10, "plan": 2, "with_plan": 5, "judge": 5}


class Document(NamedTuple):
    """What is learned, and what stands before it."""

    prompt: str
    """Only read; empty for plain text."""
    reply: str
    """What the loss is taken over."""


def prompt_text(messages: Sequence[Message]) -> str:
    """The prompt as the chat template renders it, up to where the model goes on."""
    turns = "".join(f"<|im_start|>{m.role}\n{m.content}{END}\n" for m in messages)
    return f"{turns}<|im_start|>assistant\n"


def draw_item(rng: random.Random) -> Item:
    """A random training question, kinds weighted."""
    kind = rng.choices(KINDS, [WEIGHTS[k] for k in KINDS])[0]
    return training_item(kind, rng)


def plain_document(rng: random.Random) -> Document:
    """Language modelling on a worked solution, without the chat format."""
    ask = rng.choice(draw_item(rng).asks)
    solution = ask.solve(rng, Habits(careful=rng.choice((0.2, 0.5, 0.9))))
    question = ask.messages[-1].content
    plan = f"Plan:\n{ask.plan_text}\n\n" if rng.random() < 0.2 else ""
    text = f"{question}\n\n{plan}Solution:\n{solution.thinking}\n\nAnswer: {solution.answer.strip()}"
    return Document("", text + END_OF_TEXT)


def chat_document(rng: random.Random) -> Document:
    """A demonstration for `sft`: a student who slips now and then, a planner or a judge."""
    ask = rng.choice(draw_item(rng).asks)
    stage = rng.choices(list(STAGES), list(STAGES.values()))[0]
    return MAKERS[stage](rng, ask)


def solve_document(rng: random.Random, ask: Ask) -> Document:
    """The question, worked out by a student."""
    return Document(prompt_text(ask.messages), ask.solve(rng, STUDENT).reply + END)


def plan_document(rng: random.Random, ask: Ask) -> Document:
    """A plan, which does not say the answer."""
    return Document(prompt_text(plan_messages(ask.messages)), f"<plan>\n{ask.plan_text}\n</plan>{END}")


def with_plan_document(rng: random.Random, ask: Ask) -> Document:
    """The question with a plan, worked out by a student who hardly misreads."""
    prompt = prompt_text(with_plan(ask.messages, ask.plan_text))
    return Document(prompt, ask.solve(rng, PLANNED_STUDENT).reply + END)


def judge_document(rng: random.Random, ask: Ask) -> Document:
    """A right and a wrong response, compared by solving the problem again."""
    right, wrong = _solve_until(rng, ask, True), _solve_until(rng, ask, False)
    pair = [right, wrong]
    better = rng.randrange(2)
    if better == 1:
        pair.reverse()
    return judgement(rng, ask, [candidate(solution, rng) for solution in pair], better)


def judgement(rng: random.Random, ask: Ask, responses: Sequence[str], better: int) -> Document:
    """The prompt for two responses, and the judge's reply that names the ``better`` one."""
    prompt = prompt_text(judge_messages(ask.messages[-1].content, *responses))
    return Document(prompt, judge_reply(rng, ask, better) + END)


def judge_reply(rng: random.Random, ask: Ask, better: int) -> str:
    """Working, then the verdict, as the JSON object that the judge is asked for."""
    lines = ask.solve(rng, CAREFUL if rng.random() < 0.7 else FLAWLESS).thinking.split("\n")
    final = f" {ask.gold}" if "\n" not in ask.gold else " this"
    explanation = f"{'; '.join(lines)}; Response {better} says{final}."
    return json.dumps({"explanation": explanation, "index": better})


def candidate(solution: Solution, rng: random.Random) -> str:
    """What a judge sees of a response: what comes after the reasoning, with or without the answer tags."""
    return f"<answer>{solution.answer}</answer>" if rng.random() < 0.7 else solution.answer.strip()


def _solve_until(rng: random.Random, ask: Ask, right: bool) -> Solution:
    for attempt in range(12):
        solution = ask.solve(rng, STUDENT if attempt < 3 else POOR)
        if (solution.final == ask.gold) == right:
            return solution
    return ask.solve(rng, FLAWLESS)


MAKERS = {
    "plain": solve_document,
    "plan": plan_document,
    "with_plan": with_plan_document,
    "judge": judge_document,
}
