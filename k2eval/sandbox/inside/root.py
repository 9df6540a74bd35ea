"""Build the root file system of a box: new folders on a tmpfs, with single files of the machine bound into them.

No folder of the machine is bound. In every file system but a tmpfs, the kernel remembers names that were looked up in
vain, without a limit, and a program may look up any number of names.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from k2eval.sandbox.inside.kernel import (
    AT_FDCWD,
    AT_RECURSIVE,
    ATTR_NODEV,
    ATTR_NOEXEC,
    ATTR_NOSUID,
    ATTR_RDONLY,
    MNT_DETACH,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    KernelError,
    bind,
    bind_file,
    check,
    clone_tree,
    libc,
    mount,
    set_attributes,
)

EXECUTABLE = "/usr/local/bin/python3"
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
DEVICES = ("null", "full", "random", "urandom")
"""``zero`` is not among them: mapped with `MAP_SHARED` it is memory that no limit of a process counts."""
NEED_LIBRARIES = ("ctypes", "zlib", "bz2", "lzma", "sqlite3", "ssl", "hashlib", "decimal", "uuid", "curses")
"""Imported so that the shared libraries they need show up in this process's memory map."""
NEW_ROOTS = ("/tmp", "/mnt", "/media", "/srv", "/opt", "/var", "/home", "/usr")
NOT_NEEDED = frozenset(
    ("site-packages", "dist-packages", "tests", "test", "idlelib", "turtledemo", "ensurepip", "include")
)
"""Folders that no program imports from, and those with other people's packages."""
NOT_NEEDED_ENDINGS = (".opt-1.pyc", ".opt-2.pyc", ".pyi", ".pxd", ".h", ".c", ".a", ".f", ".f90")


class Bind:
    """One file or folder of the machine and its place in the box."""

    def __init__(self, source: str, target: str, accepts: Callable[[str], bool] | None = None) -> None:
        """Take both paths and, for a folder of which only some files count, the test of their names."""
        self.source, self.target, self.accepts = source, target, accepts


def interpreter_binds(plan: dict[str, Any]) -> list[Bind]:
    """Return everything that the box may read, and write the places of its shared libraries into ``plan``."""
    standard_library = str(Path(os.__file__).resolve().parent)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binds = [
        Bind(plan["executable"], EXECUTABLE),
        Bind(standard_library, f"/usr/local/{sys.platlibdir}/{name}"),
    ]
    own_prefix = str(Path(sys.base_prefix).resolve())
    folders: set[str] = set()
    for path in shared_libraries():
        parent, file_name = os.path.split(path)
        if path.startswith(standard_library + "/"):
            continue
        if own_prefix != "/usr" and path.startswith(own_prefix + "/"):
            binds.append(Bind(path, f"/usr/local/lib/{file_name}"))
        else:
            folders.add(parent)
        if file_name.startswith("ld-"):
            binds.append(Bind(path, LOADERS.get(os.uname().machine, path)))
    binds += [Bind(folder, folder, is_library) for folder in sorted(folders)]
    plan["library_path"] = ":".join(["/usr/local/lib", *sorted(folders)])
    return [*binds, *(Bind(source, target) for source, target in plan["packages"])]


def shared_libraries() -> set[str]:
    """Return the files behind every shared library that this interpreter loads."""
    for name in NEED_LIBRARIES:
        with contextlib.suppress(ImportError):
            __import__(name)
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError as error:
        raise KernelError("reading /proc/self/maps", error.errno or 1) from error
    paths = {line.split(maxsplit=5)[5] for line in lines if line.count(" ") >= 5 and "/" in line}
    return {path for path in paths if is_library(Path(path).name) and Path(path).exists()}


def is_library(name: str) -> bool:
    """Return whether a file name is that of a shared library."""
    return ".so" in name


def build_root(binds: list[Bind], links: list[list[str]]) -> None:
    """Make a tmpfs with the binds in it the root of this mount namespace and let go of the old root."""
    mount("", "/", MS_REC | MS_PRIVATE)
    new_root = mount_point(binds)
    devices = [(name, clone_tree(f"/dev/{name}")) for name in DEVICES if Path(f"/dev/{name}").exists()]
    mount("tmpfs", new_root, MS_NOSUID | MS_NODEV, "size=16m,nr_inodes=128k,mode=755")
    os.chdir(new_root)
    for folder in ("tmp", "submission", "old", "dev"):
        Path(folder).mkdir()
    for item in binds:
        Path(new_root + item.target).parent.mkdir(parents=True, exist_ok=True)
        for source, target in files_of(item):
            make_file(new_root + target)
            bind_file(source, new_root + target)
    for name, _ in devices:
        make_file(f"dev/{name}")
    for link_target, path in links:
        place = Path(new_root + path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(link_target)
    check(libc.pivot_root(b".", b"old"), "pivot_root")
    os.chdir("/")
    check(libc.umount2(b"/old", MNT_DETACH), "umount of the old root")
    Path("/old").rmdir()
    set_attributes(AT_FDCWD, "/", AT_RECURSIVE, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)
    for name, descriptor in devices:
        bind(descriptor, f"/dev/{name}", ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC)
        os.close(descriptor)


def mount_point(binds: list[Bind]) -> str:
    """Return a folder that can be mounted over without hiding a file that is still to be bound."""
    for path in NEW_ROOTS:
        if Path(path).is_dir() and not any(item.source.startswith(path + "/") for item in binds):
            return path
    raise KernelError(f"mounting over one of {', '.join(NEW_ROOTS)}, which all hold files of Python", 16)


def files_of(item: Bind) -> Iterator[tuple[str, str]]:
    """Make the folders of a bind below the current folder and yield the source and the target of each file."""
    if Path(item.source).is_dir():
        yield from files_below(item.source, item.target, item.accepts, ())
    else:
        yield item.source, item.target


def files_below(
    source: str, target: str, accepts: Callable[[str], bool] | None, above: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder; with ``accepts`` only those with such a name, and no subfolders."""
    Path(target[1:]).mkdir(exist_ok=True)
    above = (*above, os.path.realpath(source))
    with os.scandir(source) as entries:
        for entry in entries:
            path = f"{target}/{entry.name}"
            if entry.is_dir():
                leads_back = entry.is_symlink() and os.path.realpath(entry.path) in above
                if accepts is None and entry.name not in NOT_NEEDED and not leads_back:
                    yield from files_below(entry.path, path, None, above)
            elif entry.is_file() and is_needed(entry.name, accepts):
                yield entry.path, path


def is_needed(name: str, accepts: Callable[[str], bool] | None) -> bool:
    """Return whether a file with this name is bound."""
    return accepts(name) if accepts else not name.endswith(NOT_NEEDED_ENDINGS)


def make_file(path: str) -> None:
    """Make an empty file, which a bind can cover."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
