"""Two or more runs, question by question."""

from k2eval.compare.pairs import Comparison, Flip, Line, Pair, compare
from k2eval.compare.render import print_comparison, to_markdown

__all__ = ["Comparison", "Flip", "Line", "Pair", "compare", "print_comparison", "to_markdown"]
