"""What `k2eval doctor` says of the machine."""

from pathlib import Path

import pytest

from k2eval.cli import doctor
from k2eval.cli.doctor import machine_report
from k2eval.errors import ConfigError


def rows(data: Path | None = None) -> dict[str, doctor.DoctorRow]:
    return {row.name: row for row in machine_report(data)}


def test_each_part_of_the_machine_has_a_row() -> None:
    assert list(rows()) == ["engine", "GPU", "memory", "disk", "data"]


def test_a_missing_engine_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise ConfigError("vLLM is not installed. `make eval` installs it.")

    monkeypatch.setattr(doctor, "vllm_version", missing)
    row = rows()["engine"]
    assert not row.ok and "make eval" in row.remedy


def test_the_data_folder_is_listed(tmp_path: Path) -> None:
    (tmp_path / "aime24").mkdir()
    row = rows(tmp_path)["data"]
    assert row.ok and row.detail == f"{tmp_path}: aime24"


def test_a_data_folder_that_is_not_there_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K2EVAL_DATA", str(tmp_path / "gone"))
    row = rows()["data"]
    assert not row.ok and "docs/tasks.md" in row.remedy
