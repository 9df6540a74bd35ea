"""The warm interpreter: waits for jobs, gives each its own pid namespace, and never reads what a job runs.

Three generations of processes. The *zygote* is the first process of the box, keeps the interpreter warm and owns the
mounts. For every job it forks a *watcher* (`k2eval.sandbox.inside.watcher`), the first process of a new pid namespace.
For every run the watcher forks the *program*. What a job wrote dies with its watcher; nothing flows back into the
zygote.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any

from k2eval.sandbox.inside import warm
from k2eval.sandbox.inside.folders import Scratch, mount_submission_folder
from k2eval.sandbox.inside.kernel import CLONE_NEWPID, PR_SET_PDEATHSIG, FilterProgram, prctl, setns, unshare
from k2eval.sandbox.inside.watcher import EXIT_CLEAN, EXIT_SCRATCH_USED, Filters, Watcher


def serve(config: dict[str, Any], descriptor: int, register_at_fork: Callable[..., None]) -> None:
    """Warm up, say so, and serve jobs until the other side closes the control socket."""
    control = socket.socket(fileno=descriptor)
    os.setsid()
    os.umask(0o022)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for each in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(each, signal.SIG_DFL)
    for each in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_IGN)  # as Python sets them: a write fails with an exception instead
    writable = mount_submission_folder()
    scratch = Scratch()
    filters = FilterProgram(bytes.fromhex(config["watcher"])), FilterProgram(bytes.fromhex(config["program"]))
    base = warm.warm_up(config["profile"])
    os.register_at_fork = register_at_fork
    own = os.pidfd_open(os.getpid())
    socket.send_fds(control, [json.dumps({"ready": True}).encode()], [writable])
    os.close(writable)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
        if not message:
            os._exit(0)
        job = json.loads(message)
        if job["op"] == "job":
            job["base_bytes"] = base
            serve_job(job, descriptors, control, scratch, filters, own)
        for number in descriptors:
            os.close(number)


def serve_job(
    job: dict[str, Any],
    descriptors: list[int],
    control: socket.socket,
    scratch: Scratch,
    filters: Filters,
    own: int,
) -> None:
    """Fork the watcher of one job and wait for its end, or for the end of the other side."""
    scratch.renew(job["scratch_mb"], job["scratch_files"])
    unshare(CLONE_NEWPID)
    watcher = os.fork()
    if watcher == 0:
        try:
            Watcher(job, control, filters).serve(descriptors, scratch.untouched)
        except BaseException:
            text = traceback.format_exc()[-2000:]
            control.send(json.dumps({"failed": text}).encode())
        os._exit(1)
    setns(own, CLONE_NEWPID)
    ended = os.pidfd_open(watcher)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, 0)
    while not any(number == ended for number, _ in poll.poll()):
        os._exit(0)
    os.close(ended)
    _, status = os.waitpid(watcher, 0)
    if status not in (EXIT_CLEAN, EXIT_SCRATCH_USED << 8):
        control.send(json.dumps({"gone": status}).encode())
