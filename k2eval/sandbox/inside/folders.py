"""The two folders of a box: the submission's files, which it can only read, and its scratch, which vanishes."""

from __future__ import annotations

import os

from k2eval.sandbox.inside.kernel import (
    ATTR_RDONLY,
    MNT_DETACH,
    MS_NOATIME,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    bind,
    check,
    clone_tree,
    libc,
    mount,
)

SCRATCH, SUBMISSION = "/tmp", "/submission"
SOURCE, STDIN, DRIVER, INPUTS = (
    f"{SUBMISSION}/{name}" for name in ("main.py", "stdin", "driver.py", "inputs")
)
SUBMISSION_BYTES = 1 << 30
FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME


def mount_submission_folder() -> int:
    """Mount a folder that only the other side of the control socket can write; return its writable descriptor."""
    mount("tmpfs", SUBMISSION, FLAGS, f"size={SUBMISSION_BYTES},nr_inodes=16,mode=755")
    for path in (SOURCE, STDIN, DRIVER, INPUTS):
        # Made here because another user, even root, cannot create files in this user namespace's file system.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
        os.chmod(path, 0o666)
    writable = os.open(SUBMISSION, os.O_RDONLY | os.O_DIRECTORY)
    tree = clone_tree(SUBMISSION)
    bind(tree, SUBMISSION, ATTR_RDONLY)
    os.close(tree)
    return writable


class Scratch:
    """The working directory: an empty tmpfs, replaced as soon as a program has touched it."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.untouched: tuple[int, ...] = ()

    def renew(self, megabytes: int, files: int) -> None:
        """Make the scratch empty and of this size."""
        if self.size == (megabytes, files) and self.untouched == scratch_state():
            return
        if self.size is not None:
            check(libc.umount2(SCRATCH.encode(), MNT_DETACH), "umount of the scratch")
        options = f"size={megabytes}m,nr_inodes={files + 1},mode=700"
        mount("tmpfs", SCRATCH, FLAGS, options)
        self.size = megabytes, files
        self.untouched = scratch_state()


def scratch_state() -> tuple[int, ...]:
    """Return a state that differs after anything is written to, or changed on, the scratch."""
    folder = os.stat(SCRATCH)  # a tmpfs counts the entries of a folder in its size
    return folder.st_size, folder.st_ctime_ns, folder.st_mtime_ns, folder.st_mode, folder.st_dev
