"""Files of others cost at most a small multiple of their size."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from k2eval.errors import DataError
from k2eval.parity import bounded


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b" " * (40 << 20))
    assert path.stat().st_size < 1 << 20
    with bounded.archive_at(path) as archive, pytest.raises(DataError, match="bomb"):
        archive.json("header.json")


def test_all_entries_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_SMALL", 1000)
    monkeypatch.setattr(bounded, "EXPANSION", 0)
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abc":
            archive.writestr(name, b'"' + b"x" * 400 + b'"')
    with bounded.archive_at(path) as archive, pytest.raises(DataError, match="bomb"):
        for name in "abc":
            archive.json(name)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{", b"\xff", b"1e999", b"PK\x03\x04"])
def test_what_is_no_json_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="results"):
        bounded.json_of(content, tmp_path / "results.json")


@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_text_that_is_not_closed_takes_one_pass(tmp_path: Path, end: bytes) -> None:
    content = b'[NaN, "' + b'\\"' * 2_000_000 + end
    begun = time.process_time()
    with pytest.raises(DataError):
        bounded.json_of(content, tmp_path / "results.json")
    assert time.process_time() - begun < 60


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"no archive", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.eval"
    path.write_bytes(content)
    with pytest.raises(DataError, match="ZIP archive"), bounded.archive_at(path):
        pass


def test_yaml_with_aliases_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("a: &a [x, x]\nb: [*a, *a]\n")
    with pytest.raises(DataError, match="aliases"):
        bounded.yaml_of(path)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.json")
    with pytest.raises(DataError, match="regular file"):
        bounded.read_whole(tmp_path / "fifo.json")


def test_a_long_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LARGEST_LINE", 10)
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n' + json.dumps("x" * 20) + "\n")
    with pytest.raises(DataError, match="line 2"):
        list(bounded.json_lines(tmp_path / "rows.jsonl"))
