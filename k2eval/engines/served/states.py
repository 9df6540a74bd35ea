"""State files of the servers of this user on this host. They hold keys, so nobody else may read them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import psutil
from pydantic import ValidationError

from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError
from k2eval.records import Json, Record
from k2eval.system import private_folder

_SAME_START_S = 1.0
"""Two readings of the time at which a process began differ by less."""
_LARGEST = 1 << 22
"""Bytes of a state file; a server's own takes some kilobytes."""

Phase = Literal["starting", "ready", "failed"]


class ServerState(Record):
    """One server, as its state file tells."""

    pid: int
    began: float
    """Time at which the process began, in seconds since 1970; a later process may have the same id."""
    host: str
    """The host's name: a home folder may be shared by several hosts."""
    boot: str
    """Another text after another start of the host."""
    phase: Phase
    model: str
    """The model's name as the user gave it, for people; a local folder with its whole path."""
    asked: Mapping[str, Json]
    """All that a run must agree with, see `k2eval.engines.served.finding.asked_of`."""
    log: Path
    url: str = ""
    """Base URL of OpenAI's API; empty until the server is ready."""
    key: str = ""
    """The API key."""
    window: int = 0
    """Number of requests in flight that keep the engine full."""
    start_s: float = 0.0
    """Duration of the start in seconds."""
    ready: float = 0.0
    """Time at which the server was ready, in seconds since 1970."""
    info: EngineInfo | None = None
    """Identity and settings of the engine, once it is ready."""
    error: str = ""
    """The reason for a start that failed."""

    @property
    def is_alive(self) -> bool:
        """Whether the very process still runs."""
        if self.boot != boot():
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.began) < _SAME_START_S
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


def states_folder() -> Path:
    """Return the folder of state files, which is made if it is missing.

    Raises:
        EngineError: If the folder cannot be made, or others could read it.
    """
    try:
        return private_folder("servers", runtime=True)
    except OSError as error:
        raise EngineError(f"There is no place for the states of servers: {error}.") from error


def host() -> str:
    """Return the name of this host."""
    return os.uname().nodename


def boot() -> str:
    """Return a text that is another one after another start of this host."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{os.uname().nodename} {psutil.boot_time():.0f}"


def path_of(pid: int) -> Path:
    """Return the state file of a process."""
    return states_folder() / f"{pid}.json"


def write_state(state: ServerState) -> None:
    """Write a server's state file anew; it is whole at any moment, and has mode 0600."""
    path = path_of(state.pid)
    partial = path.with_suffix(".partial")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(state.model_dump(mode="json")))
    partial.replace(path)


def read_state(path: Path) -> ServerState | None:
    """Return what a state file tells; None if it is gone or no state file."""
    try:
        with path.open("rb") as file:
            return ServerState.model_validate(json.loads(file.read(_LARGEST)))
    except (OSError, ValueError, ValidationError, RecursionError):
        return None


def read_states() -> list[ServerState]:
    """Return the servers of this user on this host, the oldest first.

    Files of processes that are gone are removed, those of other hosts left alone. A start that failed is gone, too.
    A file that cannot be read may be that of another version of k2eval, whose server ends with its file: it stays as
    long as its process.
    """
    states = []
    for path in sorted(states_folder().glob("*.json")):
        state = read_state(path)
        if state is not None and state.is_alive:
            states.append(state)
        elif state.host == host() if state else not _is_of_a_process(path):
            forget(path)
    return sorted(states, key=lambda state: state.began)


def _is_of_a_process(path: Path) -> bool:
    return path.stem.isdecimal() and psutil.pid_exists(int(path.stem))


def forget(path: Path) -> None:
    """Remove a state file."""
    with contextlib.suppress(OSError):
        path.unlink()
