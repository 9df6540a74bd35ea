"""The prompts of a run, stage by stage, before anything starts: recipes are played with made-up answers."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from k2eval.engines import Previews
from k2eval.errors import ConfigError, K2EvalError, NoResponse, RecipeFailed
from k2eval.recipes import Recipe, judged
from k2eval.records import SWITCHES, Generation, Grade, Json, Outcome, Question, Request, Role
from k2eval.run.engines import RoleEngines
from k2eval.run.plan import Assignment, Work, verdict_of

CANDIDATES = 2
"""Candidates for a preview; two of them reach every stage of a recipe."""
_MOST = 200
"""Requests after which the preview of a recipe stops."""


class Asked(NamedTuple):
    """One request of a recipe."""

    role: Role
    request: Request

    @property
    def step(self) -> str:
        """Name of the stage without the numbers of candidates, steps and attempts."""
        return re.split(r"[.-]\d", self.request.stage)[0]


class _Enough(K2EvalError):
    """The recipe sent more requests than a preview shows."""


async def rehearse(work: Work, engines: RoleEngines, assignments: Iterable[Assignment]) -> list[Asked]:
    """Return what the first question of each task is asked, and have the engines show each prompt.

    Args:
        work: The samples to make, and their settings.
        engines: Not started yet.
        assignments: The samples to be made.

    Raises:
        ConfigError: If a prompt cannot be written, or a switch of thinking that the user set has no effect.
    """
    firsts = {assignment.question.task: assignment for assignment in reversed(list(assignments))}
    asked = [entry for assignment in firsts.values() for entry in await stages(work, engines, assignment)]
    seen = set()
    for role, request in asked:
        engine = engines[role]
        key = (role, request.messages, request.sampling.to_line(), request.begun is None)
        if isinstance(engine, Previews) and key not in seen:
            seen.add(key)
            try:
                engine.preview(request, switches_set_by_user(work, role, request))
            except ConfigError as error:
                raise ConfigError(f"{request.task}, stage {request.stage} ({role}): {error}") from error
    return asked


async def stages(work: Work, engines: RoleEngines, assignment: Assignment) -> list[Asked]:
    """Return all that a recipe asks about one sample, until the answers that are made up lead no further.

    Raises:
        ConfigError: If a recipe or a solver of the user's returns no response, or fails before it asks anything.
    """
    asked: list[Asked] = []
    numbers = count()

    async def ask(request: Request, role: Role) -> Generation:
        if len(asked) >= _MOST:
            raise _Enough("enough was asked")
        asked.append(Asked(role, request))
        text = _answer(assignment.question, role, request, next(numbers))
        return Generation.answering(
            request,
            text=text,
            finish_reason="stop",
            prompt_tokens=1,
            output_tokens=request.sampling.max_tokens,  # the longest, which leads to the stages of long answers
            duration_s=0.0,
        )

    try:
        sample = assignment.sample(work.config.seed, engines.fingerprints, ask, engines.reasoning)
        response = await work.respond_by(_short(work.recipe), sample)
        if work.answer_judged:
            by_judge = "decided_by" in assignment.question.metadata
            verdict = verdict_of(
                assignment, response, Grade.of(Outcome.UNDECIDED if by_judge else Outcome.WRONG)
            )
            await judged(
                assignment.sample(work.config.seed, engines.fingerprints, ask, engines.reasoning),
                response,
                verdict,
            )
    except NoResponse as error:
        raise ConfigError(str(error)) from error
    except K2EvalError as error:
        # A recipe of the user's may stumble over answers that are made up; the run itself will tell.
        if isinstance(error, RecipeFailed) and not asked:
            raise ConfigError(f"{error} It asked nothing before.") from error
    return asked


def _short(recipe: Recipe) -> Recipe:
    many = getattr(recipe, "n", None)
    if (
        dataclasses.is_dataclass(recipe)
        and not isinstance(recipe, type)
        and isinstance(many, int)
        and many > CANDIDATES
    ):
        return dataclasses.replace(recipe, n=CANDIDATES)
    return recipe


def _answer(question: Question, role: Role, request: Request, number: int) -> str:
    """Return an answer that leads on: candidates that differ, a usable plan, a usable verdict."""
    if role == "solver":
        answer = "AB"[number % 2] if question.options else str(number)
        return f"```python\nanswer = {number}\n```\n\\boxed{{{answer}}}"
    schema = request.sampling.json_schema
    if role == "planner" and schema is None:
        return "<plan>Think step by step.</plan>"
    properties: dict[str, Json] = (schema or {}).get("properties", {})
    return json.dumps({name: _value(entry) for name, entry in properties.items()})


def _value(entry: Json) -> Json:
    kind = entry.get("type") if isinstance(entry, dict) else None
    return {"boolean": True, "integer": 0, "number": 0, "array": ["x"]}.get(str(kind), "x")


def switches_set_by_user(work: Work, role: Role, request: Request) -> list[str]:
    """Return the switches of thinking in a request that the user set, unlike a recipe."""
    config = work.config
    own = config.overrides_of(request.task).sampling if role == "solver" else config.role_sampling(role)
    return [name for name in SWITCHES if own.get(name) is not None]
