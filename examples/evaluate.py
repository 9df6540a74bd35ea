"""Evaluate a model from Python, and look at what came out.

python examples/evaluate.py                  a script plays the model: seconds, no GPU
python examples/evaluate.py models/nano/rl   a real checkpoint through vLLM
"""

from __future__ import annotations

import sys

import k2eval

KNOWN = {"strawberry": "3", "BALLOON": "1260", "A baker fills": "73"}


def poor_student(request: k2eval.Request) -> str:
    """Play a model that knows three answers by heart and guesses the others."""
    problem = request.messages[-1].content
    answer = next((answer for words, answer in KNOWN.items() if words in problem), "42")
    return f"<think>Let me remember.</think>\\boxed{{{answer}}}"


def main() -> None:
    """Evaluate the checkpoint of the first argument, or else the script."""
    if len(sys.argv) > 1:
        run = k2eval.evaluate(sys.argv[1], tasks="nano_math", limit=20, repeats=2, out="runs/example")
    else:
        engine = k2eval.ScriptedEngine(poor_student, name="poor-student")
        run = k2eval.evaluate(tasks="smoke", repeats=2, engine=engine, out="runs/example-scripted")

    print(run)  # every score with its interval and its denominators

    verdicts = run.verdicts()  # a row for each sample
    print(verdicts.groupby("outcome").size())

    for key in sorted(run.responses)[:2]:
        response = run.responses[key]
        print(f"{key.question_id}, repeat {key.repeat_index}: {response.verdict.outcome}: {response.text}")


if __name__ == "__main__":  # vLLM starts processes that import this file
    main()
