"""``python -m k2eval.sandbox run FILE.py`` is the same as ``k2eval sandbox run FILE.py``."""

from k2eval.sandbox.cli import app

app(prog_name="python -m k2eval.sandbox")
