from .journal import (
    Archive as Archive,
    Journal as Journal,
    read_run as read_run,
    state_of as state_of,
)
from .lines import (
    GENERATIONS as GENERATIONS,
    RUN as RUN,
    VERDICTS as VERDICTS,
    is_whole as is_whole,
    line_at as line_at,
    numbered_lines as numbered_lines,
    parsed as parsed,
    read_lines as read_lines,
)
from .protocol_record import (
    ProtocolRecord as ProtocolRecord,
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
from .seal import (
    SEAL as SEAL,
    SIGNATURE as SIGNATURE,
    checksums as checksums,
    is_verified as is_verified,
    remember_verified as remember_verified,
    seal_faults as seal_faults,
    sign as sign,
    signer as signer,
)
from .verdicts import (
    foreign as foreign,
    out_of_run as out_of_run,
    read_verdicts as read_verdicts,
    strangers as strangers,
)
from .weights_record import (
    WeightsRecord as WeightsRecord,
)

__all__ = [
    "FORMAT",
    "GENERATIONS",
    "RUN",
    "SEAL",
    "SIGNATURE",
    "VERDICTS",
    "Archive",
    "CountedGenerations",
    "EngineRecord",
    "Journal",
    "MachineRecord",
    "ModelRecord",
    "ProtocolRecord",
    "RunRecord",
    "RunSpeculation",
    "SessionRecord",
    "SpeculationRecord",
    "TaskRecord",
    "WeightsRecord",
    "checksums",
    "foreign",
    "is_verified",
    "is_whole",
    "line_at",
    "numbered_lines",
    "out_of_run",
    "parsed",
    "read_lines",
    "read_run",
    "read_verdicts",
    "remember_verified",
    "seal_faults",
    "sign",
    "signer",
    "state_of",
    "strangers",
]
