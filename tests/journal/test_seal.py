"""Checksums, signatures, and the memory of what was verified."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from k2eval.errors import ConfigError
from k2eval.journal import (
    GENERATIONS,
    SEAL,
    SIGNATURE,
    VERDICTS,
    Journal,
    is_verified,
    remember_verified,
    seal_faults,
    sign,
    signer,
)
from tests.journal.test_journal import DESCRIPTION, verdict
from tests.test_records import generation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Journal(tmp_path / "run") as journal:
        journal.write_run(DESCRIPTION)
        journal.add_generation(generation("a"))
        journal.add_verdict(verdict())
    return tmp_path / "run"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def allowed(key: Path, name: str = "lab@example.org") -> Path:
    path = key.with_name("allowed")
    path.write_text(f"{name} {key.with_suffix('.pub').read_text()}")
    return path


def test_a_run_without_a_seal_has_no_faults_and_no_signer(folder: Path) -> None:
    assert seal_faults(folder) == []
    assert signer(folder) is None


def test_a_signed_run_names_its_signer(folder: Path, key: Path) -> None:
    sign(folder, key)
    assert seal_faults(folder) == []
    assert signer(folder, allowed(key)) == "lab@example.org"
    assert (signer(folder) or "").startswith("ED25519 key SHA256:")


def test_signing_again_replaces_the_signature(folder: Path, key: Path) -> None:
    sign(folder, key)
    sign(folder, key)
    assert signer(folder, allowed(key)) == "lab@example.org"


def test_a_file_that_changed_after_it_was_signed_is_named(folder: Path, key: Path) -> None:
    sign(folder, key)
    (folder / VERDICTS).write_text("")
    assert seal_faults(folder) == [f"{VERDICTS} is not the file that {SEAL} speaks of"]


def test_checksums_that_changed_after_they_were_signed_are_refused(folder: Path, key: Path) -> None:
    sign(folder, key)
    (folder / SEAL).write_text((folder / SEAL).read_text() + " ")
    with pytest.raises(ConfigError, match="does not hold"):
        signer(folder)
    with pytest.raises(ConfigError, match="does not hold"):
        signer(folder, allowed(key))


def test_a_signature_of_a_stranger_is_refused(folder: Path, key: Path, tmp_path: Path) -> None:
    sign(folder, key)
    stranger = tmp_path / "stranger"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(ConfigError, match="by nobody in"):
        signer(folder, allowed(stranger))


def test_a_missing_signature_is_refused_if_signers_are_given(folder: Path, key: Path) -> None:
    with pytest.raises(ConfigError, match="Expected a signature"):
        signer(folder, allowed(key))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 5}', "[" * 100_000])
def test_a_damaged_seal_is_a_fault(folder: Path, text: str) -> None:
    (folder / SEAL).write_text(text)
    assert seal_faults(folder) == [f"{SEAL} is not what `k2eval verify --sign` writes"]


@pytest.mark.parametrize("name", ["../run.json", "/etc/passwd", ".lock", ""])
def test_checksums_of_other_files_are_a_fault(folder: Path, name: str) -> None:
    (folder / SEAL).write_text(json.dumps({"sha256": {name: "0" * 64}}))
    assert seal_faults(folder) == [f"{SEAL} speaks of {name!r}, which is no file of a run"]


@pytest.mark.parametrize("name", [SEAL, SIGNATURE])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_a_seal_that_is_no_file_is_refused_at_once(
    folder: Path, key: Path, name: str, make: Callable[[Path], None]
) -> None:
    sign(folder, key)
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(ConfigError, match=f"Expected .*{name} to be a regular file"):
        signer(folder)
    assert name == SIGNATURE or seal_faults(folder)


def test_a_signature_without_its_checksums_is_refused(folder: Path, key: Path) -> None:
    sign(folder, key)
    (folder / SEAL).unlink()
    with pytest.raises(ConfigError, match=r"signs .*, which is missing"):
        signer(folder)


@pytest.mark.parametrize("name", [GENERATIONS, VERDICTS])
def test_a_file_that_was_removed_after_it_was_signed_is_named(folder: Path, key: Path, name: str) -> None:
    sign(folder, key)
    (folder / name).unlink()
    assert seal_faults(folder) == [f"{name} is not the file that {SEAL} speaks of"]


def test_a_key_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot sign with"):
        sign(folder, tmp_path / "nothing")


def test_a_key_that_is_none_leaves_the_signature_that_there_is(
    folder: Path, key: Path, tmp_path: Path
) -> None:
    sign(folder, key)
    with pytest.raises(ConfigError):
        sign(folder, tmp_path / "nothing")
    assert signer(folder, allowed(key)) == "lab@example.org"


def test_what_was_verified_is_remembered_until_a_file_changes(folder: Path, cache: Path) -> None:
    assert not is_verified(folder)
    remember_verified(folder)
    assert is_verified(folder)
    (folder / VERDICTS).write_text("")
    assert not is_verified(folder)


def test_what_an_earlier_k2eval_let_through_is_not_remembered(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_verified(folder)
    monkeypatch.setattr("k2eval.journal.seal._CHECKS", 10**6)
    assert not is_verified(folder)
