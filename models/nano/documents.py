"""Questions -> training documents: plain worked solutions for `base`, chat turns for `sft`."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import NamedTuple

from k2eval.recipes import judge_messages, plan_messages, with_plan
from k2eval.records import Message

from .item import BASE_LEVELS, LEVELS, Ask, Item, Solution
from .nano_choice import gap
from .pen import CAREFUL, FLAWLESS, PLANNED_STUDENT, POOR, STUDENT, Habits
from .questions import KINDS, training_item

END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"

WEIGHTS = {"nano_math": 5, "nano_choice": 4, "nano_code": 3, "nano_science": 3}
STAGES = {"plain": 10, "plan": 2, "with_plan": 4, "judge": 7}


class Document(NamedTuple):
    """A text to learn, and the prompt before it."""

    prompt: str
    """Only read; empty for plain text."""
    reply: str
    """The text that the loss is taken over."""


def prompt_text(messages: Sequence[Message]) -> str:
    """Render the prompt as the chat template does, up to the place where the model continues."""
    turns = "".join(f"<|im_start|>{m.role}\n{m.content}{END}\n" for m in messages)
    return f"{turns}<|im_start|>assistant\n"


def draw_item(rng: random.Random, levels: tuple[int, ...] = LEVELS) -> Item:
    """Draw a training question, with weighted kinds."""
    kind = rng.choices(KINDS, [WEIGHTS[k] for k in KINDS])[0]
    return training_item(kind, rng, levels)


def plain_document(rng: random.Random) -> Document:
    """Make a document for language modelling: a worked solution without the chat format."""
    ask = rng.choice(draw_item(rng, BASE_LEVELS).asks)
    solution = ask.solve(rng, Habits(careful=rng.choice((0.2, 0.5, 0.9))))
    question = ask.messages[-1].content
    plan = f"Plan:\n{ask.plan_text}\n\n" if rng.random() < 0.2 else ""
    text = f"{question}\n\n{plan}Solution:\n{solution.thinking}\n\nAnswer: {solution.answer.strip()}"
    return Document("", text + END_OF_TEXT)


def chat_document(rng: random.Random) -> Document:
    """Make a demonstration for `sft`: of a student who slips now and then, a planner or a judge."""
    ask = rng.choice(draw_item(rng).asks)
    stage = rng.choices(list(STAGES), list(STAGES.values()))[0]
    return MAKERS[stage](rng, ask)


def solve_document(rng: random.Random, ask: Ask) -> Document:
    """Make a question that a student works out."""
    return Document(prompt_text(ask.messages), ask.solve(rng, STUDENT).reply + END)


def plan_document(rng: random.Random, ask: Ask) -> Document:
    """Make a plan, which does not state the answer."""
    return Document(prompt_text(plan_messages(ask.messages)), f"<plan>\n{ask.plan_text}\n</plan>{END}")


def with_plan_document(rng: random.Random, ask: Ask) -> Document:
    """Make a question with a plan that a student works out who hardly misreads."""
    prompt = prompt_text(with_plan(ask.messages, ask.plan_text))
    return Document(prompt, ask.solve(rng, PLANNED_STUDENT).reply + END)


def judge_document(rng: random.Random, ask: Ask) -> Document:
    """Make a comparison of a right and a wrong response, by solving the problem again."""
    pair = [_solve_until(rng, ask, True), _solve_until(rng, ask, False)]
    rng.shuffle(pair)
    prompt = prompt_text(judge_messages(ask.messages[-1].content, *(candidate(s, rng) for s in pair)))
    return Document(prompt, judge_reply(rng, ask, pair) + END)


def judge_reply(rng: random.Random, ask: Ask, pair: Sequence[Solution]) -> str:
    """Return the checks, then the verdict, as the JSON object that the judge is asked for."""
    right = ask.solve(rng, CAREFUL)
    if ask.stages:
        parts = [_check_stages(ask, right, solution, i) for i, solution in enumerate(pair)]
    else:
        parts = right.thinking.split("\n")
        parts += [f"Response {i} says {_against(s.claims[0], right.claims[0])}" for i, s in enumerate(pair)]
    better = next((i for i, solution in enumerate(pair) if solution.final == ask.gold), 0)
    return json.dumps({"explanation": "; ".join(parts) + ".", "index": better})


def _against(claim: str, right: str) -> str:
    """Write a claim beside the right one, and whether the two agree."""
    word = "right" if claim == right else "wrong"
    beside = gap(int(claim), int(right)) if claim.lstrip("-").isdigit() else f"{claim} against {right}"
    return f"{beside}, {word}"


def _check_stages(ask: Ask, right: Solution, solution: Solution, index: int) -> str:
    """Write the stages of one response, each with its task, up to the first wrong one."""
    checks = []
    for text, want, got in zip(ask.stages, right.claims, solution.claims, strict=True):
        checks.append(f"{text}: {got}, {'right' if got == want else 'wrong'}")
        if got != want:
            break
    return f"Response {index}: {'; '.join(checks)}"


def candidate(solution: Solution, rng: random.Random) -> str:
    """Return the part of a response that a judge sees: the answer, with or without its tags."""
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
