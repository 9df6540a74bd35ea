"""Build the outer box and become the warm interpreter inside it. This code runs once per box, and is still trusted.

Afterwards the process has its own user, mount, pid, net, ipc, uts and cgroup namespaces, a root that is a read-only
tmpfs with the interpreter's files bound into it, a user that is not root in any namespace, and no ``/proc`` at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import traceback
from pathlib import Path
from typing import Any

from k2eval.sandbox.inside import measure
from k2eval.sandbox.inside.kernel import (
    CAP_LAST,
    CAP_SYS_ADMIN,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    KernelError,
    prctl,
    set_capabilities,
    unshare,
)
from k2eval.sandbox.inside.root import EXECUTABLE, build_root, interpreter_binds

INNER_ID = 1000
STACK_BYTES = 1 << 30


def enter(plan: dict[str, Any], control: int) -> None:
    """Build the box, start the warm interpreter in it, and measure its programs until it ends.

    Raises:
        KernelError: If the kernel refuses a primitive. Otherwise this process ends with the interpreter's status.
    """
    binds = interpreter_binds(plan)
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        os.stat("self/status", dir_fd=processes)
    except OSError as error:
        raise KernelError("reading /proc", error.errno or 1) from error
    socket_bytes = measure.buffer_size(processes)  # not to be seen from another network namespace
    outer = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0 and may_become(plan["uid"]):
        # Root stages the files first: they may lie in folders that the unprivileged user cannot enter.
        unshare(CLONE_NEWNS | outer)
        socket.sethostname("sandbox")
        build_root(binds, plan["links"])
        uid = gid = plan["uid"]
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        prctl(PR_SET_DUMPABLE, 1)
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)
        map_ids(processes, uid, gid)
    else:
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | outer)
        map_ids(processes, uid, gid)
        socket.sethostname("sandbox")
        build_root(binds, plan["links"])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        become_interpreter(plan, control, theirs.fileno())
    # The standard descriptors make room: the error file stays, nothing else of the owner does.
    os.dup2(processes, 0)
    os.dup2(ours.detach(), 1)
    os.closerange(3, 1 << 16)
    try:
        status = measure.serve(0, socket.socket(fileno=1), child, socket_bytes)
    except BaseException:
        traceback.print_exc()
        status = 1
    os._exit(status)


def may_become(uid: int) -> bool:
    """Tell whether ``uid`` exists in this user namespace (rootless containers map only a few)."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= uid < first + count:
            return True
    return False


def map_ids(process_folder: int, uid: int, gid: int) -> None:
    """Map one user and one group into the new user namespace; nobody else exists there."""
    for name, text in (
        ("setgroups", "deny"),
        ("gid_map", f"{INNER_ID} {gid} 1"),
        ("uid_map", f"{INNER_ID} {uid} 1"),
    ):
        try:
            descriptor = os.open(f"self/{name}", os.O_WRONLY, dir_fd=process_folder)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise KernelError(f"writing {name} of the user namespace", error.errno or 1) from error


def become_interpreter(plan: dict[str, Any], control: int, gauge: int) -> None:
    """Replace this process, the first of its pid namespace, by the warm interpreter."""
    for capability in range(CAP_LAST + 1):
        if capability != CAP_SYS_ADMIN:
            with contextlib.suppress(OSError):
                prctl(PR_CAPBSET_DROP, capability)
    set_capabilities(1 << CAP_SYS_ADMIN)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN)
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    soft = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    payload = os.memfd_create("job")
    os.write(payload, json.dumps(plan["inside"]).encode())
    os.lseek(payload, 0, os.SEEK_SET)
    os.set_inheritable(payload, True)
    os.set_inheritable(control, True)
    os.set_inheritable(gauge, True)
    boot = (
        "import os, sys, json; "
        f"plan = json.loads(open({payload}).read()); "
        "exec(compile(plan['boot'], '<sandbox>', 'exec'), {'plan': plan, 'control': %d, 'gauge': %d})"
        % (control, gauge)
    )
    environment = {
        "LD_LIBRARY_PATH": plan["library_path"],
        "PYTHONHOME": "/usr/local",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "MALLOC_ARENA_MAX": "2",
        "LD_BIND_NOW": "1",
        **plan["environment"],
    }
    os.execve(EXECUTABLE, [EXECUTABLE, "-s", "-S", "-B", "-c", boot], environment)
