"""A sample over a script, for tests of recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k2eval.engines.scripted import ScriptedEngine
from k2eval.recipes.sample import Sample
from k2eval.records import ROLES, Generation, Message, Question, Request, Role, Sampling

QUESTION = Question(
    task="sums",
    id="q1",
    grader="math",
    messages=(
        Message(role="system", content="Be careful."),
        Message(role="user", content="What is 6 times 7?"),
    ),
    gold="42",
)


def boxed(answer: object) -> str:
    return f"<think>hm</think>The answer is \\boxed{{{answer}}}."


def verdict(index: object) -> str:
    return f'{{"explanation": "checked", "index": {index}}}'


class Asked:
    """Answers from a script and remembers who was asked."""

    def __init__(self, script: Callable[[Request], str]) -> None:
        self.engine = ScriptedEngine(script)
        self.roles: dict[str, Role] = {}

    async def __call__(self, request: Request, role: Role) -> Generation:
        self.roles[request.stage] = role
        return await self.engine.generate(request)

    @property
    def stages(self) -> list[str]:
        return sorted(request.stage for request in self.engine.requests)

    def request(self, stage: str) -> Request:
        [result] = [request for request in self.engine.requests if request.stage == stage]
        return result


def sample_of(ask: Asked, question: Question = QUESTION, **fields: Any) -> Sample:
    return Sample(
        question=question,
        repeat_index=0,
        sampling=fields.pop("sampling", Sampling()),
        run_seed=0,
        task_version="1",
        fingerprints=dict.fromkeys(ROLES, "print"),
        ask=ask,
        **fields,
    )


def answering(*answers: object, judge: Callable[[Request], str] | None = None) -> Asked:
    """Candidates answer in turn; the planner and the judge have something to say."""

    def script(request: Request) -> str:
        step, _, index = request.stage.partition("-")
        if request.stage.startswith("judge"):
            assert judge is not None, "no judge was expected"
            return judge(request)
        if step.startswith("plan"):
            return "<plan>Multiply.</plan>"
        answer = answers[int(index or 0)]
        if isinstance(answer, Exception):
            raise answer
        return "<think>never ends" if answer is None else boxed(answer)

    return Asked(script)
