"""LiveCodeBench: its rows as items, its releases and windows, its tests."""

from k2eval.tasks.livecodebench.hidden_tests import Test, decode_private, decode_tests
from k2eval.tasks.livecodebench.questions import ERRATA, PUBLIC_ONLY, best_rows, item, items
from k2eval.tasks.livecodebench.releases import FILE, RELEASE_SIZES, Selection, contest_day, releases_of

__all__ = [
    "ERRATA",
    "FILE",
    "PUBLIC_ONLY",
    "RELEASE_SIZES",
    "Selection",
    "Test",
    "best_rows",
    "contest_day",
    "decode_private",
    "decode_tests",
    "item",
    "items",
    "releases_of",
]
