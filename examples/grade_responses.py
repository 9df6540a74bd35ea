"""Grade responses that were made elsewhere, one by one.

For a file with many responses, `k2eval score responses.jsonl --out graded.jsonl --grader math` is faster.
"""

from __future__ import annotations

import k2eval

CITIES = ["London", "Paris", "Rome", "Oslo"]


def main() -> None:
    """Grade mathematics, a choice, and the answer to a question of a task."""
    for response, gold in [
        (r"<think>Half of it.</think>So the answer is \boxed{50\%}.", r"\frac12"),
        (r"\boxed{x^2 + 2x + 1}", "(x+1)^2"),
        (r"\boxed{\{3, 1, 2\}}", r"\{1, 2, 3\}"),
        (r"\boxed{0.33}", r"\frac13"),
        ("I cannot tell.", "7"),
    ]:
        grade = k2eval.grade(response, gold=gold)
        print(f"gold {gold:12} outcome {grade.outcome:10} answer {grade.extracted}")

    choice = k2eval.grade(
        "The city of light, so the answer is (B).", gold="Paris", grader="choice", options=CITIES
    )
    print(f"gold {'Paris':12} outcome {choice.outcome:10} answer {choice.extracted}")

    smoke = k2eval.grade(r"\boxed{1}", task="smoke", question_id="smoke-01")
    print(f"smoke-01          outcome {smoke.outcome:10} answer {smoke.extracted}")


if __name__ == "__main__":
    main()
