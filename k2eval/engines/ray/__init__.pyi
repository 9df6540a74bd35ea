from .blueprint import (
    Blueprint as Blueprint,
)
from .cluster import (
    Cluster as Cluster,
    is_installed as is_installed,
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
    "Blueprint",
    "Cluster",
    "FleetPlan",
    "ModelSize",
    "RaySupply",
    "cards_here",
    "is_installed",
    "plan_fleet",
    "smallest_parallel",
]
