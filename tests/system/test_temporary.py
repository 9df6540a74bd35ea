"""Temporary folders of killed processes are removed at the next start."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from k2eval.system import remove_leftovers, temporary_folder

KILLED = """
import os, signal
from k2eval.system import temporary_folder
with temporary_folder() as folder:
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


def test_the_folder_of_a_killed_process_is_removed(place: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert Path(killed.stdout.strip()).is_dir()
    with temporary_folder():
        pass
    assert list(place.iterdir()) == []


def test_the_folder_of_a_living_process_stays(place: Path) -> None:
    with temporary_folder() as folder:
        remove_leftovers()
        assert folder.is_dir()


@pytest.mark.parametrize("name", ["k2eval-notes", "k2eval-999999999", "other-999999999-a"])
def test_the_folders_of_others_stay(place: Path, name: str) -> None:
    (place / name).mkdir()
    remove_leftovers()
    assert (place / name).is_dir()


def test_a_link_is_not_followed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("target")
    (target / "file").touch()
    (place / "k2eval-999999999-a").symlink_to(target)
    remove_leftovers()
    assert os.listdir(target) == ["file"]


def test_the_file_of_a_killed_process_is_removed(place: Path) -> None:
    (place / "k2eval-999999999-a").touch()
    remove_leftovers()
    assert list(place.iterdir()) == []


def test_the_log_of_a_process_stays_for_a_day(place: Path) -> None:
    log = place / "k2eval-999999999-engine-a.log"
    log.touch()
    remove_leftovers()
    assert log.exists()
    os.utime(log, (0, 0))
    remove_leftovers()
    assert not log.exists()


def test_the_folder_of_another_pid_namespace_stays_for_a_day(place: Path) -> None:
    folder = place / "k2eval-999999999.1-a"
    folder.mkdir()
    remove_leftovers()
    assert folder.is_dir()
    old = time.time() - 2 * 86_400
    os.utime(folder, (old, old))
    remove_leftovers()
    assert not folder.exists()


def test_a_folder_goes_although_a_process_that_ends_still_writes_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = ["log"]

    def removing(path: Path, ignore_errors: bool) -> None:
        if left:
            (path / left.pop()).touch()  # between the look into the folder and its removal
        else:
            remove(path, ignore_errors=ignore_errors)

    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", removing)
    with temporary_folder() as folder:
        pass
    assert not folder.exists()
