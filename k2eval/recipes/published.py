"""K2-Think's pipeline as its published code runs it (K2-Think-Inference, main.py of September 2025).

Kept, mistakes included:

- two planner calls per candidate, of which the first may decide that no plan is needed;
- a champion scan in which the champion is always shown first, and only one order is asked;
- a judge that must name the winner before it explains, and whose instruction and schema name the key differently;
- a solver without top-p and stop string.

Not kept:

- ``guided_json``, which vLLM has removed; its successor constrains the same schema;
- the cut-off after 1,200 seconds, which made the choice depend on the machine's speed;
- the end of the whole run at one reply that is not JSON; such a reply is asked for again.

The wording is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from k2eval.errors import EngineError, EngineStopped
from k2eval.reasoning import Parts
from k2eval.recipes.answers import answer_of
from k2eval.recipes.candidates import Candidate, CandidateOrLost, Lost, all_of, notes_of, split, stage_of
from k2eval.recipes.judge import read_object, reply_of
from k2eval.recipes.planning import again
from k2eval.recipes.sample import Sample
from k2eval.records import Json, Message, Response, Sampling

ATTEMPTS = 3
_TAIL = 2_000

TOPICS_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "is_hard_problem": {"type": "boolean"},
        "plan": {"type": "string"},
        "search_list": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["is_hard_problem", "plan", "search_list"],
}

INDEX_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"index": {"type": "integer"}, "explanation": {"type": "string"}},
    "required": ["index", "explanation"],
}
"""The verdict's index comes first, as published."""

_JUDGE_SYSTEM = (
    "You judge answers strictly. You are given a question and two responses. Reply with a JSON object whose "
    'key "better_index" is 0 or 1, for the response that answers the question best.'
)


@dataclass(frozen=True, slots=True)
class Published:
    """The published pipeline with ``n`` candidates."""

    n: int = 3

    async def __call__(self, sample: Sample) -> Response:
        """Plan and solve each candidate, then let the champions meet one after another."""
        candidates, lost = split(await all_of(*(_candidate(sample, index) for index in range(self.n))))
        notes = notes_of(candidates, lost, self.n)
        marks = notes.pop("marks", [])
        champion, comparisons = candidates[0], []
        for challenger in candidates[1:]:
            named = await _judge(sample, champion, challenger)
            pair = [champion.index, challenger.index]
            champion = challenger if named == 1 else champion
            order = None if named is None else pair[named]
            comparisons.append(
                {"pair": pair, "winner": champion.index, "ground": "one order", "orders": [order]}
            )
            if named is None:
                marks.append(f"judge {pair[0]}-{pair[1]}: no usable verdict, the champion stays")
        return sample.select(
            champion.response,
            selected=champion.index,
            **notes,
            comparisons=comparisons,
            **({"marks": marks} if marks else {}),
        )


def _sampling(sample: Sample, **changes: Json) -> Sampling:
    """Return the published sampling, with no top-p and no stop string; the task's token budget is the only limit."""
    base = {"temperature": 1.0, "top_p": 1.0, "stop": (), "json_schema": None}
    return sample.sampling.model_copy(update={**base, **changes})


async def _candidate(sample: Sample, index: int) -> CandidateOrLost:
    own = replace(sample, generations=[], sampling=_sampling(sample))
    stage, marks = stage_of("solve", index), []
    try:
        ideas = None
        topics, usable = await _topics(own, stage_of("topics", index))
        if not usable:
            marks.append(f"{stage_of('topics', index)}: no usable topics, solved without a plan")
        if topics is not None:
            ideas = await _plan(own, stage_of("plan", index), topics)
        try:
            messages = None if ideas is None else _with_ideas(sample.question.messages, ideas)
            response = await own.solve(stage, messages)
        except EngineStopped:
            raise
        except EngineError as error:
            return Lost(index, stage, error)
    finally:
        sample.generations.extend(own.generations)
    answer = answer_of(sample.question, response)
    response = own.select(response, plan=ideas is not None, **({"marks": marks} if marks else {}))
    return Candidate(index, response, answer.text, answer.vote)


async def _topics(sample: Sample, stage: str) -> tuple[list[str] | None, bool]:
    """Return the topics to look up (None if the problem is not hard), and whether a reply was usable."""
    prompt = (
        "Decide first whether this is a hard problem of mathematics, science or programming, or one that "
        "needs facts you would have to look up. If it is, make a plan, and a JSON list of at most four things "
        f"to search for that would help to solve it:\n\n{sample.problem}\n\nUseful things to search for look "
        'like "criteria for the convergence of power sums" or "inclusion and exclusion in counting proofs".'
    )
    sampling = sample.sampling_for("planner", _sampling(sample, json_schema=TOPICS_SCHEMA))
    for attempt in range(ATTEMPTS):
        generation = await sample.generate(
            again(stage, attempt), (_user(prompt),), sampling=sampling, role="planner"
        )
        reply = read_object(reply_of(sample, generation, "planner"))
        if reply is not None and isinstance(reply.get("is_hard_problem"), bool):
            topics = reply.get("search_list")
            if not reply["is_hard_problem"]:
                return None, True
            if isinstance(topics, list):
                return [str(topic) for topic in topics], True
    return None, False


async def _plan(sample: Sample, stage: str, topics: Sequence[str]) -> str:
    prompt = (
        f"Here are a question and some topics that may help:\n<question>{sample.problem}</question>\n"
        f"<topics>{list(topics)}</topics>\nUse the topics to make a plan for solving the question. Do NOT "
        "disclose the final answer or a possible one, and give no hint of it. Put the plan between <plan> and "
        "</plan>."
    )
    sampling = _sampling(sample, thinking=False)
    generation = await sample.generate(
        stage, (_user(prompt),), sampling=sample.sampling_for("planner", sampling), role="planner"
    )
    parts = sample.parts(generation, "planner")
    text = parts.answer if parts.complete else generation.text
    if "</plan>" in text:
        text = text.split("</plan>")[-2].rpartition("<plan>")[2]
    return text


def _with_ideas(messages: Sequence[Message], ideas: str) -> tuple[Message, ...]:
    *before, last = messages
    content = (
        f"<question>{last.content}</question>\nHere are some ideas that may help:\n<ideas>{ideas}</ideas>\n"
        "They may or may not lead to the solution. Now answer the question."
    )
    return (*before, Message(role=last.role, content=content))


async def _judge(sample: Sample, champion: Candidate, challenger: Candidate) -> int | None:
    """Ask the published judge, and return its index: 0 for the champion, None if no reply was usable."""
    content = f"Question: {sample.problem}\nResponse 0: {_shown(champion)}\nResponse 1: {_shown(challenger)}"
    sampling = sample.sampling_for("judge", _sampling(sample, json_schema=INDEX_SCHEMA))
    messages = (Message(role="system", content=_JUDGE_SYSTEM), _user(content))
    for attempt in range(ATTEMPTS):
        stage = again(f"judge.{champion.index}-{challenger.index}", attempt)
        generation = await sample.generate(stage, messages, sampling=sampling, role="judge")
        index = (read_object(reply_of(sample, generation, "judge")) or {}).get("index")
        if isinstance(index, int):
            return int(index == 1)  # the schema allows any number; only 1 is the challenger's
    return None


def _shown(candidate: Candidate) -> str:
    text = candidate.response.text
    parts = Parts.of(candidate.response)
    if parts.complete and parts.answer != text:
        return parts.answer
    return f"There is no answer. The solution attempt ended with these words: {text[-_TAIL:]}"


def _user(content: str) -> Message:
    return Message(role="user", content=content)
