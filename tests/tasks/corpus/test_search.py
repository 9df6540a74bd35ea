from __future__ import annotations

import gzip
import io
import json
import random
import string
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from k2eval.errors import DataError
from k2eval.tasks.corpus import files, search
from k2eval.tasks.corpus.files import passed_over
from k2eval.tasks.corpus.fingerprints import SPAN, Index, hashes_of, reduced
from k2eval.tasks.corpus.found import CorpusMatches
from k2eval.tasks.corpus.search import search_corpus

QUESTION = (
    "Alice writes the numbers from 1 to 20 on a board. In each step Bob erases two of them and writes their sum. How "
    "many different boards can remain after 5 steps, if the order does not matter?"
)
OTHER = "A regular polygon with 17 sides is cut along some of its diagonals into triangles of which none is acute. Count."


def words(count: int, seed: int = 0) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices(string.ascii_lowercase, k=6)) for _ in range(count))


def jsonl(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"meta": {"n": 1}, "text": text}) + "\n" for text in texts))
    return path


def found(folder: Path, *texts: str, workers: int = 1) -> CorpusMatches:
    return search_corpus(folder, texts or (QUESTION, OTHER), workers)[0]


def test_each_span_has_the_hash_of_its_bytes_wherever_it_stands() -> None:
    span = reduced(words(SPAN))[:SPAN]
    alone, within = hashes_of(span), hashes_of(b"abc" + span + b"xyz")
    assert len(alone) == 1 and within[3] == alone[0] and len(np.unique(within)) == 7


def test_a_text_shorter_than_a_span_has_no_fingerprint() -> None:
    assert len(hashes_of(b"short")) == 0
    assert list(Index(["Too short?", QUESTION]).sizes > 0) == [False, True]


def test_a_copied_question_is_found_with_file_and_place(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", words(300), f"{words(50, 1)} {QUESTION} {words(50, 2)}")
    matches = found(tmp_path).matches
    assert list(matches) == [0] and matches[0].share == 1.0
    assert matches[0].place == f"a.jsonl:{len(path.read_text().splitlines()[0]) + 1}"


def test_layout_and_case_hide_nothing(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", QUESTION.upper().replace(" ", "\n  ").replace("20", "$20$"))
    assert found(tmp_path).matches[0].share == 1.0


@pytest.mark.parametrize(
    ("sign", "other"),
    [(" ", "\u00a0"), (" ", "\u200b "), (" ", "\u2009"), (" ", " – "), (" ", "”"), (" ", "\u3000")],
)
def test_signs_outside_of_ascii_that_are_no_letters_hide_nothing(
    tmp_path: Path, sign: str, other: str
) -> None:
    (tmp_path / "a.txt").write_text(QUESTION.replace(sign, other), "utf-8")
    assert found(tmp_path, QUESTION).matches[0].share == 1


def test_letters_outside_of_ascii_count() -> None:
    assert reduced("é") != reduced("e") != reduced("问") and reduced("问") != reduced("题")


def test_lines_of_json_in_a_file_named_json_are_read(tmp_path: Path) -> None:
    text = f"{json.dumps({'text': OTHER})}\n\nno json\n{json.dumps({'text': QUESTION})}\n"
    (tmp_path / "a.json").write_text(text)
    matches = found(tmp_path, OTHER, QUESTION)
    places = {number: match.place for number, match in matches.matches.items()}
    assert places == {0: "a.json:0", 1: f"a.json:{text.rindex(chr(10), 0, -1) + 1}"}
    assert matches.unreadable == 1


def test_one_value_of_json_that_was_cut_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"text": QUESTION}], indent=1)[:-20])
    with pytest.raises(DataError, match=r"a\.json: it is no JSON"):
        found(tmp_path, QUESTION)


def test_a_question_in_slightly_other_words_is_found_in_part(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", QUESTION.replace("different", "distinct"))
    assert 0.4 < found(tmp_path).matches[0].share < 0.9


def test_half_a_question_in_each_of_two_documents_is_half_a_question(tmp_path: Path) -> None:
    half = len(QUESTION) // 2
    jsonl(tmp_path / "a.jsonl", QUESTION[:half], QUESTION[half:])
    assert found(tmp_path).matches[0].share < 0.5


@pytest.mark.parametrize(
    "kind",
    [
        "txt",
        "md",
        "txt.gz",
        "txt.zst",
        "jsonl.gz",
        "jsonl.zst",
        "ndjson",
        "json",
        "json.gz",
        "JSONL",
        "csv",
        "tsv.gz",
        "parquet",
    ],
)
def test_all_kinds_of_files_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "deep" / f"file.{kind}"
    path.parent.mkdir()
    text = f"{words(20)}\n{QUESTION[:60]}\n{QUESTION[60:]}\n"
    if kind == "parquet":
        pq.write_table(pa.table({"id": [1], "text": [text]}), path)
    else:
        data = json.dumps({"text": text}) if "json" in kind.lower() else text
        packed = {"gz": gzip.compress, "st": zstandard.ZstdCompressor().compress}.get(kind[-2:], bytes)
        path.write_bytes(packed(data.encode()))
    assert found(tmp_path).matches[0].share == 1.0


def test_parts_of_a_file_read_each_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PART", 700)
    texts = [words(30, seed) for seed in range(20)]
    jsonl(tmp_path / "a.jsonl", *texts, QUESTION)
    result = found(tmp_path, *texts, QUESTION)
    assert result.documents == 21
    assert [round(result.matches[number].share, 3) for number in range(21)] == [1.0] * 21


def test_a_question_across_the_border_of_two_parts_is_found_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PART", 4_000)
    monkeypatch.setattr(files, "_BLOCK", 1_000)
    monkeypatch.setattr(search, "_LEAST_OVERLAP", 0)
    for shift in range(0, len(QUESTION), 40):
        before = words(2_000)[: 4_000 - shift]
        (tmp_path / "a.txt").write_text(f"{before}{QUESTION}{words(2_000, 1)}")
        assert found(tmp_path).matches[0].share == 1.0, shift


def test_a_question_across_the_border_of_two_blocks_of_a_packed_file_is_found_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BLOCK", 1_000)
    monkeypatch.setattr(search, "_LEAST_OVERLAP", 0)
    for shift in range(0, len(QUESTION), 40):
        text = f"{words(2_000)[: 3_000 - shift]}{QUESTION}{words(2_000, 1)}"
        (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
        assert found(tmp_path).matches[0].share == 1.0, shift


def test_blocks_cover_a_part_and_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BLOCK", 4)
    data = bytes(range(65, 65 + 20))

    def of(start: int, end: int | None) -> list[tuple[int, bytes]]:
        file = io.BytesIO(data)
        file.seek(start)
        return list(files.blocks(file, files.Part(Path("a.txt"), start, end), 2))

    assert of(0, 10) == [(0, b"ABCDEF"), (4, b"EFGHIJ"), (8, b"IJKL")]
    assert of(10, 20) == [(10, b"KLMNOP"), (14, b"OPQRST"), (18, b"ST")]
    assert of(0, None)[-1] == (16, b"QRST")


def test_a_file_of_one_endless_line_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BLOCK", 1_000)
    monkeypatch.setattr(search, "_LEAST_OVERLAP", 0)
    (tmp_path / "a.txt").write_text(words(3_000).replace(" ", "") + QUESTION.replace("\n", ""))
    result = found(tmp_path)
    assert result.documents > 15 and result.matches[0].share == 1.0


def test_several_frames_of_zstandard_are_read(tmp_path: Path) -> None:
    frames = [json.dumps({"text": text}) + "\n" for text in (words(50), QUESTION)]
    packed = [zstandard.ZstdCompressor().compress(frame.encode()) for frame in frames]
    (tmp_path / "a.jsonl.zst").write_bytes(b"".join(packed))
    assert found(tmp_path).matches[0].share == 1.0


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.txt.gz", "a.json", "a.parquet"])
def test_a_damaged_file_of_any_kind_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"neither one nor the other")
    with pytest.raises(DataError, match=f"Cannot read .*{name}"):
        found(tmp_path)


def test_a_packed_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    packed = zstandard.ZstdCompressor().compress(words(5_000).encode())
    (tmp_path / "a.txt.zst").write_bytes(packed[:-100])
    with pytest.raises(DataError, match=r"Cannot read .*a\.txt\.zst"):
        found(tmp_path)


def test_a_line_that_is_too_long_is_counted_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LONGEST_LINE", 1_000)
    jsonl(tmp_path / "a.jsonl", words(2_000), QUESTION)
    result = found(tmp_path)
    assert result.unreadable == 1 and result.matches[0].share == 1.0


def test_a_large_table_is_shared_out_by_its_groups_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PART", 1_000)
    texts = [words(200, seed) for seed in range(20)]
    table = pa.table({"text": [*texts, QUESTION]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    assert len(files.parts_of(tmp_path)) == 3
    result = found(tmp_path)
    assert (result.documents, result.matches[0].place) == (21, "a.parquet:20")


def test_one_value_of_json_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LARGEST_JSON", 1_000)
    (tmp_path / "a.json").write_text(json.dumps([QUESTION] * 20))
    with pytest.raises(DataError, match="Write it as JSON Lines"):
        found(tmp_path)


def test_a_span_that_occurs_often_costs_little(tmp_path: Path) -> None:
    zeros = "0" * 200
    (tmp_path / "a.txt").write_text("0" * 3_000_000)
    result = found(tmp_path, *(f"{zeros} {number}" for number in range(300)))
    assert len(result.matches) == 300


@pytest.mark.slow
def test_several_processes_find_the_same(tmp_path: Path) -> None:
    for number in range(3):
        jsonl(tmp_path / f"{number}.jsonl", words(400, number), QUESTION if number == 1 else OTHER)
    alone, together = found(tmp_path), found(tmp_path, workers=2)
    assert together.matches[0] == alone.matches[0] and together.documents == alone.documents


def test_a_line_that_is_no_json_is_counted_and_hides_no_other(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", QUESTION)
    path.write_text("{broken\n" + path.read_text())
    result = found(tmp_path)
    assert result.unreadable == 1 and result.matches[0].share == 1.0


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Expected training data below"):
        found(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"Cannot read .*a\.jsonl\.gz"):
        found(tmp_path)


@pytest.mark.parametrize("more", ['"score": NaN', '"mark": "\\ud83d"', '"size": 1e999'])
def test_an_odd_value_beside_a_text_hides_no_text(tmp_path: Path, more: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": {json.dumps(QUESTION)}, {more}}}\n')
    assert found(tmp_path).matches[0].share == 1.0


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    for name in ("a.txt", "b.arrow", "c.ARROW", "d.warc.gz", "E.TXT"):
        (tmp_path / name).write_text("x")
    (tmp_path / "empty.bin").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    assert passed_over(tmp_path) == {".arrow": 2, ".warc.gz": 1, "links to folders": 1}
