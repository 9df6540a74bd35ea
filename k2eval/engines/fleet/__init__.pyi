from .engine import (
    FleetEngine as FleetEngine,
)
from .events import (
    Event as Event,
    EventKind as EventKind,
)
from .protocol import (
    FleetSettings as FleetSettings,
    Health as Health,
    Replica as Replica,
    ReplicaLost as ReplicaLost,
    Supply as Supply,
)

__all__ = [
    "Event",
    "EventKind",
    "FleetEngine",
    "FleetSettings",
    "Health",
    "Replica",
    "ReplicaLost",
    "Supply",
]
