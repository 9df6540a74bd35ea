from .protocol import (
    FIELDS as FIELDS,
    Fact as Fact,
    Family as Family,
    Protocol as Protocol,
    TaskProtocol as TaskProtocol,
)
from .reading import (
    NAMES as NAMES,
    NO_PROTOCOL as NO_PROTOCOL,
    protocol_named as protocol_named,
)

__all__ = [
    "FIELDS",
    "NAMES",
    "NO_PROTOCOL",
    "Fact",
    "Family",
    "Protocol",
    "TaskProtocol",
    "protocol_named",
]
