from .journal import (
    Archive as Archive,
    Journal as Journal,
    read_run as read_run,
)
from .lines import (
    GENERATIONS as GENERATIONS,
    RUN as RUN,
    VERDICTS as VERDICTS,
    line_at as line_at,
    numbered_lines as numbered_lines,
    read_lines as read_lines,
)
from .run_record import (
    FORMAT as FORMAT,
    CountedGenerations as CountedGenerations,
    EngineRecord as EngineRecord,
    MachineRecord as MachineRecord,
    ModelRecord as ModelRecord,
    RunRecord as RunRecord,
    RunSpeculation as RunSpeculation,
    SessionRecord as SessionRecord,
    SpeculationRecord as SpeculationRecord,
    TaskRecord as TaskRecord,
)
from .verdicts import (
    foreign as foreign,
    out_of_run as out_of_run,
    read_verdicts as read_verdicts,
)

__all__ = [
    "FORMAT",
    "GENERATIONS",
    "RUN",
    "VERDICTS",
    "Archive",
    "CountedGenerations",
    "EngineRecord",
    "Journal",
    "MachineRecord",
    "ModelRecord",
    "RunRecord",
    "RunSpeculation",
    "SessionRecord",
    "SpeculationRecord",
    "TaskRecord",
    "foreign",
    "line_at",
    "numbered_lines",
    "out_of_run",
    "read_lines",
    "read_run",
    "read_verdicts",
]
