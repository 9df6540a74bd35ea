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
from .svg import (
    Series as Series,
    curves as curves,
)

__all__ = [
    "Series",
    "curves",
    "render",
    "script_json",
    "svg",
    "table_fragment",
]
