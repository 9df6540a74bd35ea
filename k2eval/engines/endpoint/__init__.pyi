from .contents import (
    reasoning_field as reasoning_field,
)
from .engine import (
    EndpointEngine as EndpointEngine,
)
from .probe import (
    ServedProbe as ServedProbe,
)
from .settings import (
    Secrets as Secrets,
    checked as checked,
)

__all__ = [
    "EndpointEngine",
    "Secrets",
    "ServedProbe",
    "checked",
    "reasoning_field",
]
