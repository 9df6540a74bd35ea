"""Builds the outer box and becomes the warm interpreter inside it. Runs once per box, still trusted.

Afterwards: own user, mount, pid, net, ipc, uts and cgroup namespaces, a root that is a read-only tmpfs with the
interpreter's files bound into it, a user that is not root in any namespace, and no ``/proc`` at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from k2eval.sandbox.inside.kernel import (
    AT_FDCWD,
    ATTR_NODEV,
    ATTR_NOEXEC,
    ATTR_NOSUID,
    ATTR_RDONLY,
    CAP_LAST,
    CAP_SYS_ADMIN,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MNT_DETACH,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    KernelError,
    bind,
    check,
    clone_tree,
    libc,
    mount,
    prctl,
    set_attributes,
    set_capabilities,
    unshare,
)

INNER_ID = 1000
STACK_BYTES = 1 << 30
EXECUTABLE = "/usr/local/bin/python3"
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
# Imported so that the shared libraries they need show up in this process's memory map.
NEED_LIBRARIES = ("ctypes", "zlib", "bz2", "lzma", "sqlite3", "ssl", "hashlib", "decimal", "uuid", "curses")


def enter(plan: dict[str, Any], control: int) -> None:
    """Build the box and replace this process's child by the warm interpreter. Returns only by an exception."""
    binds = interpreter_binds(plan)
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    process_folder = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
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
        map_ids(process_folder, uid, gid)
    else:
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | outer)
        map_ids(process_folder, uid, gid)
        socket.sethostname("sandbox")
        build_root(binds, plan["links"])
    os.close(process_folder)
    child = os.fork()
    if child == 0:
        become_interpreter(plan, control)
    os.closerange(0, 1 << 16)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def may_become(uid: int) -> bool:
    """Whether ``uid`` exists in this user namespace (rootless containers map only a few)."""
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


def interpreter_binds(plan: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Source, target and mount attributes of everything that the box may read."""
    read_only = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV
    standard_library = str(Path(os.__file__).resolve().parent)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binds = [
        (plan["executable"], EXECUTABLE, read_only),
        (standard_library, f"/usr/local/{sys.platlibdir}/{name}", read_only),
    ]
    own_prefix = str(Path(sys.base_prefix).resolve())
    folders: set[str] = set()
    for path in shared_libraries():
        parent, file_name = os.path.split(path)
        if path.startswith(standard_library + "/"):
            continue
        if own_prefix != "/usr" and path.startswith(own_prefix + "/"):
            binds.append((path, f"/usr/local/lib/{file_name}", read_only))
        else:
            folders.add(parent)
        if file_name.startswith("ld-"):
            binds.append((path, LOADERS.get(os.uname().machine, path), read_only))
    binds += [(folder, folder, read_only) for folder in sorted(folders)]
    plan["library_path"] = ":".join(["/usr/local/lib", *sorted(folders)])
    binds += [(source, target, read_only) for source, target in plan["packages"]]
    binds += [
        (f"/dev/{device}", f"/dev/{device}", ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC)
        for device in ("null", "zero", "full", "random", "urandom")
        if Path(f"/dev/{device}").exists()
    ]
    return [item for item in binds if not lies_below_another(item[1], binds)]


def lies_below_another(target: str, binds: list[tuple[str, str, int]]) -> bool:
    """Whether another bind of the same path already brings ``target`` along."""
    return any(source == other and target.startswith(other + "/") for source, other, _ in binds)


def shared_libraries() -> set[str]:
    """The files behind every shared library that this interpreter loads."""
    for name in NEED_LIBRARIES:
        with contextlib.suppress(ImportError):
            __import__(name)
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {line.split(maxsplit=5)[5] for line in lines if line.count(" ") >= 5 and "/" in line}
    return {path for path in paths if ".so" in Path(path).name and Path(path).exists()}


def inner_folders(source: str) -> list[str] | None:
    """Folders in ``source`` that must not be seen (other people's packages); None when it is a file."""
    if not Path(source).is_dir():
        return None
    return [name for name in ("site-packages", "dist-packages") if Path(source, name).is_dir()]


def build_root(binds: list[tuple[str, str, int]], links: list[list[str]]) -> None:
    """Make a tmpfs with the binds in it the root of this mount namespace and let go of the old root."""
    mount("", "/", MS_REC | MS_PRIVATE)
    # Copies are taken first: the mount point of the new root may hide some of the sources.
    trees = [
        (clone_tree(source), target, attributes, inner_folders(source))
        for source, target, attributes in binds
    ]
    new_root = next(path for path in ("/tmp", "/mnt", "/var", "/usr") if Path(path).is_dir())
    mount("tmpfs", new_root, MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4k,mode=755")
    os.chdir(new_root)
    for folder in ("tmp", "submission", "old"):
        Path(folder).mkdir()
    for descriptor, target, attributes, hidden in trees:
        place = Path(new_root + target)
        place.parent.mkdir(parents=True, exist_ok=True)
        if hidden is None:
            place.touch()
        else:
            place.mkdir(exist_ok=True)
        bind(descriptor, str(place), attributes)
        os.close(descriptor)
        for name in hidden or ():
            mount("tmpfs", f"{place}/{name}", MS_NOSUID | MS_NODEV, "size=4k,nr_inodes=2,mode=555")
    for target, path in links:
        place = Path(new_root + path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(target)
    check(libc.pivot_root(b".", b"old"), "pivot_root")
    os.chdir("/")
    check(libc.umount2(b"/old", MNT_DETACH), "umount of the old root")
    Path("/old").rmdir()
    set_attributes(AT_FDCWD, "/", 0, ATTR_RDONLY)


def become_interpreter(plan: dict[str, Any], control: int) -> None:
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
    boot = (
        "import os, sys, json; "
        f"plan = json.loads(open({payload}).read()); "
        "exec(compile(plan['boot'], '<sandbox>', 'exec'), {'plan': plan, 'control': %d})" % control
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
