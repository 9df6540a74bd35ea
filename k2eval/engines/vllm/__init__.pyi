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
from .schedule import (
    EVER as EVER,
    FIELD as FIELD,
    in_words as in_words,
    refuse_schedule as refuse_schedule,
    schedule_file as schedule_file,
    schedule_from as schedule_from,
    write_schedule as write_schedule,
)
from .setup import (
    cache_folders as cache_folders,
    defaults as defaults,
    executor as executor,
    import_engine as import_engine,
    is_cpu as is_cpu,
    kept_on_failure as kept_on_failure,
    vllm_version as vllm_version,
)
from .spare import (
    begin_ahead as begin_ahead,
    end_spare as end_spare,
)
from .speculation import (
    check_checkpoints as check_checkpoints,
)
from .starting import (
    BreakEven as BreakEven,
    Way as Way,
    break_even_file as break_even_file,
    write_break_even as write_break_even,
)
from .worth import Level as Level

__all__ = [
    "EVER",
    "FIELD",
    "FOLDED",
    "BreakEven",
    "Continuation",
    "Level",
    "Preview",
    "Probe",
    "Repairing",
    "Step",
    "VllmEngine",
    "Way",
    "begin_ahead",
    "break_even_file",
    "cache_folders",
    "check_checkpoints",
    "defaults",
    "end_spare",
    "executor",
    "import_engine",
    "in_words",
    "is_cpu",
    "kept_on_failure",
    "refuse_schedule",
    "schedule_file",
    "schedule_from",
    "vllm_version",
    "write_break_even",
    "write_schedule",
]
