from .detection import (
    Detection as Detection,
    find_format as find_format,
)
from .formats import (
    ANALYSIS as ANALYSIS,
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
    prefill_of as prefill_of,
    setting_of as setting_of,
    setting_of_end as setting_of_end,
)
from .splitting import (
    Parts as Parts,
    split as split,
)
from .stopping import (
    StopWatch as StopWatch,
    stop_place as stop_place,
)

__all__ = [
    "ANALYSIS",
    "AUTO",
    "HARMONY",
    "MARKS",
    "NAMES",
    "NONE",
    "PARSERS",
    "THINK",
    "Detection",
    "Parts",
    "StopWatch",
    "custom",
    "find_format",
    "format_named",
    "pairs_of",
    "prefill_of",
    "setting_of",
    "setting_of_end",
    "split",
    "stop_place",
]
