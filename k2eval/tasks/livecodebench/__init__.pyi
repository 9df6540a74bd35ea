from .hidden_tests import (
    Test as Test,
    decode_private as decode_private,
    decode_tests as decode_tests,
)
from .questions import (
    ERRATA as ERRATA,
    PUBLIC_ONLY as PUBLIC_ONLY,
    best_rows as best_rows,
    item as item,
    items as items,
)
from .releases import (
    FILE as FILE,
    RELEASE_SIZES as RELEASE_SIZES,
    Selection as Selection,
    contest_day as contest_day,
    releases_of as releases_of,
)

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
