from .engine import (
    EndpointEngine as EndpointEngine,
)
from .probe import (
    ServedProbe as ServedProbe,
)

__all__ = [
    "EndpointEngine",
    "ServedProbe",
]
