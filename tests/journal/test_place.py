"""A run directory that vanishes under a running program."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from k2eval.errors import JournalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS, Journal
from tests.journal.test_journal import DESCRIPTION
from tests.run_records import run_record
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


def test_a_moved_directory_gets_its_description_and_its_old_place_nothing(
    folder: Path, tmp_path: Path
) -> None:
    with Journal(folder) as journal:
        journal.write_run(DESCRIPTION)
        folder.rename(tmp_path / "elsewhere")
        journal.write_run(run_record(seed=7))
        assert not folder.exists()
    (tmp_path / "elsewhere").rename(folder)  # as the message advises
    with Journal(folder) as journal:
        assert (run := journal.read_run()) is not None and run.seed == 7


def test_another_directory_in_the_place_of_a_moved_one_is_left_alone(folder: Path, tmp_path: Path) -> None:
    with Journal(folder) as journal:
        folder.rename(tmp_path / "elsewhere")
        folder.mkdir()
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation("a"))
        with pytest.raises(JournalError, match="was moved"):
            journal.check()
    assert list(folder.iterdir()) == []


def test_another_directory_in_the_place_of_a_deleted_one_is_left_alone(folder: Path) -> None:
    restored = folder.with_name("one.restored")
    with Journal(folder) as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation("a"))
        shutil.rmtree(folder)
        folder.mkdir()
        with pytest.raises(JournalError, match=f"written to {restored}. Give --out {restored}"):
            journal.check()
        journal.write_run(DESCRIPTION)  # as at the end of every run
    assert list(folder.iterdir()) == []
    with Journal(restored) as journal:
        assert journal.has_generation("k")
    assert (restored / GENERATIONS).read_text().count("\n") == 1


def test_a_file_that_an_editor_replaced_is_left_as_it_is(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.add_generation(generation("a"))
        (folder / GENERATIONS).unlink()
        (folder / GENERATIONS).write_text("mine\n")
        with pytest.raises(JournalError, match=rf"the run's own is .*{GENERATIONS}\.kept"):
            journal.check()
    assert (folder / GENERATIONS).read_text() == "mine\n"
    assert "key" in (folder / f"{GENERATIONS}.kept").read_text()


def test_a_file_that_was_moved_alone_is_named(folder: Path, tmp_path: Path) -> None:
    with Journal(folder) as journal:
        (folder / VERDICTS).rename(tmp_path / "aside")
        with pytest.raises(JournalError, match=f"{VERDICTS} was moved to {tmp_path / 'aside'}"):
            journal.check()


@pytest.mark.parametrize("name", [RUN, GENERATIONS, VERDICTS, ".lock"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_in_the_place_of_a_file_is_refused_at_once(
    folder: Path, name: str, make: Callable[[Path], None]
) -> None:
    with Journal(folder) as journal:
        journal.write_run(DESCRIPTION)
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(JournalError, match=f"{name}"), Journal(folder):
        pass


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


@pytest.mark.parametrize(("length", "words"), [(10, "cut it"), (10_000, "added to it")])
def test_a_file_that_another_program_writes_to_is_named_and_nothing_is_put_behind(
    folder: Path, length: int, words: str
) -> None:
    path = folder / GENERATIONS
    with Journal(folder) as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation("a"))
        os.truncate(path, length)
        with pytest.raises(JournalError, match=words):
            journal.check()
        with pytest.raises(JournalError, match=words):
            journal.add_generation(generation("b"))
    assert path.stat().st_size == length


def test_a_run_whose_file_was_cut_goes_on_without_the_lost_line(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation("a"))
        os.truncate(folder / GENERATIONS, 10)
    with pytest.warns(UserWarning, match="unfinished last line"), Journal(folder) as journal:
        assert journal.generation_count == 0


def test_a_folder_in_which_no_file_can_be_made_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that is read-only now, or with the attribute immutable, which binds root too."""
    with Journal(folder) as journal:
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(JournalError, match="can no longer be written: no file can be made in it"):
            journal.check()
