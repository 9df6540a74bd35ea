from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from k2eval.cli.contamination import contamination_command
from k2eval.errors import ConfigError, DataError
from k2eval.leaderboard import build
from k2eval.tasks import load_questions, load_tasks
from tests.scripted_runs import carry_out, config


def test_the_list_of_a_search_leaves_the_questions_out_of_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [task] = load_tasks(["nano_math"])
    questions = load_questions(task, data=None)
    seen = max(questions.all_items[:6], key=lambda item: len(str(item.fields["problem"])))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_text(json.dumps({"text": seen.fields["problem"]}) + "\n")
    code = contamination_command(["nano_math"], tmp_path / "data", tmp_path / "list", 0.99, None, (), 1)
    assert code == 0 and "of 100 questions are in the data" in capsys.readouterr().out
    assert f"nano_math/{seen.id}" in (tmp_path / "list").read_text().splitlines()


async def test_a_listed_question_is_left_out_by_exclude(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", repeats=1))
    [task] = load_tasks(["smoke"])
    items = load_questions(task, data=None).all_items[:6]
    text = "".join(f"# 100 % of it is in train.jsonl:0\nsmoke/{item.id}\n" for item in items[:2])
    (tmp_path / "list").write_text(text)
    assert build([tmp_path / "run"], exclude=tmp_path / "list").frame.iloc[0]["smoke_questions"] == 4


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Expected a folder with training data"):
        contamination_command(["smoke"], tmp_path / "none", None, 0.5, None, (), 1)


@pytest.mark.slow
def test_ctrl_c_says_how_far_it_was_and_leaves_no_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        (data / f"{number}.txt").write_text("a word and a number 1234567890 " * 4_000_000)
    command = [
        sys.executable, "-m", "k2eval", "contamination", "smoke", "--corpus", str(data), "--workers", "2", "--resume",
        str(tmp_path / "kept"),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        kept = tmp_path / "kept"
        while process.poll() is None and (not kept.exists() or kept.read_bytes().count(b"\n") < 2):
            time.sleep(0.02)
        children = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        assert process.wait(240) == 128 + signal.SIGINT
        assert process.stderr and "The same command goes on there." in process.stderr.read()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert children and not alive
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "0.37 GB" in done.stdout


@pytest.mark.slow
def test_a_process_that_ends_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from k2eval.tasks.corpus import crew, search_corpus

    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("a text of some length, again and again " * 100)
    monkeypatch.setattr(crew, "WORKER", "k2eval.tasks.corpus.no_such_worker")
    with pytest.raises(DataError, match=r"The process that searched .* ended \(1\)"):
        search_corpus(
            tmp_path, ["A question that is long enough to have some fingerprints in it, is it not?"], 2
        )
