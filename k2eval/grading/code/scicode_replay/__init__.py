"""Judge by SciCode's tests without showing them to the judged program.

A test is Python text that calls the submission and compares with ``target``. It runs twice:

1. *Recording* (inside the sandbox, `recorder`): the text without every part that depends on ``target``
   (`reduce_tests`). The result of each call of the submission is emitted as plain data.
2. *Replay* (outside, `replay`): the unmodified text, with ``target`` bound, and with the submission's functions and
   classes replaced by stand-ins that give the recorded data. No code of the submission runs here. The replay has
   a process and limits of its own (`apart`).

So targets never enter the sandbox, and no comparison takes place where a submission could forge it.
"""

from k2eval.grading.code.scicode_replay.apart import ReplayFailed, ReplayLost, replay_apart
from k2eval.grading.code.scicode_replay.reduce import Unjudgeable, reduce_tests
from k2eval.grading.code.scicode_replay.replay import Judgement, replay
from k2eval.grading.code.scicode_replay.tape import recorder_driver

__all__ = [
    "Judgement",
    "ReplayFailed",
    "ReplayLost",
    "Unjudgeable",
    "recorder_driver",
    "reduce_tests",
    "replay",
    "replay_apart",
]
