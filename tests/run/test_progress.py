"""What is printed while a run goes on, where there is no terminal."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k2eval.engines.protocol import EngineInfo
from k2eval.engines.scripted import ScriptedEngine
from k2eval.records import ROLES, Outcome, SampleKey, Verdict
from k2eval.run import progress as module
from k2eval.run.progress import Progress
from k2eval.run.session import Session
from k2eval.run.time_left import TimeLeft
from tests.run.records import generation


class Starting(ScriptedEngine):
    """An engine that tells what it does while it starts."""

    stage = "importing"

    @property
    def info(self) -> EngineInfo:
        return super().info.model_copy(update={"stage": self.stage, "log": Path("runs/x/engine.log")})


def printed(console: Console) -> str:
    file: Any = console.file
    return str(file.getvalue())


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=160)


def test_a_start_shows_where_its_log_is_and_what_the_engine_does_now(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.01)
    engine = Starting(lambda request: "")
    with Progress({"t": 1}, console, Session()).starting(engine):
        time.sleep(0.1)
        engine.stage = "loading weights"
        until = time.monotonic() + 100
        while "loading" not in printed(console) and time.monotonic() < until:
            time.sleep(0.01)
    lines = re.sub(r"\d+:\d\d", "0:00", printed(console)).splitlines()
    assert lines[0] == "Starting scripted … Its log: runs/x/engine.log"
    assert lines[1] == "Starting scripted, 0:00: loading weights."
    assert lines[-1] == "Started scripted in 0:00."


def test_a_start_that_takes_no_time_is_one_line(console: Console) -> None:
    with Progress({"t": 1}, console, Session()).starting(ScriptedEngine(lambda request: "")):
        pass
    assert printed(console) == "Starting scripted …\n"


def test_the_time_left_follows_the_tokens_of_recipes_and_not_those_of_answer_judges(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    monkeypatch.setattr(TimeLeft, "write", lambda self, tokens: written.append(tokens))
    shown = Progress({"t": 20}, console, Session())
    for tokens, role in enumerate(ROLES):
        shown.on_generation(generation(output_tokens=tokens), role)
    assert written == [0, 1, 2]


def test_the_speed_shown_is_that_of_the_session(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    with session.asking():
        time.sleep(0.01)
        session.count(generation(output_tokens=1000))
    expected = f"{session.tokens_per_s:,.0f} tokens/s"
    with Progress({"t": 1}, console, session):
        time.sleep(0.05)  # graders go on: not the engine's time
    assert expected in printed(console)


def test_answers_that_pile_up_before_their_graders_are_shown(console: Console) -> None:
    with contextlib.ExitStack() as stack, Progress({"t": 100}, console, Session()) as progress:
        for _ in range(70):
            stack.enter_context(progress.grading())
    assert "70 answers wait for their grades" in printed(console)


def test_an_engine_that_must_wait_for_grades_is_shown(console: Console) -> None:
    progress = Progress({"t": 100}, console, Session())
    with progress.grading(), progress.waiting(True), progress:
        pass
    assert "the engine waits for grades (1 answers have none yet)" in printed(console)


def test_a_few_ungraded_answers_are_ordinary(console: Console) -> None:
    progress = Progress({"t": 100}, console, Session())
    with progress.grading(), progress.waiting(False), progress:
        pass
    assert "grades" not in printed(console)


def _verdict(question: str, score: float) -> Verdict:
    outcome = Outcome.CORRECT if score else Outcome.WRONG
    return Verdict(
        task="t", question_id=question, repeat_index=0, outcome=outcome, score=score, grader="g", tags={}
    )


def test_the_score_has_an_interval_once_every_question_was_asked() -> None:
    progress = Progress({"t": 8}, Console(file=io.StringIO()), Session(), {"t": 2})
    progress.on_verdict(_verdict("a", 1.0))
    assert progress.tasks["t"].score_in_words() == "100.0"
    progress.on_verdict(_verdict("b", 0.0))
    assert progress.tasks["t"].score_in_words().startswith("50.0 (")


def test_the_mean_is_that_over_questions_as_its_interval_is() -> None:
    """`--until` asks the hard questions more often: the plain mean of all samples would be that of the hard ones."""
    progress = Progress({"t": 40}, Console(file=io.StringIO()), Session(), {"t": 2})
    for question, score in (("a", 1.0), *[("b", 0.0)] * 19):
        progress.on_verdict(_verdict(question, score))
    task = progress.tasks["t"]
    assert task.score_in_words().startswith("50.0 (")
    assert task.interval is not None
    assert task.interval[0] < task.mean < task.interval[1]


def test_samples_that_are_being_made_widen_the_interval() -> None:
    progress = Progress({"t": 200}, Console(file=io.StringIO()), Session(), {"t": 2})
    for _ in range(40):
        for question, score in (("a", 1.0), ("b", 0.0)):
            progress.on_verdict(_verdict(question, score))
    before = progress.tasks["t"].interval
    progress.on_start(SampleKey("t", "a", 40))
    after = progress.tasks["t"].interval
    assert before is not None and after is not None
    assert after[0] < before[0]
    progress.on_verdict(_verdict("a", 1.0))
    assert progress.tasks["t"].pending["a"] == 0


def test_a_number_of_samples_that_may_not_be_needed_is_told_as_the_most(console: Console) -> None:
    with Progress({"t": 8}, console, Session(), {"t": 2}, at_most=True) as progress:
        progress.on_verdict(_verdict("a", 1.0))
    assert re.search(r"1 of at most 8 samples, 0:00 so far, at most \d+:\d\d left", printed(console))


def test_the_display_reads_the_counts_while_they_grow() -> None:
    """A terminal's display has a thread of its own; an error there would end it."""
    progress = Progress({"t": 20_000}, Console(file=io.StringIO()), Session(), {"t": 10_000})
    task, over = progress.tasks["t"], threading.Event()

    def display() -> int:
        looks = 0
        while not over.is_set():
            task.in_words()
            looks += 1
        return looks

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(1) as thread:
            looked = thread.submit(display)
            for number in range(10_000):
                progress.on_start(SampleKey("t", f"{number}", 0))
                progress.on_verdict(_verdict(f"{number}", 1.0))
            over.set()
            assert looked.result() > 0
    finally:
        sys.setswitchinterval(interval)
