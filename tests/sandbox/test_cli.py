from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval.errors import ConfigError
from k2eval.sandbox import Sandbox
from k2eval.sandbox.cli import app, run_file


@pytest.fixture
def file(tmp_path: Path, plain: Sandbox) -> Path:
    path = tmp_path / "program.py"
    path.write_text(
        "import sys\ndef f(a, b=2): return {'sum': a + b}\nif __name__ == '__main__': print(input())\n"
    )
    return path


def test_prints_one_json_object(file: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello\n")
    done = CliRunner().invoke(app, ["run", str(file), "--stdin", str(tmp_path / "in")])
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report.keys() >= {"outcome", "stdout", "stderr", "result", "cpu_s", "wall_s", "peak_memory_mb"}
    assert (report["outcome"], report["stdout"], report["result"]) == ("ok", "hello\n", None)


def test_call_prints_the_result_as_tagged_plain_data(file: Path) -> None:
    done = CliRunner().invoke(app, ["run", str(file), "--call", "f", "--args", "[1, 4]"])
    assert json.loads(done.stdout)["result"] == {"dict": [["sum", 5]]}


def test_failed_call(file: Path) -> None:
    report = run_file(file, call="f", args='["x"]')
    assert (report["outcome"], report["result"]) == ("runtime_error", None)
    assert report["message"].startswith("TypeError")


def test_limits_are_passed_on(tmp_path: Path, plain: Sandbox) -> None:
    path = tmp_path / "program.py"
    path.write_text("while True: pass")
    assert run_file(path, cpu=0.1)["outcome"] == "time_limit"
    path.write_text("import time; time.sleep(9)")
    assert run_file(path, wall=0.2)["outcome"] == "time_limit"
    path.write_text("x = bytearray(1 << 30)")
    assert run_file(path, memory=64)["outcome"] == "memory_limit"
    path.write_text("print('x' * 10**6)")
    assert run_file(path, output=0.1)["outcome"] == "output_limit"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "x"}, "plain, numpy, scientific"),
        ({"cpu": 0}, "positive"),
        ({"call": "f", "args": "{"}, "JSON list"),
        ({"call": "f", "args": "3"}, "JSON list"),
        ({"stdin": Path("/no/such/file")}, "readable file"),
    ],
)
def test_impossible_options_are_explained(file: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run_file(file, **options)  # type: ignore[arg-type]


def test_errors_go_to_standard_error_with_exit_code_2(file: Path) -> None:
    done = CliRunner().invoke(app, ["run", str(file), "--profile", "x"])
    assert done.exit_code == 2
    assert "Expected --profile" in done.stderr


def test_half_of_a_surrogate_pair_is_printed(tmp_path: Path, plain: Sandbox) -> None:
    path = tmp_path / "program.py"
    path.write_text("def f(): return '\\ud800'")
    done = CliRunner().invoke(app, ["run", str(path), "--call", "f"])
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["result"] == "\ud800"
