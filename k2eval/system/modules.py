"""Modules of k2eval's as programs of their own, which end with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path


def module_command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of a module that finds the same packages as this process.

    Its first argument is the id of this process, for `die_with_parent`.
    """
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(dict.fromkeys([package_root, *(entry or str(Path.cwd()) for entry in sys.path)]))
    command = [sys.executable, "-m", module, str(os.getpid()), *arguments]
    return command, {**os.environ, "PYTHONPATH": path}


def start_module(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a module in a fresh process and a process group of its own, with unbuffered pipes to it.

    Linux ends the process with the thread that calls this.
    """
    command, environment = module_command(module, *arguments)
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        process_group=0,
        bufsize=0,
    )


def die_with_parent() -> None:
    """Have the kernel end this process with its parent, even in the middle of a computation.

    Raises:
        SystemExit: If the parent, named by the first argument, is gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        raise SystemExit("the parent is gone already")


_PR_SET_PDEATHSIG = 1
