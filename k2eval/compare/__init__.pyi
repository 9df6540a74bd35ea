from .line import (
    Flip as Flip,
    Line as Line,
)
from .pairs import (
    Comparison as Comparison,
    Pair as Pair,
    compare as compare,
)
from .render import (
    EXPLANATION as EXPLANATION,
    name_of as name_of,
    print_comparison as print_comparison,
    remarks as remarks,
    score_table as score_table,
    to_markdown as to_markdown,
)

__all__ = [
    "EXPLANATION",
    "Comparison",
    "Flip",
    "Line",
    "Pair",
    "compare",
    "name_of",
    "print_comparison",
    "remarks",
    "score_table",
    "to_markdown",
]
