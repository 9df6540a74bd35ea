from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from k2eval.errors import ConfigError
from k2eval.watch.record import locked, read_record
from k2eval.watch.states import State
from tests.watch.checkpoints import Clock, FakeEvaluator, watcher, write_checkpoint


@pytest.fixture
def train(tmp_path: Path) -> Path:
    for step in (100, 20, 300):
        write_checkpoint(tmp_path / "train" / f"step-{step}")
    return tmp_path / "train"


def test_each_checkpoint_is_evaluated_once_the_oldest_first(tmp_path: Path, train: Path) -> None:
    evaluator = FakeEvaluator()
    assert watcher(tmp_path, evaluator)[0].watch() == 0
    assert evaluator.evaluated == ["step-20", "step-100", "step-300"]
    assert pd.read_csv(tmp_path / "watch" / "curve.csv")["step"].tolist() == [20, 100, 300]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("newest",), ["step-300", "step-100", "step-20"]),
        (("step-100",), ["step-100", "step-20", "step-300"]),
    ],
)
def test_another_order_is_kept(
    tmp_path: Path, train: Path, order: tuple[str, ...], expected: list[str]
) -> None:
    evaluator = FakeEvaluator()
    watcher(tmp_path, evaluator, order=order)[0].watch()
    assert evaluator.evaluated == expected


def test_the_newest_is_evaluated_next_also_if_it_came_last(tmp_path: Path, train: Path) -> None:
    def during(folder: Path) -> None:
        if folder.name == "step-300":
            write_checkpoint(train / "step-400")

    evaluator = FakeEvaluator(during)
    watcher(tmp_path, evaluator, order=("newest",))[0].watch()
    assert evaluator.evaluated == ["step-300", "step-400", "step-100", "step-20"]


def test_a_second_watch_evaluates_only_what_is_new(tmp_path: Path, train: Path) -> None:
    watcher(tmp_path, FakeEvaluator())[0].watch()
    write_checkpoint(train / "step-400")
    evaluator = FakeEvaluator()
    watcher(tmp_path, evaluator)[0].watch()
    assert evaluator.evaluated == ["step-400"]
    assert pd.read_csv(tmp_path / "watch" / "curve.csv")["step"].tolist() == [20, 100, 300, 400]


def test_a_checkpoint_that_was_deleted_stays_on_the_curve(tmp_path: Path, train: Path) -> None:
    watcher(tmp_path, FakeEvaluator())[0].watch()
    shutil.rmtree(train / "step-20")
    write_checkpoint(train / "step-400")
    watch, _ = watcher(tmp_path, FakeEvaluator())
    watch.watch()
    assert pd.read_csv(tmp_path / "watch" / "curve.csv")["step"].tolist() == [20, 100, 300, 400]
    assert not watch.checkpoints["step-20"].is_there


def test_half_a_checkpoint_waits_until_it_is_whole(tmp_path: Path, train: Path) -> None:
    half = write_checkpoint(train / "step-400", cut=3)
    clock = Clock()

    def finish() -> None:
        shutil.copy(train / "step-20" / "model.safetensors", half)

    clock.events[1] = finish
    evaluator = FakeEvaluator()
    watch, _ = watcher(tmp_path, evaluator, clock)
    watch.watch()
    assert evaluator.evaluated[-1] == "step-400"
    assert clock.sleeps >= 1


def test_half_a_checkpoint_is_named_on_the_page(tmp_path: Path, train: Path) -> None:
    write_checkpoint(train / "step-400", cut=3)
    evaluator = FakeEvaluator()
    watcher(tmp_path, evaluator)[0].watch()
    assert "step-400" not in evaluator.evaluated
    assert "model.safetensors has " in (tmp_path / "watch" / "index.html").read_text()


def test_files_that_change_are_looked_at_twice(tmp_path: Path) -> None:
    """Their last change is now, so that they may still be written."""
    folder = write_checkpoint(tmp_path / "train" / "step-1")
    clock = Clock()
    clock.now = folder.stat().st_mtime
    evaluator = FakeEvaluator()
    watch, _ = watcher(tmp_path, evaluator, clock)
    clock.events[1] = lambda: evaluator.evaluated.append("slept")
    watch.watch()
    assert evaluator.evaluated == ["slept", "step-1"]


def test_the_watch_does_not_end_between_the_two_looks(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "train" / "step-1")
    clock = Clock()
    clock.now = folder.stat().st_mtime
    evaluator = FakeEvaluator()
    watcher(tmp_path, evaluator, clock, until_idle_s=0.0)[0].watch()
    assert evaluator.evaluated == ["step-1"]


def test_a_damaged_checkpoint_is_told_once_and_tried_again_when_it_changes(
    tmp_path: Path, train: Path
) -> None:
    evaluator = FakeEvaluator()
    evaluator.codes["step-20"] = 2
    clock = Clock()

    def mend() -> None:
        evaluator.codes.clear()
        write_checkpoint(train / "step-20", values=b"\1" * 8)

    clock.events[2] = mend
    watch, output = watcher(tmp_path, evaluator, clock, until_idle_s=200.0)
    assert watch.watch() == 0
    assert evaluator.evaluated == ["step-20", "step-100", "step-300", "step-20"]
    assert output.getvalue().count("step-20 is passed over until it changes: the weights are damaged") == 1


def test_a_checkpoint_that_stays_damaged_gives_code_1(tmp_path: Path, train: Path) -> None:
    evaluator = FakeEvaluator()
    evaluator.codes["step-20"] = 2
    watch, _ = watcher(tmp_path, evaluator)
    assert watch.watch() == 1
    assert watch.checkpoints["step-20"].state is State.FAILED


def test_a_checkpoint_that_was_replaced_gets_a_run_of_its_own(tmp_path: Path, train: Path) -> None:
    watcher(tmp_path, FakeEvaluator())[0].watch()
    before = (tmp_path / "watch" / "step-20" / "run.json").read_text()
    write_checkpoint(train / "step-20", values=b"\1" * 8)
    evaluator = FakeEvaluator()
    watch, output = watcher(tmp_path, evaluator)
    watch.watch()
    assert evaluator.evaluated == ["step-20"]
    assert "step-20 was replaced by another checkpoint." in output.getvalue()
    assert (tmp_path / "watch" / "step-20" / "run.json").read_text() == before
    runs = [entry.run for entry in read_record(tmp_path / "watch").checkpoints if entry.name == "step-20"]
    assert len(runs) == 2
    assert pd.read_csv(tmp_path / "watch" / "curve.csv")["run"].tolist() == [runs[-1], "step-100", "step-300"]


def test_a_checkpoint_that_was_put_back_has_its_first_run_again(tmp_path: Path, train: Path) -> None:
    for values in (b"\0", b"\1", b"\0"):
        write_checkpoint(train / "step-20", values=values * 8)
        evaluator = FakeEvaluator()
        watcher(tmp_path, evaluator)[0].watch()
    assert evaluator.evaluated == []
    assert "step-20" in pd.read_csv(tmp_path / "watch" / "curve.csv")["run"].tolist()


def test_a_checkpoint_that_is_deleted_while_it_waits_is_told(tmp_path: Path, train: Path) -> None:
    def during(folder: Path) -> None:
        if folder.name == "step-20":
            shutil.rmtree(train / "step-100")

    evaluator = FakeEvaluator(during)
    watch, output = watcher(tmp_path, evaluator)
    assert watch.watch() == 0
    assert evaluator.evaluated == ["step-20", "step-300"]
    assert "step-100 is gone before it was evaluated." in output.getvalue()


def test_samples_that_failed_are_told_and_not_tried_again_at_once(tmp_path: Path, train: Path) -> None:
    evaluator = FakeEvaluator()
    evaluator.codes["step-20"] = 1
    watch, _ = watcher(tmp_path, evaluator)
    assert watch.watch() == 1
    assert evaluator.evaluated.count("step-20") == 1
    assert watch.checkpoints["step-20"].state is State.UNFINISHED
    assert 20 in pd.read_csv(tmp_path / "watch" / "curve.csv")["step"].tolist()


def test_an_interruption_ends_the_watch_and_the_next_one_goes_on(tmp_path: Path, train: Path) -> None:
    evaluator = FakeEvaluator()
    evaluator.codes["step-100"] = 130
    assert watcher(tmp_path, evaluator)[0].watch() == 130
    again = FakeEvaluator()
    assert watcher(tmp_path, again)[0].watch() == 0
    assert again.evaluated == ["step-100", "step-300"]


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    clock = Clock()

    def appear() -> None:
        write_checkpoint(tmp_path / "train" / "step-1")

    clock.events[1] = appear
    evaluator = FakeEvaluator()
    watcher(tmp_path, evaluator, clock, until_idle_s=200.0)[0].watch()
    assert evaluator.evaluated == ["step-1"]


def test_a_checkpoint_without_a_step_is_passed_over(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "train" / "final")
    watch, output = watcher(tmp_path, FakeEvaluator())
    assert watch.watch() == 1
    assert output.getvalue().count("final is passed over until it changes: nothing tells its step") == 1


def test_the_watch_ends_when_nothing_has_happened_for_the_given_time(tmp_path: Path, train: Path) -> None:
    clock = Clock()
    began = clock.now
    watcher(tmp_path, FakeEvaluator(), clock, until_idle_s=600.0)[0].watch()
    assert 600 <= clock.now - began < 700


def test_two_watches_of_one_output_are_refused(tmp_path: Path, train: Path) -> None:
    with locked(tmp_path / "watch"), pytest.raises(ConfigError, match="Another watch"):
        watcher(tmp_path, FakeEvaluator())[0].watch()


ENTRY = {"name": "a", "path": "a", "step": 1, "fingerprint": "f", "run": "a", "seconds": 1.0}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 50_000,
        *(
            json.dumps({"checkpoints": [ENTRY | field]})
            for field in ({"step": 10**400}, {"step": 2**63}, {"seconds": float("nan")}, {"name": "\ud800"})
        ),
    ],
    ids=lambda content: content[:9] + str(len(content)),
)
def test_a_record_that_cannot_be_read_is_told(tmp_path: Path, train: Path, content: str) -> None:
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "watch.json").write_text(content)
    with pytest.raises(ConfigError, match="Remove the file"):
        watcher(tmp_path, FakeEvaluator())[0].watch()


def test_a_record_that_is_a_pipe_is_refused_at_once(tmp_path: Path, train: Path) -> None:
    (tmp_path / "watch").mkdir()
    os.mkfifo(tmp_path / "watch" / "watch.json")
    with pytest.raises(ConfigError, match="regular file"):
        watcher(tmp_path, FakeEvaluator())[0].watch()


def test_without_its_record_the_watch_finds_its_runs_again(tmp_path: Path, train: Path) -> None:
    watcher(tmp_path, FakeEvaluator())[0].watch()
    (tmp_path / "watch" / "watch.json").unlink()
    evaluator = FakeEvaluator()
    watcher(tmp_path, evaluator)[0].watch()
    assert evaluator.evaluated == []
    assert len(json.loads((tmp_path / "watch" / "watch.json").read_text())["checkpoints"]) == 3


@pytest.mark.parametrize("name", ["watch.json", "index.html", "curve.csv"])
def test_a_checkpoint_with_the_name_of_a_file_of_the_watch_is_passed_over(
    tmp_path: Path, train: Path, name: str
) -> None:
    folder = write_checkpoint(train / name)
    (folder / "trainer_state.json").write_text('{"global_step": 7}')
    evaluator = FakeEvaluator()
    watch, output = watcher(tmp_path, evaluator)
    assert watch.watch() == 1
    assert evaluator.evaluated == ["step-20", "step-100", "step-300"]
    assert f"take the place of the watch's own file {name}" in output.getvalue()


def test_names_are_escaped_on_the_page(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "train" / "<b>step-1")
    watcher(tmp_path, FakeEvaluator())[0].watch()
    page = (tmp_path / "watch" / "index.html").read_text()
    assert "&lt;b&gt;step-1" in page and "<b>step" not in page


def test_two_checkpoints_whose_paths_make_one_name_are_both_evaluated_and_told(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "train" / "a" / "b-step-2")
    write_checkpoint(tmp_path / "train" / "a-b-step-2", b"\1" * 8)
    evaluator = FakeEvaluator()
    watch, output = watcher(tmp_path, evaluator)
    assert watch.watch() == 0
    assert sorted(evaluator.evaluated) == ["a-b-step-2", "b-step-2"]
    assert f"since {tmp_path / 'train' / 'a-b-step-2'} has its name" in output.getvalue().replace("\n", " ")
    again, output = watcher(tmp_path, FakeEvaluator())
    assert again.watch() == 0 and "has its name" not in output.getvalue()
