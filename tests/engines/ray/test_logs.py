"""The log of a replica on a node that does not see the run directory."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from k2eval.engines.ray.logs import log_here, take_last


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def test_a_node_that_sees_the_run_directory_writes_there(tmp_path: Path) -> None:
    assert log_here(str(tmp_path / "engine-0.log"), "name") == tmp_path / "engine-0.log"
    assert log_here("", "name") is None
    assert take_last("name") == ""


def test_another_node_keeps_the_log_for_this_user_alone_until_it_is_fetched(tmp_path: Path) -> None:
    log = log_here(str(tmp_path / "absent" / "engine-0.log"), "name")
    assert log is not None and stat.S_IMODE(log.stat().st_mode) == 0o600
    log.write_text("out of memory\n")
    assert take_last("another") == ""
    assert take_last("name") == "out of memory\n"
    assert not log.exists() and take_last("name") == ""


def test_of_a_long_log_the_end_is_fetched(tmp_path: Path) -> None:
    log = log_here(str(tmp_path / "absent" / "engine-0.log"), "name")
    assert log is not None
    log.write_text("so " * 10**6 + "it ended")
    text = take_last("name")
    assert text.endswith("it ended") and len(text) < 10**5


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_others_put_in_the_place_of_a_log_is_not_read(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "tmp" / "k2eval-1-name.log"
    secret = tmp_path / "secret"
    secret.write_text("a key")
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(secret)
    assert take_last("name") == ""
    assert secret.read_text() == "a key"
