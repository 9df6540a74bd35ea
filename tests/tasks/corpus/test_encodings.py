"""Training data in other encodings than UTF-8: read by the byte order mark, or named."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path

import pytest
import zstandard

from k2eval.cli.contamination import contamination_command
from k2eval.tasks.corpus import files
from tests.tasks.corpus.test_search import QUESTION, found, words

MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
CHINESE = (
    "在黑板上写下从一到二十的所有整数，每一步擦去其中两个并写上它们的和，问最后剩下多少种不同的结果。" * 40
)


@pytest.mark.parametrize("encoding", MARKS)
@pytest.mark.parametrize("name", ["a.txt", "a.csv.gz", "a.md.zst", "a.jsonl", "a.jsonl.gz", "a.json"])
def test_a_text_with_a_byte_order_mark_is_read_by_it(tmp_path: Path, name: str, encoding: str) -> None:
    text = json.dumps({"text": QUESTION}) if "json" in name else f"{QUESTION} {words(50)}"
    data = MARKS[encoding] + text.encode(encoding)
    packed = {".gz": gzip.compress(data), ".zst": zstandard.compress(data)}.get(Path(name).suffix, data)
    (tmp_path / name).write_bytes(packed)
    result = found(tmp_path, QUESTION)
    assert result.matches[0].share == 1.0
    assert (result.unreadable, result.senseless) == (0, set())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_large_text_with_a_byte_order_mark_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(files, "_PART", 1000)
    monkeypatch.setattr(files, "_BLOCK", 700)
    text = f"{words(300)} {QUESTION} {words(300, 1)}"
    (tmp_path / "a.txt").write_bytes(MARKS[encoding] + text.encode(encoding))
    assert found(tmp_path, QUESTION).matches[0].share == 1.0


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", QUESTION.encode("utf-16-le")),
        ("a.txt", CHINESE.encode("gbk")),
        ("a.csv", CHINESE.encode("utf-16-be")),
        ("a.md", bytes(range(256)) * 50),
        ("a.jsonl", (json.dumps({"text": QUESTION}) + "\n").encode("utf-16-le")),
        ("a.jsonl", (json.dumps({"text": CHINESE}, ensure_ascii=False) + "\n").encode("gbk")),
    ],
    ids=["utf-16", "gbk", "utf-16-chinese", "bytes", "jsonl-utf-16", "jsonl-gbk"],
)
def test_a_file_that_decodes_to_nothing_sensible_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert found(tmp_path, QUESTION).senseless == {name}


@pytest.mark.parametrize(
    "data", [CHINESE.encode(), f"Où est la thèse ? {QUESTION}".encode("latin-1"), b"\t1\x0c2\r\n", b""]
)
def test_a_text_in_utf_8_and_one_with_some_accents_are_not_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert found(tmp_path, QUESTION).senseless == set()


def test_senseless_files_of_several_processes_are_told_to_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        (tmp_path / f"{number}.txt").write_bytes(QUESTION.encode("utf-16-le"))
    contamination_command(["smoke"], tmp_path, None, 0.5, None, (), 2)
    told = capsys.readouterr().out
    assert "2 files are no text in UTF-8" in told and "missed: 0.txt, 1.txt. Convert them" in told
