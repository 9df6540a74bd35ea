"""HumanEval as its authors run it: prompt, completion and test as one program, in k2eval's sandbox.

The test stands beside the program, as there, so a program could read it. This is what other harnesses do.
"""

from __future__ import annotations

from k2eval.grading.code import programs
from k2eval.records import Grade, Json, Outcome, digest
from k2eval.sandbox import Limits, RunOutcome

LIMITS = Limits(cpu_s=3.0, wall_s=12.0, patient=False)
"""The authors give 3 s; here of processor time, since this machine may be busy."""


LONGER = Limits(cpu_s=10.0, wall_s=30.0, patient=False)
"""Of harnesses that give 10 s."""


def run(gold: Json, completion: str, how: str, limits: Limits = LIMITS) -> Grade:
    """Grade a completion of HumanEval's prompt."""
    end = digest(gold["entry_point"], completion)
    program = f"{gold['prompt']}{completion}\n{gold['test']}\ncheck({gold['entry_point']})\nprint({end!r})\n"
    [result] = programs.box(programs.profile_for(program)).run_batch(program, [b""], limits=limits)
    passed = result.outcome is RunOutcome.OK and result.stdout.decode(errors="replace").rstrip().endswith(end)
    ended = programs.OUTCOMES[result.outcome]
    outcome = Outcome.CORRECT if passed else Outcome.WRONG if ended is Outcome.CORRECT else ended
    return Grade.of(outcome, programs.shown(completion), how=how, why=programs.last_words(result)[:200])
