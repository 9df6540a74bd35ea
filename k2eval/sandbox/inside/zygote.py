"""The warm interpreter: wait for jobs, give each its own pid namespace, and never read the code of a job.

There are two or three generations of processes. The *zygote* is the first process of the box, keeps the interpreter
warm and owns the mounts. For a job of several runs it forks a *watcher* (`k2eval.sandbox.inside.watcher`), the first
process of a new pid namespace, which forks the *program* for every run. The zygote itself forks the program of a single
run; then the first process of the namespace only waits. All processes of a job die with the first process of its
namespace. Nothing flows back into the zygote.
"""

from __future__ import annotations

import _socket
import json
import os
import resource
import select
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from k2eval.sandbox.inside import report, warm
from k2eval.sandbox.inside.folders import Scratch, mount_submission_folder
from k2eval.sandbox.inside.gauge import Gauge
from k2eval.sandbox.inside.kernel import (
    CLONE_NEWPID,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    Prepared,
    prctl,
    prepare_dropping_of_capabilities,
    prepare_filter,
    prepare_idle_process,
    prepare_namespace,
    prepare_return,
)
from k2eval.sandbox.inside.watcher import EXIT_CLEAN, EXIT_SCRATCH_USED, FEW_FILES, Locks, Watcher, run_alone

CONSTANT_LIMITS = {
    resource.RLIMIT_NOFILE: FEW_FILES,
    resource.RLIMIT_MEMLOCK: 0,
    resource.RLIMIT_MSGQUEUE: 0,
    resource.RLIMIT_SIGPENDING: 256,
}


def serve(
    config: dict[str, Any], descriptor: int, gauge_end: int, register_at_fork: Callable[..., None]
) -> None:
    """Warm up, say so, and serve jobs until the other side closes the control socket."""
    control, gauge = _socket.socket(fileno=descriptor), Gauge(_socket.socket(fileno=gauge_end))
    os.setpgid(0, 0)
    os.umask(0o022)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)  # a crash inside must not start the machine's core dump handler
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for limit, value in CONSTANT_LIMITS.items():
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signal_number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(signal_number, signal.SIG_DFL)
    for signal_number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(
            signal_number, signal.SIG_IGN
        )  # as Python sets them: a write fails with an exception instead
    writable = mount_submission_folder()
    scratch = Scratch()
    filters = [prepare_filter(bytes.fromhex(code)) for code in config["filters"]]
    locks = Locks(prepare_dropping_of_capabilities(), *filters[1:])
    base = warm.warm_up(config["profile"])
    os.register_at_fork = register_at_fork
    processes = Processes(
        prepare_namespace(CLONE_NEWPID),
        prepare_return(os.pidfd_open(os.getpid()), CLONE_NEWPID),
        prepare_idle_process(),
    )
    filters[0]()
    report.send_file(control, json.dumps({"ready": True}).encode(), writable)
    os.close(writable)
    while True:
        message, descriptors = report.receive_job(control)
        if not message:
            os._exit(0)
        if message.startswith(b"{"):
            job = json.loads(message)
            job["base_bytes"], job["base_data_bytes"] = base
            scratch.renew(job["scratch_mb"], job["scratch_files"])
            if job["last"]:
                serve_run(job, descriptors, control, gauge, locks, processes)
            else:
                serve_job(job, descriptors, control, gauge, scratch, locks, processes)
        else:  # meant for a watcher that is gone
            for number in descriptors:
                os.close(number)


class Processes(NamedTuple):
    """The ways into and out of a pid namespace, prepared once."""

    new_namespace: Prepared
    own_namespace: Prepared
    idle_process: Callable[[], int]


def serve_run(
    job: dict[str, Any],
    descriptors: list[int],
    control: _socket.socket,
    gauge: Gauge,
    locks: Locks,
    processes: Processes,
) -> None:
    """Carry out a job of one run. All its processes are gone before its report is sent."""
    processes.new_namespace()
    first = processes.idle_process()
    message = run_alone(job, descriptors, control, gauge, locks, processes.own_namespace)
    handle = os.pidfd_open(first)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)
    os.waitpid(first, 0)
    control.send(message)


def serve_job(
    job: dict[str, Any],
    descriptors: list[int],
    control: _socket.socket,
    gauge: Gauge,
    scratch: Scratch,
    locks: Locks,
    processes: Processes,
) -> None:
    """Fork the watcher of one job and wait for its end, or for the end of the other side."""
    processes.new_namespace()
    watcher = os.fork()
    if watcher == 0:
        try:
            Watcher(job, control, gauge, locks).serve(descriptors, scratch.untouched)
        except BaseException:
            import traceback

            text = traceback.format_exc()[-2000:]
            control.send(json.dumps({"failed": text}).encode())
        os._exit(1)
    processes.own_namespace()
    for number in descriptors:
        os.close(number)
    ended = os.pidfd_open(watcher)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, 0)
    while not any(number == ended for number, _ in poll.poll()):
        os._exit(0)
    os.close(ended)
    _, status, usage = os.wait4(watcher, 0)
    if status not in (EXIT_CLEAN, EXIT_SCRATCH_USED << 8):
        control.send(json.dumps({"gone": status, "cpu": usage.ru_utime + usage.ru_stime}).encode())
