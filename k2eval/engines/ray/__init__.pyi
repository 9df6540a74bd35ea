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
    OK as OK,
    SANDBOX as SANDBOX,
    VERSIONS as VERSIONS,
    NodeReport as NodeReport,
    facts_here as facts_here,
    inspect_cluster as inspect_cluster,
)
from .plan import (
    FleetPlan as FleetPlan,
    card_names as card_names,
    cards_here as cards_here,
    cards_of_one as cards_of_one,
    plan_fleet as plan_fleet,
    share_of as share_of,
)
from .program import (
    NodeProgram as NodeProgram,
    Program as Program,
    free_cores as free_cores,
)
from .supply import (
    RaySupply as RaySupply,
)

__all__ = [
    "INSTALL",
    "OK",
    "SANDBOX",
    "VERSIONS",
    "Blueprint",
    "Cluster",
    "FleetPlan",
    "NodeProgram",
    "NodeReport",
    "NodeRoom",
    "Program",
    "RaySupply",
    "card_names",
    "cards_here",
    "cards_of_one",
    "facts_here",
    "free_cores",
    "inspect_cluster",
    "is_installed",
    "plan_fleet",
    "share_of",
]
