from .blueprint import (
    Blueprint as Blueprint,
)
from .cluster import (
    INSTALL as INSTALL,
    Cluster as Cluster,
    NodeRoom as NodeRoom,
    is_installed as is_installed,
)
from .inspection import (
    VERSIONS as VERSIONS,
    NodeReport as NodeReport,
    facts_here as facts_here,
    inspect_cluster as inspect_cluster,
)
from .plan import (
    FleetPlan as FleetPlan,
    cards_here as cards_here,
    plan_fleet as plan_fleet,
)
from .sizing import (
    ModelSize as ModelSize,
    smallest_parallel as smallest_parallel,
)
from .supply import (
    RaySupply as RaySupply,
)

__all__ = [
    "INSTALL",
    "VERSIONS",
    "Blueprint",
    "Cluster",
    "FleetPlan",
    "ModelSize",
    "NodeReport",
    "NodeRoom",
    "RaySupply",
    "cards_here",
    "facts_here",
    "inspect_cluster",
    "is_installed",
    "plan_fleet",
    "smallest_parallel",
]
