"""What `k2eval doctor` tries on the machine, and what it says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from k2eval.cli import doctor, hub
from k2eval.cli.app import app
from k2eval.errors import ConfigError
from k2eval.sandbox.types import DoctorRow

FINE = DoctorRow("engine", True, "fine", "")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)


def answer_of(code: str, monkeypatch: pytest.MonkeyPatch) -> DoctorRow:
    """The engine's row where Python runs ``code`` instead of importing vLLM."""
    monkeypatch.setattr(doctor, "vllm_version", lambda: "0.32.0")
    monkeypatch.setattr(doctor, "_IMPORT", code)
    return doctor.engine_row()


def test_a_missing_engine_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise ConfigError("vLLM is not installed. `make eval` installs it.")

    monkeypatch.setattr(doctor, "vllm_version", missing)
    row = doctor.engine_row()
    assert not row.ok and "make eval" in row.remedy


def test_vllm_is_imported_and_tells_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    row = answer_of("print('DEVICE cpu')", monkeypatch)
    assert row.ok and row.detail == "vLLM 0.32.0 was imported; it computes on cpu"


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (
            "raise ImportError('libcudart.so.13: cannot open')",
            "cannot be imported: ImportError: libcudart.so.13",
        ),
        ("import os; os.abort()", "cannot be imported"),
        ("print('DEVICE none')", "finds no device"),
    ],
)
def test_a_vllm_that_is_installed_and_broken_is_a_fault(
    code: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = answer_of(code, monkeypatch)
    assert not row.ok and detail in row.detail and row.remedy


def test_an_import_without_end_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_IMPORT_S", 0.2)
    row = answer_of("import time; time.sleep(60)", monkeypatch)
    assert not row.ok and "more than 0.2 s" in row.detail


def test_a_driver_that_fails_is_a_fault_and_a_missing_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(error: Exception) -> None:
        def run(*arguments: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr(subprocess, "run", run)

    failing(FileNotFoundError("nvidia-smi"))
    assert doctor.gpu_row().ok
    failing(subprocess.CalledProcessError(9, "nvidia-smi"))
    assert not doctor.gpu_row().ok


def test_a_folder_is_written_to(tmp_path: Path) -> None:
    row = doctor.disk_row("disk", tmp_path)
    assert row.ok and row.detail.startswith(f"wrote to {tmp_path}; ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    row = doctor.disk_row("temporary folder", tmp_path / "gone")
    assert not row.ok and "TMPDIR" in row.remedy


def test_the_questions_of_a_data_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "aime24").mkdir()
    (tmp_path / "aime24" / "train.jsonl").write_text('{"id": 1, "problem": "1 + 1", "answer": "2"}\n')
    [row] = doctor.data_rows(tmp_path, verbose=False)
    assert row.ok and "not whole: aime24 1 of 30" in row.detail


def test_a_broken_file_in_the_data_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "aime24").mkdir()
    (tmp_path / "aime24" / "train.jsonl").write_text("not JSON\n")
    rows = list(doctor.data_rows(tmp_path, verbose=False))
    assert [(row.name, row.ok) for row in rows] == [("data", True), ("data: aime24", False)]
    assert "train.jsonl" in rows[1].remedy


def test_a_data_folder_that_is_not_there_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K2EVAL_DATA", str(tmp_path / "gone"))
    [row] = doctor.data_rows(None, verbose=False)
    assert not row.ok and "docs/tasks.md" in row.remedy


def test_the_sandbox_is_summed_up_in_one_row() -> None:
    passed = [
        DoctorRow("an honest program runs", True, "42", ""),
        DoctorRow("refused: mounting", True, "killed", ""),
    ]
    assert doctor.sandbox_row(passed).ok
    hole = DoctorRow("refused: new process", False, "it was possible", "Do not grade here.")
    row = doctor.sandbox_row([*passed, hole])
    assert (row.ok, row.detail, row.remedy) == (
        False,
        "refused: new process: it was possible",
        "Do not grade here.",
    )


@pytest.mark.parametrize(
    ("token", "answer", "ok", "detail"),
    [
        ("hf_x", httpx.Response(200, json={"name": "ada"}), True, "the token is that of ada"),
        ("hf_x", httpx.Response(401), False, "refuses the token"),
        (None, httpx.Response(200, json=[]), True, "no token"),
        (None, httpx.Response(503), True, "status 503"),
        ("hf_x", httpx.ConnectError("no route"), True, "out of reach (ConnectError)"),
    ],
)
def test_the_hub_is_asked(
    token: str | None,
    answer: httpx.Response | Exception,
    ok: bool,
    detail: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def get(url: str, **options: Any) -> httpx.Response:
        assert ("authorization" in options["headers"]) == (token is not None)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
    monkeypatch.setattr(httpx, "get", get)
    row = hub.hub_row()
    assert row.ok == ok and detail in row.detail


def test_all_that_passes_fits_one_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "engine_row", lambda: FINE)
    monkeypatch.setattr(doctor, "hub_row", lambda timeout_s: FINE)
    result = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) <= 24
    assert "All checks passed" in result.output


def test_one_failure_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "rows", lambda *_: [FINE, DoctorRow("disk", False, "full", "Free some.")])
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "Free some." in result.output and "1 of 2 checks failed." in result.output
