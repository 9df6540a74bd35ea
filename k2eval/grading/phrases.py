"""Write lists of phrases as patterns."""

from __future__ import annotations

import re


def any_of(phrases: str) -> str:
    r"""Return a pattern that matches any of ``phrases``, which commas part; a blank matches any white space.

    >>> any_of("at least, more than")
    'at\\s+least|more\\s+than'
    """
    return "|".join(re.sub(r"\s+", r"\\s+", phrase.strip()) for phrase in phrases.split(","))
