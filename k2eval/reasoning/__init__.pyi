from .cutting import (
    cut as cut,
)
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
    SPECIAL as SPECIAL,
    THINK as THINK,
    custom as custom,
    format_named as format_named,
    marks_of as marks_of,
    pairs_of as pairs_of,
    prefill_of as prefill_of,
    setting_of as setting_of,
    setting_of_end as setting_of_end,
    start_of as start_of,
)
from .scanner import (
    Turn as Turn,
    first_turn as first_turn,
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
    "SPECIAL",
    "THINK",
    "Detection",
    "Parts",
    "StopWatch",
    "Turn",
    "custom",
    "cut",
    "find_format",
    "first_turn",
    "format_named",
    "marks_of",
    "pairs_of",
    "prefill_of",
    "setting_of",
    "setting_of_end",
    "split",
    "start_of",
    "stop_place",
]
