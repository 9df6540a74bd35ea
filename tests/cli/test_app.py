"""The command line as a user meets it: exit codes, messages, and nothing on the terminal that does not belong there."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from k2eval.cli import app
from k2eval.errors import K2EvalError
from k2eval.journal import GENERATIONS, VERDICTS


def k2eval(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k2eval", *arguments],
        capture_output=True,
        text=True,
        env={
            **{k: v for k, v in os.environ.items() if k != "K2EVAL_DATA"},
            "HF_HUB_OFFLINE": "1",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=280,
    )


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("script") / "script.jsonl"
    path.write_text(json.dumps({"match": "", "responses": ["<think>so</think>\\boxed{35}"]}) + "\n")
    return str(path)


def run(script: str, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return k2eval(
        "run", "--engine", "scripted", "--model", script, "--tasks", "smoke", "--limit", "3", "--repeats", "2",
        "--workers", "1", "--out", str(out), *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(
    script: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("runs") / "done"
    return out, run(script, out)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; import k2eval.cli.app; "
        "print([name for name in ('torch', 'vllm', 'lm_eval', 'datasets', 'pandas', 'numpy', 'sympy', 'pydantic') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_run_says_what_it_does_and_where_it_lies(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, result = finished
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        "smoke: 3 questions × 2 repeats from smoke/questions.jsonl (limited to the first 3)" in result.stdout
    )
    assert "6/6 samples" in result.stdout
    assert f"Run directory: {out}" in result.stdout


def test_the_same_command_again_says_that_all_is_there(
    finished: tuple[Path, subprocess.CompletedProcess[str]], script: str
) -> None:
    result = run(script, finished[0])
    assert (result.returncode, result.stderr) == (0, "")
    assert "Complete: all 6 samples were there already." in result.stdout


def test_a_precise_run_that_is_started_again_says_how_many_samples_are_there(
    script: str, tmp_path: Path
) -> None:
    arguments = (
        "run", "--engine", "scripted", "--model", script, "--tasks", "smoke", "--limit", "3", "--until", "40",
        "--workers", "1", "--out", str(tmp_path / "run"),
    )  # fmt: skip
    first, again = k2eval(*arguments), k2eval(*arguments)
    made = len((tmp_path / "run" / "verdicts.jsonl").read_text().splitlines())
    assert (first.returncode, again.returncode) == (0, 0)
    assert f"Nothing was left to make: {made} samples were there already" in again.stdout


def test_the_old_name_of_repeats_is_told_as_the_flag_that_was_given(script: str, tmp_path: Path) -> None:
    result = k2eval(
        "run", "--dry-run", "--engine", "scripted", "--model", script, "--tasks", "smoke", "--runs", "2", "--out",
        str(tmp_path / "run"),
    )  # fmt: skip
    assert result.returncode == 0
    assert result.stderr == "k2eval: --runs is now called --repeats; the old name still works.\n"
    assert "104" in result.stdout


def test_grading_again_says_that_nothing_changed(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    result = k2eval("grade", str(finished[0]))
    assert (result.returncode, result.stderr) == (0, "")
    assert "Graded 6 samples again: 0 verdicts changed." in result.stdout


def test_another_run_in_the_same_directory_is_refused_with_what_differs(
    finished: tuple[Path, subprocess.CompletedProcess[str]], script: str
) -> None:
    result = run(script, finished[0], "--seed", "7", "--set", "smoke.sampling.top_p=0.5")
    assert result.returncode == 2
    assert "  seed: 0 there, 7 now\n  smoke.sampling.top_p: 0.95 there, 0.5 now\n" in result.stderr


def test_a_torn_line_is_repaired_with_a_plain_warning(script: str, tmp_path: Path) -> None:
    run(script, tmp_path / "run")
    for name in (GENERATIONS, VERDICTS):
        path = tmp_path / "run" / name
        path.write_bytes(path.read_bytes()[:-7])
    result = run(script, tmp_path / "run")
    assert result.returncode == 0
    lines = result.stderr.splitlines()
    assert [line.startswith("k2eval: ") and "removed an unfinished last line" in line for line in lines] == [
        True
    ] * 2
    assert "6/6 samples" in result.stdout


def test_a_prompt_that_is_too_long_shows_and_fails_the_command(tmp_path: Path) -> None:
    """Through a recipe of one's own, which plays the engine's refusal."""
    (tmp_path / "own.py").write_text(
        "from k2eval.errors import PromptTooLong\n"
        "async def long(sample):\n    raise PromptTooLong('the prompt has 9 tokens, the context 8')\n"
    )
    (tmp_path / "script.jsonl").write_text('{"match": "", "responses": ["x"]}\n')
    result = k2eval(
        "run", "--engine", "scripted", "--model", str(tmp_path / "script.jsonl"), "--tasks", "smoke", "--limit", "1",
        "--repeats", "2", "--recipe", "own:long", "--out", str(tmp_path / "run"), PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "2 of 2 samples could not be finished on our side; they are not counted as wrong." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "Expected --model, --tasks, --out"),
        (("run", "--model", "/no", "--tasks", "smoke", "--out", "OUT"), "There is no checkpoint at /no."),
        (("run", "--engine", "scripted", "--model", "/no", "--tasks", "smoke", "--out", "OUT"), "script /no"),
        (("run", "--engine", "vlm", "--model", "x", "--tasks", "smoke", "--out", "OUT"), "engine.kind"),
        (
            ("run", "--model", "x", "--tasks", "smoke", "--out", "OUT", "--set", "smok.repeats=1"),
            "Did you mean smoke",
        ),
        (("run", "--model", "x", "--tasks", "smoke", "--out", "OUT", "--config", "/no.yaml"), "/no.yaml"),
        (("run", "--repeats", "0"), "Invalid value for '--repeats'"),
        (("run", "--no-such-flag"), "No such option"),
        (("grade", "/no"), "/no is not a run directory"),
        (("tasks", "amie24"), "Unknown task 'amie24'. Did you mean aime24"),
        (("score", "/no.jsonl", "--out", "OUT"), "Expected either --task or --grader"),
        (("leaderboard", "/no", "--out", "OUT"), "/no"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_slip_ends_with_code_2_and_a_reason(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    words = [str(tmp_path / "run") if word == "OUT" else word for word in arguments]
    result = CliRunner().invoke(app.app, words)
    if isinstance(result.exception, K2EvalError):
        assert message in " ".join(str(result.exception).split())
    else:
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("grade", "/no"), "k2eval: /no is not a run directory"), (("run", "--no-such-flag"), "No such option")],
)
def test_the_process_ends_with_code_2_and_the_reason(arguments: tuple[str, ...], message: str) -> None:
    result = k2eval(*arguments)
    assert result.returncode == 2, result.stdout + result.stderr
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_data_that_is_out_of_reach_is_one_sentence(script: str, tmp_path: Path) -> None:
    result = k2eval(
        "run", "--engine", "scripted", "--model", script, "--tasks", "aime24", "--out", str(tmp_path / "run")
    )
    assert result.returncode == 2
    assert "Task aime24: no questions found." in result.stderr and "--data DIR" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_tasks_are_listed_without_a_network() -> None:
    result = k2eval("tasks")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(name in result.stdout for name in ("aime24", "gpqa_diamond", "omni_math_hard", "smoke"))


def test_questions_of_a_task_are_listed() -> None:
    result = k2eval("tasks", "smoke", "--questions")
    assert len(result.stdout.splitlines()) == 52


def test_on_a_terminal_the_table_is_live_and_the_cursor_comes_back(script: str, tmp_path: Path) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "k2eval", "run", "--engine", "scripted", "--model", script, "--tasks", "smoke",
            "--limit", "3", "--repeats", "2", "--workers", "1", "--out", str(tmp_path / "run"),
            "--set", "engine.delay_s=0.6",
        ],
        stdin=child, stdout=child, stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(child)
    shown = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    assert process.wait() == 0
    os.close(parent)
    assert b"samples," in shown and b"6/6" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_with_pytorch_loaded_a_process_ends_at_once_and_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    app.leave([2])
    assert ended == [2]


def test_a_process_that_failed_otherwise_ends_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    app.leave([])
    assert not ended


@pytest.mark.parametrize(("arguments", "code"), [(["tasks"], 0), (["run", "--nonsense"], 2)])
def test_the_exit_code_outlives_the_short_way_out(arguments: list[str], code: int) -> None:
    program = f"import sys, types; sys.modules['torch'] = types.ModuleType('torch'); sys.argv = {['k2eval', *arguments]!r}"
    command = [sys.executable, "-c", f"{program}; from k2eval.cli.app import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert (done.stdout or done.stderr).strip()
