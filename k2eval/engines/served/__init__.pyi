from .control import (
    start_server as start_server,
    stop_server as stop_server,
)
from .engine import (
    ServedEngine as ServedEngine,
)
from .finding import (
    asked_of as asked_of,
    find_server as find_server,
    with_servers as with_servers,
)
from .states import (
    ServerState as ServerState,
    path_of as path_of,
    read_states as read_states,
)

__all__ = [
    "ServedEngine",
    "ServerState",
    "asked_of",
    "find_server",
    "path_of",
    "read_states",
    "start_server",
    "stop_server",
    "with_servers",
]
