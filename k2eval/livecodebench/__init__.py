"""LiveCodeBench: its rows as questions, its releases and windows, its tests."""

from k2eval.livecodebench.hidden_tests import Test, decode_private, decode_tests
from k2eval.livecodebench.questions import ERRATA, best_rows, public_only, question, questions
from k2eval.livecodebench.releases import FILE, RELEASE_SIZES, Selection, contest_day, releases_of

__all__ = [
    "ERRATA",
    "FILE",
    "RELEASE_SIZES",
    "Selection",
    "Test",
    "best_rows",
    "contest_day",
    "decode_private",
    "decode_tests",
    "public_only",
    "question",
    "questions",
    "releases_of",
]
