"""The files that a page with samples consists of."""

from __future__ import annotations

LIBRARIES = (
    "vendor/katex/katex.min.js",
    "vendor/markdown-it/markdown-it.umd.min.js",
    "vendor/highlightjs/highlight.min.js",
)
"""Scripts of others: mathematics, Markdown, programs."""
SAMPLES = (
    *(f"report/{name}.js" for name in ("data", "texts", "filters", "grid", "markdown", "programs", "recipe")),
    *(f"report/{name}.js" for name in ("links", "sample", "keys", "charts", "main")),
)
"""Scripts of the grid and of the viewer; each uses those before it."""
CHARTS = ("report/charts.js",)
"""Scripts of a page with charts and without samples."""
LIVE = ("report/live.js",)
"""Scripts of a page that asks its server for more, behind `SAMPLES`."""
WORKER = ("vendor/fzstd/index.js", "report/worker.js")
"""Scripts of the workers that read and search texts."""
STYLES = ("charts.css", "report.css", "samples.css", "vendor/katex/katex.min.css")
"""Style sheets beside ``base.css``."""
