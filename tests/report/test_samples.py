"""Samples are read from journals that may be damaged."""

from dataclasses import replace
from pathlib import Path

import pytest

from k2eval.errors import JournalError
from k2eval.journal import GENERATIONS
from k2eval.report.samples import Samples
from k2eval.texts import natural
from tests.report.scripted import smoke_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return smoke_run(tmp_path / "run", repeats=1, limit=2)


def read_all(folder: Path) -> int:
    samples = Samples.load(folder)
    verdicts = [v for by_repeat in samples.verdicts["smoke"].values() for v in by_repeat.values()]
    return sum(len(samples.generations(verdict)) for verdict in verdicts)


def damage(folder: Path, number: int, line: str) -> None:
    path = folder / GENERATIONS
    lines = path.read_text().splitlines()
    lines[number] = line
    path.write_text("".join(text + "\n" for text in lines))


def test_every_generation_is_found(run: Path) -> None:
    assert read_all(run) == 2


def test_a_run_that_calls_a_protected_task_open_does_not_open_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = Samples.load(run)
    assert not samples.protected("smoke")
    questions = samples.questions["smoke"]
    spec = questions.task.spec.model_copy(update={"protected": True})
    monkeypatch.setattr(questions, "task", replace(questions.task, spec=spec))
    assert samples.protected("smoke")


def test_ids_and_stages_with_any_digits_have_an_order() -> None:
    assert sorted(["9" * 5000, "solve.10", "solve.²", "solve.2"], key=natural)[:2] == ["9" * 5000, "solve.2"]


def test_a_line_without_a_key_is_refused_by_file_and_number(run: Path) -> None:
    damage(run, 1, "no JSON")
    with pytest.raises(JournalError, match=f"{GENERATIONS}:2: expected a generation of k2eval"):
        read_all(run)


def test_a_line_with_a_key_and_nothing_else_is_refused_by_file_and_number(run: Path) -> None:
    key = (run / GENERATIONS).read_text().splitlines()[1].partition('"key": "')[2][:32]
    damage(run, 1, f'{{"key": "{key}"}}')
    with pytest.raises(JournalError, match=f"{GENERATIONS}:2: expected a generation of k2eval"):
        read_all(run)


def test_a_torn_last_line_is_left_out(run: Path) -> None:
    path = run / GENERATIONS
    path.write_bytes(path.read_bytes()[:-20])
    assert read_all(run) == 1
