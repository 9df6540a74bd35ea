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
from .series import (
    STEPS as STEPS,
    Point as Point,
    RunSeries as RunSeries,
    write_series as write_series,
)
from .served import (
    ServedReport as ServedReport,
)
from .steps import (
    step_of as step_of,
)
from .sweep import (
    find_values as find_values,
    sweep_checkpoints as sweep_checkpoints,
    sweep_switch as sweep_switch,
)

__all__ = [
    "STEPS",
    "Point",
    "RunSeries",
    "Samples",
    "ServedReport",
    "break_down",
    "find_values",
    "print_breakdown",
    "step_of",
    "sweep_checkpoints",
    "sweep_switch",
    "write_breakdown",
    "write_report",
    "write_series",
]
