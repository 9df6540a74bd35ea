"""One HTML file about one or more runs: charts, a grid of all samples, and a viewer of each."""

from k2eval.report.build import write_report

__all__ = ["write_report"]
