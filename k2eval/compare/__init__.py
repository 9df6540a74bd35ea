"""Two or more runs, question by question."""

from k2eval.compare.pairs import Comparison, Flip, Line, Pair, compare
from k2eval.compare.render import name_of, print_comparison, remarks, score_table, to_markdown

__all__ = [
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
