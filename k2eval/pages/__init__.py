"""Self-contained HTML pages: templates, style and script in one file, nothing loaded from elsewhere."""

from k2eval.pages.fragment import table_fragment
from k2eval.pages.page import render, script_json

__all__ = ["render", "script_json", "table_fragment"]
