"""A process that imports vLLM ahead, and then becomes the one in which vLLM's engine computes.

vLLM spawns that process only when this one has imported vLLM, and it imports the same again: on two cores one of them
rests all the while. A spare imports at the same time. When vLLM spawns, the spare gets what a fresh process would get:
the environment, the open descriptors and the same pickled call. If anything is unlike, a fresh process is spawned as
ever, and what was unlike is remembered for the next start: some libraries read variables, such as ``LD_PRELOAD``, only
while they are loaded.
"""

from __future__ import annotations

import array
import contextlib
import importlib
import json
import multiprocessing
import multiprocessing.util
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import spawn
from pathlib import Path
from typing import Any

from k2eval.engines.vllm.children import owner
from k2eval.engines.vllm.setup import vllm_version
from k2eval.errors import ConfigError
from k2eval.records import digest
from k2eval.system import private_folder, replacing

AT_LOAD = (
    "LD_", "OMP_", "GOMP_", "KMP_", "MKL_", "MALLOC_", "TCMALLOC", "PYTHON", "CUDA_", "NVIDIA_", "HIP_", "ROCR_",
    "TORCH_", "PYTORCH_", "TORCHINDUCTOR_", "NUMEXPR_", "HF_", "TRANSFORMERS_", "VLLM_LOGGING", "VLLM_CONFIGURE",
    "VLLM_USE", "VLLM_TARGET_DEVICE", "VLLM_CACHE_ROOT", "VLLM_PLUGINS",
)  # fmt: skip
"""Beginnings of variables that are read while modules and libraries are loaded."""
LATER = ("TORCHINDUCTOR_CACHE_DIR", "PYTHONPATH")
"""Variables that begin like these, and may change until they are needed."""
_SPAWNED = "--multiprocessing-fork"
_ANSWER_S = 120.0
"""Longest wait for a spare that still imports."""
_PLACE = 900
"""The spare's own descriptor: the numbers below are for those that it is given."""
_KEPT_FREE = 512
"""Numbers of descriptors below this one are kept from libraries that open files while they are imported."""

Spawn = Callable[[Any, Sequence[Any], Sequence[int]], int]
"""Starts a process from a path, its arguments and descriptors to pass on; returns its id."""


class Spare:
    """A process that imports vLLM's modules from now on.

    Args:
        version: Version of vLLM; what was learned of another does not count.
        modules: The modules to import; those of vLLM's engine if empty.
    """

    def __init__(self, version: str, modules: Sequence[str] = ()) -> None:
        self._learned = _Learned(version)
        ours, theirs = socket.socketpair()
        self._socket: socket.socket | None = ours
        self._executable = spawn.get_executable()
        self.has_become = False
        """Whether it is now the process that was spawned."""
        # As vLLM's processes are told, see `RunningVllm`.
        environment = {"VLLM_LOGGING_LEVEL": "INFO", **os.environ, **self._learned.variables(), **owner()}
        with theirs:
            self.pid = _spawned_with(environment, theirs.fileno(), modules)

    @property
    def is_waiting(self) -> bool:
        """Whether it has not become anything yet."""
        return self._socket is not None

    @contextlib.contextmanager
    def takes_next(self) -> Iterator[None]:
        """Let it become the next process that `multiprocessing` spawns within the block."""
        util: Any = multiprocessing.util
        original: Spawn = util.spawnv_passfds

        def spawned(path: Any, arguments: Sequence[Any], descriptors: Sequence[int]) -> int:
            is_usual = _SPAWNED in map(_text, arguments) and _text(path) == _text(self._executable)
            if self.is_waiting and is_usual and self._become(arguments, descriptors):
                return self.pid
            return original(path, arguments, descriptors)

        util.spawnv_passfds = spawned
        try:
            yield
        finally:
            util.spawnv_passfds = original
            self.close()

    def _become(self, arguments: Sequence[Any], descriptors: Sequence[int]) -> bool:
        assert self._socket is not None
        passed = sorted({*map(int, descriptors), 1, 2})
        order = {
            "environment": dict(os.environ),
            "arguments": [_text(argument) for argument in arguments],
            "descriptors": passed,
        }
        body = json.dumps(order).encode()
        try:
            self._socket.sendmsg(
                [len(body).to_bytes(8, "big")],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed))],
            )
            self._socket.sendall(body)
            self._socket.settimeout(_ANSWER_S)
            answer = json.loads(_line(self._socket))
        except (OSError, ValueError) as error:
            return self._refused(f"{type(error).__name__}: {error}")
        if answer != "ready":
            self._learned.learn({name: os.environ.get(name) for name in answer})
            return self._refused(
                f"it lacks {', '.join(answer) or 'a free descriptor'}, and has it the next time"
            )
        self._socket.close()
        self._socket = None
        self.has_become = True
        return True

    def _refused(self, reason: str) -> bool:
        self.close()
        print(
            f"k2eval: vLLM's process is spawned anew, not taken from the spare: {reason}", flush=True
        )  # in the log
        return False

    def close(self) -> None:
        """End it, if it still waits."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)


_waiting: list[Spare] = []
"""The spare of this process, if it has one."""


def begin_ahead() -> None:
    """Start a spare, for an engine of this process that will start soon.

    Do nothing if there is one already, or no vLLM.
    """
    if _waiting or multiprocessing.current_process().name != "MainProcess":
        return
    with contextlib.suppress(ConfigError, OSError):
        _waiting.append(Spare(vllm_version()))


def take_spare() -> Spare | None:
    """Return the spare of this process, if it has one; it is the caller's then."""
    return _waiting.pop() if _waiting else None


def end_spare() -> None:
    """End the spare, if nobody has taken it."""
    while _waiting:
        _waiting.pop().close()


class _Learned:
    """The variables with which the last spare was found unlike, in a file of this user's."""

    def __init__(self, version: str) -> None:
        self._key = digest("spare", version, sys.executable, sys.version)

    def variables(self) -> dict[str, str]:
        """Return the variables to start with; none if a file that they preload is gone, or the user set another."""
        try:
            content = json.loads(self._path.read_bytes())
            known = {str(name): str(value) for name, value in content[self._key].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        preloaded = known.get("LD_PRELOAD", "").split(":")
        if any(path and not Path(path).is_file() for path in preloaded):
            return {}
        return known

    def learn(self, variables: Mapping[str, str | None]) -> None:
        """Keep the variables for the next start, beside those that are known."""
        known = {**self.variables(), **variables}
        kept = {name: value for name, value in known.items() if value is not None}
        with contextlib.suppress(OSError), replacing(self._path) as partial:
            partial.write_text(json.dumps({self._key: kept}))

    @property
    def _path(self) -> Path:
        return private_folder("start") / "spare.json"


def _spawned_with(environment: Mapping[str, str], descriptor: int, modules: Sequence[str]) -> int:
    """Start the spare with Ctrl-C blocked, as vLLM's processes are. No ``Popen`` may wait for it: vLLM does."""
    # Its own variable is taken back by the environment that it gets.
    command = [sys.executable, "-m", __name__, str(descriptor), *modules]
    path = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, sys.path)])
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.set_inheritable(descriptor, True)
    try:
        return os.posix_spawn(sys.executable, command, {**environment, "PYTHONPATH": path})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _text(argument: Any) -> str:
    return os.fsdecode(argument) if isinstance(argument, (str, bytes)) else str(argument)


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece:
            raise ConnectionError("the spare has ended")
        received += piece
    return received


def main() -> None:
    """Import vLLM's modules, wait for the order, and go on as the process that was spawned; as the spare."""
    import gc

    given = int(sys.argv[1])
    os.dup2(given, _PLACE, inheritable=False)
    os.close(given)
    connection = socket.socket(fileno=_PLACE)
    back = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(back, descriptor)
    kept = _keep_free(back)
    os.close(back)
    before = dict(os.environ)
    gc.disable()  # nothing of what is imported is garbage, and looking for it takes a quarter of the time
    _import(sys.argv[2:] or _of_engine())
    gc.freeze()
    gc.enable()
    order, received = _order(connection)
    if order is None:
        return
    wanted = order["environment"]
    # Some modules set a variable when they are imported, and some add to what it holds: cv2 to LD_LIBRARY_PATH.
    unlike = [
        name
        for name in {*os.environ, *wanted}
        if name.startswith(AT_LOAD)
        and name not in LATER
        and wanted.get(name) not in (before.get(name), os.environ.get(name))
    ]
    numbers = order["descriptors"]
    for number in kept:
        os.close(number)
    if unlike or not _place(received, numbers):
        connection.sendall(json.dumps(unlike).encode() + b"\n")
        return
    connection.sendall(b'"ready"\n')
    connection.close()
    os.environ.clear()
    os.environ.update(wanted)
    _go_on(order["arguments"])


def _keep_free(descriptor: int) -> list[int]:
    """Occupy the low numbers of descriptors that are free, and return them."""
    free = [number for number in range(3, _KEPT_FREE) if number != descriptor and not _is_open(number)]
    for number in free:
        os.dup2(descriptor, number, inheritable=False)
    return free


def _of_engine() -> list[str]:
    from vllm.platforms import current_platform

    kind = "cpu" if current_platform.is_cpu() else "gpu"
    return [
        "vllm.v1.engine.core",
        "vllm.v1.executor.uniproc_executor",
        f"vllm.v1.worker.{kind}_worker",
        "vllm.model_executor.model_loader",
        "k2eval.engines.vllm.cpu_repair",
        "k2eval.cli.app",
    ]


def _import(names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(ImportError):  # other versions of vLLM keep them elsewhere
            importlib.import_module(name)


def _order(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return the order and the descriptors that come with it; None if the process that would give one is gone."""
    parent = os.getppid()
    while not select.select([connection], [], [], 1.0)[0]:
        if os.getppid() != parent:
            return None, []
    size, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_LEN(1024))
    if len(size) < 8:
        return None, []
    received = array.array("i")
    for _, _, content in ancillary:
        received.frombytes(content[: len(content) - len(content) % received.itemsize])
    body, length = b"", int.from_bytes(size, "big")
    while len(body) < length:
        piece = connection.recv(length - len(body))
        if not piece:
            return None, []
        body += piece
    return json.loads(body), list(received)


def _place(received: Sequence[int], numbers: Sequence[int]) -> bool:
    """Give each descriptor the number that it has in the other process; return False if another one has it here."""
    if len(received) != len(numbers) or max(numbers) >= _PLACE:
        return False
    if any(_is_open(number) for number in numbers if number not in (*received, 1, 2)):
        return False
    above = [os.dup2(descriptor, _PLACE + 1 + place) for place, descriptor in enumerate(received)]
    for descriptor in received:
        os.close(descriptor)
    for descriptor, number in zip(above, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return True


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _go_on(arguments: Sequence[str]) -> None:
    """Do what a spawned process does with these arguments of Python."""
    import tempfile

    tempfile.tempdir = None  # another folder by now
    command = arguments[arguments.index("-c") + 1]
    sys.argv = ["-c", *arguments[arguments.index("-c") + 2 :]]
    exec(compile(command, "<spawned>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
