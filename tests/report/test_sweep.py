from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from k2eval.errors import ConfigError
from k2eval.records import Sampling
from k2eval.report.sweep import find_checkpoints, find_values, sweep_checkpoints, sweep_switch
from tests.leaderboard.synthetic import bernoulli, verdict, write_run


def folders(tmp_path: Path, *names: str) -> str:
    for name in names:
        (tmp_path / "out" / name).mkdir(parents=True)
    return str(tmp_path / "out" / "*")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


def scripted(checkpoint: Path | str, run: Path) -> int:
    """Later steps are better."""
    step = int(Path(checkpoint).name.split("-")[1])
    if not run.exists():
        write_run(run, {"t": bernoulli(30, 4, 0.5, 1, step / 1000 - 0.3)}, infos={"t": {"title": "Tee"}})
    return 0


def test_checkpoints_are_ordered_by_step_and_not_by_name(tmp_path: Path) -> None:
    pattern = folders(tmp_path, "step-100", "step-20", "step-3")
    assert [checkpoint.place for checkpoint in find_checkpoints([pattern])] == [3, 20, 100]


def test_the_last_number_of_the_name_is_the_step(tmp_path: Path) -> None:
    pattern = folders(tmp_path, "qwen3-4b-step1200")
    assert find_checkpoints([pattern])[0].place == 1200


@pytest.mark.parametrize(
    ("names", "message"),
    [((), "got none for"), (("final",), "step in the name"), (("a-1", "b-1"), "one checkpoint per step")],
)
def test_a_series_that_is_none_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_checkpoints([folders(tmp_path, *names)])


@pytest.mark.parametrize("pattern", [".", "/", "", "**x"])
def test_a_pattern_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"expected a folder or a pattern|step in the name|got none for"):
        find_checkpoints([pattern])


def test_each_checkpoint_gets_a_run_directory_and_a_point(tmp_path: Path) -> None:
    pattern = folders(tmp_path, "step-100", "step-200", "step-300")
    assert sweep_checkpoints([pattern], tmp_path / "sweep", scripted, quiet()) == 0
    frame = pd.read_csv(tmp_path / "sweep" / "sweep.csv")
    assert frame["step"].tolist() == [100, 200, 300]
    assert frame["run"].tolist() == ["step-100", "step-200", "step-300"]
    assert frame["t"].is_monotonic_increasing


def test_a_run_that_is_called_otherwise_than_its_folder_has_its_step(tmp_path: Path) -> None:
    def evaluate(checkpoint: Path | str, run: Path) -> int:
        scripted(checkpoint, run)
        path = run / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "final"}))
        return 0

    assert (
        sweep_checkpoints([folders(tmp_path, "step-100", "step-200")], tmp_path / "sweep", evaluate, quiet())
        == 0
    )
    assert pd.read_csv(tmp_path / "sweep" / "sweep.csv")["step"].tolist() == [100, 200]


def test_page_and_markdown_show_the_series(tmp_path: Path) -> None:
    sweep_checkpoints([folders(tmp_path, "step-100", "step-200")], tmp_path / "sweep", scripted, quiet())
    page = (tmp_path / "sweep" / "sweep.html").read_text()
    assert 'aria-label="Tee against step"' in page
    assert [tip for tip in re.findall('data-tip="(.*?)"', page) if tip.startswith("score, step")]
    assert "| 100 | " in (tmp_path / "sweep" / "sweep.md").read_text()


def test_a_checkpoint_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    def evaluate(checkpoint: Path | str, run: Path) -> int:
        return 2 if Path(checkpoint).name == "step-100" else scripted(checkpoint, run)

    assert (
        sweep_checkpoints([folders(tmp_path, "step-100", "step-200")], tmp_path / "sweep", evaluate, quiet())
        == 1
    )
    assert pd.read_csv(tmp_path / "sweep" / "sweep.csv")["step"].tolist() == [200]


def test_an_interruption_stops_the_sweep_and_keeps_what_is_there(tmp_path: Path) -> None:
    def evaluate(checkpoint: Path | str, run: Path) -> int:
        return 130 if Path(checkpoint).name == "step-200" else scripted(checkpoint, run)

    pattern = folders(tmp_path, "step-100", "step-200", "step-300")
    assert sweep_checkpoints([pattern], tmp_path / "sweep", evaluate, quiet()) == 130
    assert pd.read_csv(tmp_path / "sweep" / "sweep.csv")["step"].tolist() == [100]


def by_effort(value: Path | str, run: Path) -> int:
    """The harder it thinks, the better it is, and the longer it takes."""
    number = ["low", "medium", "high"].index(str(value))
    lines = [
        verdict("t", f"q{question}", repeat, float(question % 3 < number + 1), recipe_tokens=1000 * 4**number)
        for question in range(12)
        for repeat in range(2)
    ]
    sampling = Sampling(reasoning_effort=str(value))
    if not run.exists():
        write_run(
            run, {"t": [[1.0, 1.0]] * 12}, infos={"t": {"title": "Tee", "sampling": sampling}}, lines=lines
        )
    return 0


def test_a_sweep_over_a_switch_shows_scores_against_tokens(tmp_path: Path) -> None:
    assert sweep_switch("reasoning_effort=low,medium,high", tmp_path, by_effort, quiet()) == 0
    frame = pd.read_csv(tmp_path / "sweep.csv")
    assert frame["reasoning_effort"].tolist() == ["low", "medium", "high"]
    assert frame["t_recipe_tokens"].tolist() == [1000, 4000, 16000]
    page = (tmp_path / "sweep.html").read_text()
    assert 'aria-label="Tee against tokens of an answer"' in page
    assert all(f">{value}</text>" in page for value in ("low", "medium", "high"))
    assert "| high | " in (tmp_path / "sweep.md").read_text()


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("effort=low,high", "Did you mean reasoning_effort"),
        ("reasoning_effort=low", "two or more different values such as low,medium,high"),
        ("reasoning_effort=low,low", "different"),
        ("thinking=yes,no", "such as on,off"),
        ("thinking_budget=1k,2k", "such as 1024"),
        (f"thinking_budget={'9' * 5000},2", "such as 1024"),
    ],
)
def test_values_that_are_no_series_are_refused(over: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        find_values(over)


def test_a_value_that_only_looks_like_a_number_is_a_word() -> None:
    assert [point.place for point in find_values("reasoning_effort=²,2")[1]] == ["²", 2]
