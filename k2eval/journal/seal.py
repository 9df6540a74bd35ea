"""Checksums and signatures of run directories, and the memory of those that were verified here.

A checksum file lists the SHA-256 of each file of a run directory. ``ssh-keygen -Y`` signs it, so the keys are those
that people sign commits with. That a run was verified is remembered in the user's own cache, under the checksums:
nothing in a run directory of somebody else can claim it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import platformdirs

from k2eval.errors import ConfigError, JournalError
from k2eval.journal.lines import GENERATIONS, RUN, VERDICTS
from k2eval.records import digest
from k2eval.system import open_file, write_text
from k2eval.values import read_json

SEAL, SIGNATURE = "checksums.json", "checksums.json.sig"
NAMESPACE = "k2eval"
_CHUNK = 1 << 20
_CHECKS = 2
"""Changes whenever `k2eval verify` checks more, since a run that an earlier one let through may not hold."""


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a run directory, in hexadecimal digits.

    Raises:
        JournalError: If a file cannot be read.
    """
    sums = {}
    for name in (RUN, GENERATIONS, VERDICTS):
        hashed = hashlib.sha256()
        try:
            with open_file(folder / name) as file:
                while chunk := file.read(_CHUNK):
                    hashed.update(chunk)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise JournalError(f"Cannot read {folder / name}: {error.strerror or error}.") from error
        sums[name] = hashed.hexdigest()
    return sums


def sign(folder: Path, key: Path) -> None:
    """Write the checksums of a run directory, and their signature by an SSH key.

    Args:
        folder: The run directory.
        key: File with the private key, or with the public one if an agent has the other.

    Raises:
        ConfigError: If the files cannot be written, or ``ssh-keygen`` cannot sign.
    """
    seal = json.dumps({"sha256": checksums(folder)}, indent=1) + "\n"
    done = _ssh_keygen("sign", "-f", str(key), "-n", NAMESPACE, text=seal.encode())
    if done.returncode:
        raise ConfigError(
            f"Cannot sign with {key}: {_last_line(done)}. Give an SSH key, such as ~/.ssh/id_ed25519."
        )
    try:
        write_text(folder / SEAL, seal, of_run=True)
        write_text(folder / SIGNATURE, done.stdout.decode(), of_run=True)
    except OSError as error:
        raise ConfigError(f"Cannot write {folder / SEAL}: {error.strerror}.") from error


def seal_faults(folder: Path) -> list[str]:
    """Return what contradicts the checksums in a run directory, a sentence each; nothing if it has none."""
    path = folder / SEAL
    if not os.path.lexists(path):
        return []
    try:
        with open_file(path, os.O_RDONLY | os.O_NOFOLLOW) as file:
            stated: Any = read_json(file.read(_CHUNK))["sha256"]
        entries = dict(stated)
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{SEAL} is not what `k2eval verify --sign` writes"]
    others = sorted(name for name in entries if name not in (RUN, GENERATIONS, VERDICTS))
    if others:
        return [f"{SEAL} speaks of {others[0]!r:.80}, which is no file of a run"]
    there = checksums(folder)
    return [
        f"{name} is not the file that {SEAL} speaks of"
        for name in sorted({*entries, *there})
        if entries.get(name) != there.get(name)
    ]


def signer(folder: Path, signers: Path | None = None) -> str | None:
    """Return who signed a run directory; None if nobody did.

    Args:
        folder: The run directory.
        signers: File of allowed signers, as of ``ssh-keygen``. Without it, the key is named and nobody vouches for it.

    Raises:
        ConfigError: If there is a signature that does not hold, or none although ``signers`` are given.
    """
    seal, signature = folder / SEAL, folder / SIGNATURE
    for path, other in ((seal, signature), (signature, seal)):
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise ConfigError(f"Expected {path} to be a regular file. Restore or remove it.")
        if path is signature and os.path.lexists(path) and not os.path.lexists(other):
            raise ConfigError(
                f"{signature} signs {seal}, which is missing. Restore it, or remove the signature."
            )
    if not signature.exists():
        if signers is not None:
            raise ConfigError(
                f"Expected a signature of {folder}, got none. `k2eval verify --sign KEY` makes one."
            )
        return None
    common = ("-n", NAMESPACE, "-s", str(signature))
    text = seal.read_bytes()
    if signers is None:
        done = _ssh_keygen("check-novalidate", *common, text=text)
        if done.returncode:
            raise ConfigError(f"{signature} does not hold: {_last_line(done)}.")
        return done.stdout.decode(errors="replace").strip().removeprefix('Good "k2eval" signature with ')
    lookup = _ssh_keygen("find-principals", "-f", str(signers), "-s", str(signature))
    principal = lookup.stdout.decode(errors="replace").strip().split("\n")[0]
    if lookup.returncode or not principal:
        raise ConfigError(f"{signature} is by nobody in {signers}.")
    done = _ssh_keygen("verify", "-f", str(signers), "-I", principal, *common, text=text)
    if done.returncode:
        raise ConfigError(f"{signature} does not hold: {_last_line(done)}.")
    return principal


def _ssh_keygen(action: str, *arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", action, *arguments], input=text, capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"Cannot run ssh-keygen: {error}. Signatures need OpenSSH 8.2 or later (Debian: openssh-client)."
        ) from error


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else "no reason given"


def remember_verified(folder: Path) -> None:
    """Remember that a run directory was verified as it stands now."""
    write_text(_mark(folder), json.dumps({"folder": str(folder.resolve())}) + "\n")


def is_verified(folder: Path) -> bool:
    """Return whether `remember_verified` was called for the very files of a run directory, by this user here."""
    return _marks().is_dir() and _mark(folder).exists()


def _marks() -> Path:
    return platformdirs.user_cache_path("k2eval") / "verified"


def _mark(folder: Path) -> Path:
    return _marks() / f"{digest(_CHECKS, checksums(folder))}.json"
