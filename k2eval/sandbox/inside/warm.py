"""Warm the interpreter of a profile: imports, names that old code expects, standard streams, a clean environment."""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import os
import resource
import sys

from k2eval.sandbox.inside import memory, program, rehearsal, shims
from k2eval.sandbox.inside.kernel import PR_SET_THP_DISABLE, libc, prctl

# Every module kept warm costs every run a little; those left out here cost only the programs that import them.
STANDARD = """
    abc atexit bisect builtins codecs collections collections.abc contextlib copy enum functools gc heapq io itertools
    json math mmap numbers operator os os.path queue random re string struct sys threading time types typing
    warnings weakref
"""
NUMPY = ("numpy", "numpy.linalg", "numpy.random", "numpy.fft")
SCIENTIFIC = (
    *NUMPY,
    *("scipy", "scipy.integrate", "scipy.interpolate", "scipy.linalg", "scipy.optimize", "scipy.signal"),
    *(
        "scipy.sparse",
        "scipy.sparse.linalg",
        "scipy.special",
        "scipy.stats",
        "scipy.spatial",
        "scipy.ndimage",
    ),
    *("scipy.fft", "scipy.constants", "sympy", "h5py"),
)
PACKAGES = {
    "plain": (),
    "numpy": NUMPY,
    "scientific": SCIENTIFIC,
    "full": (*SCIENTIFIC, "networkx", "pandas", "numba"),
}
ENVIRONMENT = {"PATH": "/usr/local/bin", "HOME": "/tmp", "LANG": "C"}
THREAD_STACK_BYTES = 8 << 20


def warm_up(profile: str) -> tuple[int, int]:
    """Import what the profile promises and tidy up; the address space and the data in use afterwards, in bytes."""
    replace_standard_descriptors()
    standard = [entry for entry in sys.path if entry.startswith("/usr/local")]
    sys.path[:] = ["/submission", *standard, "/usr/local/packages"]
    for name in (*STANDARD.split(), *PACKAGES[profile]):
        importlib.import_module(name)
    # Not reseeded after a fork (see `layout.BOOT`): a program that draws without a seed of its own repeats itself.
    sys.modules["random"].seed(0)
    shims.make_anonymous_mappings_private()
    if profile != "plain":
        shims.install()
    add_interactive_names()
    clean_environment()
    default_thread_stack()
    rehearsal.rehearse()
    if "numba" in sys.modules:
        rehearsal.compile_with_numba()
    drop_exit_handlers()
    gc.collect()
    memory.use_large_pages()
    # A program would hold all of a large page whose greatest part it has given back, and so would be counted.
    prctl(PR_SET_THP_DISABLE, 1)
    memory.fill_gaps()
    program.open_standard_streams()
    gc.freeze()
    return memory.in_use(resource.RLIMIT_AS), memory.in_use(resource.RLIMIT_DATA)


def replace_standard_descriptors() -> None:
    """Make descriptors 0, 1 and 2 regular files, as in a run, so that the stream objects know their kind."""
    for number in (0, 1, 2):
        descriptor = os.memfd_create("standard")
        os.dup2(descriptor, number)
        os.close(descriptor)


def add_interactive_names() -> None:
    """Add ``exit``, ``quit``, ``help`` and the like, which submissions use and ``site`` would otherwise add."""
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()


def clean_environment() -> None:
    """Make a new environment without the variables that started the interpreter."""
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    sys.orig_argv[:] = ["python3", program.FILE]


def drop_exit_handlers() -> None:
    """Undo what h5py does at exit: a millisecond in every run, for tables that end with the process anyway."""
    if "h5py" in sys.modules:
        atexit.unregister(sys.modules["h5py._conv"].unregister_converters)


def default_thread_stack() -> None:
    """Give threads the usual 8 MiB unless they ask for more, although the main stack may grow far beyond that."""
    attributes = ctypes.create_string_buffer(256)
    libc.pthread_attr_init(attributes)
    libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(THREAD_STACK_BYTES))
    libc.pthread_setattr_default_np(attributes)
    libc.pthread_attr_destroy(attributes)
