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
    find_values as find_values,
    in_a_process as in_a_process,
    sweep_checkpoints as sweep_checkpoints,
    sweep_switch as sweep_switch,
)

__all__ = [
    "Samples",
    "break_down",
    "find_values",
    "in_a_process",
    "print_breakdown",
    "sweep_checkpoints",
    "sweep_switch",
    "write_breakdown",
    "write_report",
]
