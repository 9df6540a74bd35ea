from .counters import (
    Step as Step,
)
from .cpu_repair import (
    Repairing as Repairing,
)
from .engine import (
    VllmEngine as VllmEngine,
)
from .preview import (
    FOLDED as FOLDED,
    Preview as Preview,
)
from .probe import (
    Continuation as Continuation,
    Probe as Probe,
)
from .setup import (
    defaults as defaults,
    executor as executor,
    kept_on_failure as kept_on_failure,
    vllm_version as vllm_version,
)
from .speculation import (
    check_checkpoints as check_checkpoints,
)

__all__ = [
    "FOLDED",
    "Continuation",
    "Preview",
    "Probe",
    "Repairing",
    "Step",
    "VllmEngine",
    "check_checkpoints",
    "defaults",
    "executor",
    "kept_on_failure",
    "vllm_version",
]
