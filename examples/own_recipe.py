"""A recipe of your own: answer, check, answer again. A script plays the model, which is right at the second look.

The command line takes the recipe too, from this folder:

    k2eval run --recipe own_recipe:second_look --model models/nano/rl --tasks smoke --out runs/second-look
"""

from __future__ import annotations

import re
from pathlib import Path

import k2eval

SUMS = Path(__file__).parent / "own_task"


async def second_look(sample: k2eval.Sample) -> k2eval.Response:
    """Answer, look once more, answer again."""
    first = await sample.solve("solve")
    doubt = "Check this step by step. Then give the final answer again, corrected if needed."
    turns = (
        *sample.question.messages,
        k2eval.Message(role="assistant", content=sample.parts(first).answer),
        k2eval.Message(role="user", content=doubt),
    )
    second = await sample.solve("solve.second", turns)
    return sample.select(second, first=first.selected)


def hasty(request: k2eval.Request) -> str:
    """Play a model that forgets the carry unless it is asked to check."""
    problem = next(message.content for message in request.messages if message.role == "user")
    left, right = (int(number) for number in re.findall(r"\d+", problem)[:2])
    carries = left % 10 + right % 10 > 9
    checks = request.messages[-1].content.startswith("Check")
    return f"\\boxed{{{left + right - (10 if carries and not checks else 0)}}}"


def main() -> None:
    """Compare the recipe with a single answer."""
    engine = k2eval.ScriptedEngine(hasty, name="hasty")
    plain = k2eval.evaluate(tasks="sums", include_path=SUMS, engine=engine, out="runs/plain", progress=False)
    twice = k2eval.evaluate(
        tasks="sums",
        include_path=SUMS,
        engine=engine,
        recipe=second_look,
        reuse=plain.folder,  # the first answers are the same, so they are taken over
        out="runs/second-look",
        progress=False,
    )
    print(k2eval.compare_runs(plain, twice))


if __name__ == "__main__":
    main()
