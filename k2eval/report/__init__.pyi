from .breakdown import (
    break_down as break_down,
    print_breakdown as print_breakdown,
    write_breakdown as write_breakdown,
)
from .build import (
    write_report as write_report,
)
from .samples import (
    Samples as Samples,
)
from .sweep import (
    in_a_process as in_a_process,
    sweep_checkpoints as sweep_checkpoints,
)

__all__ = [
    "Samples",
    "break_down",
    "in_a_process",
    "print_breakdown",
    "sweep_checkpoints",
    "write_breakdown",
    "write_report",
]
