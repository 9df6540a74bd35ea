from .formats import (
    AUTO as AUTO,
    HARMONY as HARMONY,
    MARKS as MARKS,
    NAMES as NAMES,
    NONE as NONE,
    PARSERS as PARSERS,
    THINK as THINK,
    custom as custom,
    format_named as format_named,
    pairs_of as pairs_of,
    setting_of as setting_of,
)
from .splitting import (
    Parts as Parts,
    split as split,
)

__all__ = [
    "AUTO",
    "HARMONY",
    "MARKS",
    "NAMES",
    "NONE",
    "PARSERS",
    "THINK",
    "Parts",
    "custom",
    "format_named",
    "pairs_of",
    "setting_of",
    "split",
]
