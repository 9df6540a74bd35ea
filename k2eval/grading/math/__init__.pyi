from .latex import (
    normalise as normalise,
    squeezed as squeezed,
)
from .number import (
    exact as exact,
)

__all__ = [
    "exact",
    "normalise",
    "squeezed",
]
