"""Bound the cost of reading the values of one run: memory for objects, and time for sets and dictionaries.

The bytes themselves are bounded by `Limits.result_bytes`, and all that is only a copy of them is a small multiple.
Two things cost more than their bytes. A small object takes up to forty times the bytes that describe it, so objects
are paid from an allowance before they are made. And a set or dictionary takes quadratic time if its keys were chosen
to collide: everybody knows Python's hashes of numbers, and of tuples and sets of numbers. No test of the hashes finds
all such keys, since keys with different hashes can be made to probe the same slots. So the time itself is measured
while the table grows. It is processor time of this thread, and honest keys take less than a tenth of the limit.

This file is used on both sides of the wall and imports only the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Any

OBJECT_BYTES = 768 << 20
"""Memory for the objects of everything that one run gives back: 16 million numbers, or 3 million pairs of them."""
ITEM_COST, TEXT_COST, LIST_COST, TAG_COST = 48, 28, 128, 240
"""Bytes, at most, for an item of a list, for a quotation mark, for a list with its first item, for a tagged value."""
VALUE_COST = 1024
"""Bytes for one value of those that a run gives back, which takes a hundred times as long to read as a byte of it."""
ENTRY_COST = 160
"""At most so many bytes for the place of one key in a set or dictionary that is growing."""

TABLE_SECONDS, KEY_SECONDS = 0.1, 4e-6
"""Processor time for the sets and dictionaries of one run, and on top of it for each key."""
KEYS_AT_ONCE = 64
"""Keys between two looks at the clock. A set of that size is cheap whatever its keys."""
MAX_KEY_ITEMS = 1024
"""Items of one tuple or frozen set that is a key. To compare two is quadratic in this at worst."""

PLAIN_KEYS = {int, str, bool, float, type(None), bytes, complex}


class Malformed(ValueError):
    """The bytes are not tagged plain data, or exceed a limit."""


class Budget:
    """The amount that one run may still return: reading it must neither fill the grader's memory nor hold it up."""

    def __init__(self) -> None:
        self.decoder: Any = None
        """Reads values and pays from this budget; made by `k2eval.sandbox.wire.loads`."""
        self.renew()

    def renew(self) -> None:
        """Begin anew, with the same decoder: for values of someone who is trusted."""
        self.memory, self.table_seconds = OBJECT_BYTES, TABLE_SECONDS

    def charge(self, data: bytes) -> None:
        """Pay for the objects of ``data``, generously: brackets and commas inside of texts count too.

        Raises:
            Malformed: If the budget is spent.
        """
        self.pay(
            VALUE_COST
            + ITEM_COST * data.count(b",")
            + TEXT_COST * data.count(b'"')
            + LIST_COST * data.count(b"[")
            + TAG_COST * data.count(b"{")
        )

    def pay(self, size: int) -> None:
        """Take ``size`` bytes from the budget.

        Raises:
            Malformed: If the budget is spent.
        """
        self.memory -= size
        if self.memory < 0:
            raise Malformed("too many items")

    def set_of(self, keys: list[Any]) -> set[Any]:
        """Return the set of ``keys``.

        Raises:
            Malformed: If it takes too long.
        """
        table: set[Any] = set()
        self._fill(table.update, keys, keys)
        return table

    def dict_of(self, pairs: list[list[Any]]) -> dict[Any, Any]:
        """Return the dictionary of ``pairs``.

        Raises:
            Malformed: If it takes too long.
        """
        table: dict[Any, Any] = {}
        self._fill(table.update, pairs, [key for key, _ in pairs])
        return table

    def _fill(self, add: Callable[[list[Any]], None], entries: list[Any], keys: list[Any]) -> None:
        self.pay(ENTRY_COST * len(keys))
        plain = set(map(type, keys)) <= PLAIN_KEYS
        if plain and len(keys) <= 8:
            add(entries)
            return
        # Comparing two compound keys can take long, and a step cannot be interrupted.
        step = KEYS_AT_ONCE if plain or all(key_items(key) <= 8 for key in keys) else 1
        self.table_seconds += KEY_SECONDS * len(keys)
        before = thread_time()
        for start in range(0, len(entries), step):
            add(entries[start : start + step])
            after = thread_time()
            self.table_seconds -= after - before
            before = after
            if self.table_seconds < 0:
                raise Malformed("keys made to collide")


def key_items(key: Any) -> int:
    """Return how many items a key holds at all depths.

    Raises:
        Malformed: If they are more than `MAX_KEY_ITEMS`.
    """
    count, waiting = 1, [key]
    while waiting:
        item = waiting.pop()
        if type(item) in (tuple, frozenset):
            count += len(item)
            if count > MAX_KEY_ITEMS:
                raise Malformed("key too large")
            waiting.extend(item)
    return count


def check_depth(value: Any, limit: int) -> None:
    """Refuse values nested deeper than ``limit``, level by level, without recursion.

    Raises:
        Malformed: If ``value`` is.
    """
    level = [value]
    for _ in range(limit + 2):
        following: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                following.extend(item.values())
                following.extend(key for key in item if type(key) in (tuple, frozenset))
            elif (kind in (list, tuple, set, frozenset)) and not set(map(type, item)) <= PLAIN_KEYS:
                following.extend(item)
        if not following:
            return
        level = following
    raise Malformed("nested too deeply")
