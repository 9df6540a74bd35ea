from .files import (
    KINDS as KINDS,
    Part as Part,
    parts_of as parts_of,
    passed_over as passed_over,
)
from .fingerprints import (
    SPAN as SPAN,
    Index as Index,
    reduced as reduced,
)
from .found import (
    CorpusMatches as CorpusMatches,
    Match as Match,
)
from .search import (
    search_corpus as search_corpus,
)

__all__ = [
    "KINDS",
    "SPAN",
    "CorpusMatches",
    "Index",
    "Match",
    "Part",
    "parts_of",
    "passed_over",
    "reduced",
    "search_corpus",
]
