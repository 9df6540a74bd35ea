from .probe import (
    ServedProbe as ServedProbe,
)

__all__ = [
    "ServedProbe",
]
