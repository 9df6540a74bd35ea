"""A run directory that vanishes under a running program."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from k2eval.errors import JournalError
from k2eval.journal import Journal
from tests.journal.test_journal import DESCRIPTION
from tests.test_records import generation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one"


def test_a_directory_in_its_place_passes(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.check()
        (folder / ".lock").unlink()
        journal.check()


def test_what_a_deleted_directory_held_is_written_again(folder: Path) -> None:
    with pytest.raises(JournalError, match="was deleted while the run went on"), Journal(folder) as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation("a"))
        shutil.rmtree(folder)
        try:
            journal.check()
        finally:
            journal.write_run(DESCRIPTION)
    with Journal(folder) as journal:
        assert journal.find("k") == generation("a")


def test_a_moved_directory_is_named(folder: Path, tmp_path: Path) -> None:
    with Journal(folder) as journal:
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(JournalError, match=f"was moved to {tmp_path / 'elsewhere'}"):
            journal.check()


def test_a_directory_that_cannot_be_written_again_is_named(folder: Path) -> None:
    with Journal(folder) as journal:
        shutil.rmtree(folder.parent)
        folder.parent.touch()
        with pytest.raises(JournalError, match="cannot be written again"):
            journal.check()


def test_a_directory_that_was_made_read_only_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with Journal(folder) as journal:
        monkeypatch.setattr(os, "utime", refuse)
        with pytest.raises(JournalError, match="can no longer be written: Read-only file system"):
            journal.check()
