"""Start and stop servers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from k2eval.config import RunConfig
from k2eval.engines.protocol import Engine
from k2eval.engines.served.finding import asked_of
from k2eval.engines.served.program import Order
from k2eval.engines.served.states import ServerState, forget, path_of, read_state, states_folder
from k2eval.engines.vllm.stages import current_stage
from k2eval.errors import EngineError
from k2eval.system import module_command

_LOOK_S = 0.1
_END_S = 15.0
"""Longest wait for a server that is to end, before it is killed."""
_KEPT_S = 7 * 86_400.0
"""Seconds that the log of a server stays after its last line."""


def start_server(
    engine: Engine,
    config: RunConfig,
    *,
    port: int = 0,
    idle_s: float = 0.0,
    tell: Callable[[str], None] = lambda stage: None,
) -> ServerState:
    """Start a server with the settings of an engine, and wait until it is ready. It outlives this process.

    Args:
        engine: The solver's engine, in process and not started.
        config: The configuration from which it was opened.
        port: The port on the loopback address; any that is free if 0.
        idle_s: Seconds without a request after which it ends; 0 for never.
        tell: Called with the stage of the start, as often as it changes.

    Raises:
        EngineError: If it cannot start.
    """
    info = engine.info
    settings = dict(info.settings)
    speculative = settings.pop("speculative_config", None)
    log = _new_log()
    order = Order(
        kind=info.engine.split()[0],
        model=config.model,
        arguments={**config.engine.arguments, **settings},
        speculative=speculative if isinstance(speculative, dict) else None,
        reasoning=info.reasoning,
        reasoning_from=info.reasoning_from,
        asked=asked_of(engine),
        log=log,
        port=port,
        idle_s=idle_s,
    )
    command, environment = module_command("k2eval.engines.served.program")
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(order.model_dump_json().encode())
    try:
        return _await_ready(process, log, tell)
    except BaseException:
        _end(process.pid)
        raise


def _new_log() -> Path:
    """Return the file of a new server's output, and remove those of servers that are gone."""
    folder = states_folder()
    alive = {state.log for path in folder.glob("*.json") if (state := read_state(path))}
    for old in folder.glob("*.log"):
        if old not in alive and time.time() - old.stat().st_mtime > _KEPT_S:
            forget(old)
    log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600))
    return log


def _await_ready(process: subprocess.Popen[bytes], log: Path, tell: Callable[[str], None]) -> ServerState:
    path, told = path_of(process.pid), ""
    while True:
        code, state = process.poll(), read_state(path)
        if state and state.phase == "ready" and code is None:
            return state
        if code is not None:
            forget(path)
            error = state.error if state and state.error else f"it ended with code {code}"
            raise EngineError(f"The server could not start: {error.rstrip('.')}. Its words are in {log}.")
        stage = current_stage(log, 0)
        if stage != told:
            told = stage
            tell(stage)
        time.sleep(_LOOK_S)


def stop_server(state: ServerState) -> bool:
    """End a server and all its processes; return whether it ran."""
    ran = state.is_alive
    if ran:
        _end(state.pid)
    forget(path_of(state.pid))
    return ran


def _end(pid: int) -> None:
    """Ask a process to end, and kill it with its children if it does not."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
    except psutil.Error:
        return
    _, left = psutil.wait_procs(family, timeout=_END_S)
    for member in left:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(left, timeout=_END_S)
