"""A search that was stopped goes on with what it had found."""

from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.errors import DataError
from k2eval.tasks.corpus import files
from k2eval.tasks.corpus.found import CorpusMatches
from k2eval.tasks.corpus.search import search_corpus
from tests.tasks.corpus.test_search import OTHER, QUESTION, jsonl, words


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files in several parts."""
    monkeypatch.setattr(files, "_PART", 2_000)
    data = tmp_path / "data"
    data.mkdir()
    jsonl(data / "a.jsonl", *(words(60, seed) for seed in range(10)), QUESTION)
    jsonl(data / "b.jsonl", *(words(60, seed) for seed in range(8)), OTHER)
    return data


def search(folder: Path, *texts: str) -> tuple[CorpusMatches, int]:
    """Return what was found, and the bytes that were read for it."""
    read: list[int] = []
    found, _ = search_corpus(
        folder,
        texts or (QUESTION, OTHER),
        1,
        progress=lambda done, _: read.append(done),
        keep=folder.parent / "kept",
    )
    return found, read[-1] - read[0]


def test_a_second_search_reads_nothing_and_finds_the_same(folder: Path) -> None:
    first, read = search(folder)
    second, again = search(folder)
    assert second == first and set(first.matches) == {0, 1}
    assert (read > 0, again) == (True, 0)


def test_a_file_that_was_changed_is_searched_again(folder: Path) -> None:
    search(folder)
    jsonl(folder / "b.jsonl", "nothing")
    found, read = search(folder)
    assert (set(found.matches), read) == ({0}, (folder / "b.jsonl").stat().st_size)


def test_a_last_line_that_was_cut_off_does_not_count(folder: Path) -> None:
    whole, _ = search(folder)
    kept = folder.parent / "kept"
    kept.write_bytes(kept.read_bytes()[:-10])
    found, read = search(folder)
    assert found == whole and read > 0
    assert search(folder)[1] == 0


def test_what_was_kept_for_other_questions_is_refused(folder: Path) -> None:
    search(folder)
    with pytest.raises(DataError, match="that of others"):
        search(folder, OTHER)


@pytest.mark.parametrize("content", ["hello\n", '{"a": 1}\n', "[1]\n"])
def test_another_file_is_refused_and_stays_as_it_is(folder: Path, content: str) -> None:
    kept = folder.parent / "kept"
    kept.write_text(content)
    with pytest.raises(DataError, match="expected what an earlier search"):
        search(folder)
    assert kept.read_text() == content
