"""The memory of the warm interpreter: arranged so that a fork copies little, and measured."""

from __future__ import annotations

import ctypes
import gc
import resource
from itertools import pairwise

from k2eval.sandbox.inside.kernel import libc

PAGE = resource.getpagesize()
LARGE_PAGE, MADV_COLLAPSE = 2 << 20, 25
SMALL_OBJECTS = range(32, 513, 16)
"""Sizes for which Python keeps pools of its own, in bytes; everything above comes from `malloc`."""
POOL, POOL_HEAD, POOLS_AT_MOST = 1 << 14, 48, 128
"""Size of a pool, of what precedes its objects, and how many of a size are filled."""
CHUNKS = (*range(64 << 10, 1 << 10, -(1 << 10)), *range(1008, 16, -16))
"""Sizes of `malloc` in bytes, from the largest to the smallest."""
CHUNKS_AT_MOST = 1000

fillers: list[object] = []


class Heap(ctypes.Structure):
    """The result of ``mallinfo2``, in bytes and numbers of blocks."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def use_large_pages() -> None:
    """Put the objects into pages of 2 MiB if the kernel can, so that a fork copies fewer table entries."""
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for region in {id(item) // LARGE_PAGE for item in gc.get_objects()}:
        libc.madvise(
            region * LARGE_PAGE, LARGE_PAGE, MADV_COLLAPSE
        )  # refused if another mapping lies in the region


def fill_gaps() -> None:
    """Use up the gaps between the objects, so that what a program makes lies together, on few pages."""
    for size in SMALL_OBJECTS:
        fill_pools(size)
    if hasattr(libc, "mallinfo2"):
        fill_heap()


def fill_pools(size: int) -> None:
    """Make objects of ``size`` bytes until they follow one another, and so are in no gap any more."""
    fits = (POOL - POOL_HEAD) // size
    for number in range(POOLS_AT_MOST):
        if size > 32:
            items: list[object] = [bytes(size - 33) for _ in range(fits)]  # one of n bytes takes 33 + n
        else:
            items = list(range(1000 + number, 1000 + number + fits))
        fillers.extend(items)
        places = list(map(id, items))
        if sum(after - before == size for before, after in pairwise(places)) > 0.9 * fits:
            break


def fill_heap() -> None:
    """Take the free blocks of `malloc` until everything new comes from the end of the heap."""
    libc.mallinfo2.restype = Heap
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    libc.free.restype, libc.free.argtypes = None, (ctypes.c_void_p,)
    for size in CHUNKS:
        for _ in range(CHUNKS_AT_MOST):
            before = libc.mallinfo2()
            block = libc.malloc(size)
            after = libc.mallinfo2()
            if (before.keepcost, before.hblks) != (after.keepcost, after.hblks):
                libc.free(block)
                break


def in_use(limit: int) -> int:
    """Find the bytes that count against a limit, by lowering it until the kernel refuses one more page.

    The box has no ``/proc`` that would tell.
    """
    _, hard = resource.getrlimit(limit)
    size_t, failed = ctypes.c_size_t, ctypes.c_void_p(-1).value
    libc.mmap.restype = ctypes.c_void_p
    low, high = 0, 1 << 46
    while high - low > PAGE:
        middle = (low + high) // 2
        resource.setrlimit(limit, (middle, hard))
        # Private, anonymous and writable, never touched.
        address = libc.mmap(None, size_t(PAGE), 3, 0x22, -1, size_t(0))
        if address == failed:
            low = middle
        else:
            libc.munmap(ctypes.c_void_p(address), size_t(PAGE))
            high = middle
    resource.setrlimit(limit, (hard, hard))
    return high
