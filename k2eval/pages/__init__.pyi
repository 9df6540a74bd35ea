from . import (
    svg as svg,
)
from .fragment import (
    table_fragment as table_fragment,
)
from .page import (
    render as render,
    script_json as script_json,
)
from .parts import (
    CHARTS as CHARTS,
    LIBRARIES as LIBRARIES,
    LIVE as LIVE,
    SAMPLES as SAMPLES,
    STYLES as STYLES,
    WORKER as WORKER,
)
from .plot import (
    Series as Series,
    curves as curves,
)
from .sheet import (
    alone as alone,
    sheet as sheet,
)
from .strokes import (
    look_of as look_of,
)

__all__ = [
    "CHARTS",
    "LIBRARIES",
    "LIVE",
    "SAMPLES",
    "STYLES",
    "WORKER",
    "Series",
    "alone",
    "curves",
    "look_of",
    "render",
    "script_json",
    "sheet",
    "svg",
    "table_fragment",
]
