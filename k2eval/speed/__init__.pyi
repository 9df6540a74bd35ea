from .break_even import (
    break_even_command as break_even_command,
)
from .command import (
    SpeedOptions as SpeedOptions,
    configurations as configurations,
    loads as loads,
    numbers as numbers,
    speed_command as speed_command,
    temperature_of as temperature_of,
)
from .figures import (
    figures_of as figures_of,
)
from .load import (
    put as put,
)
from .spec_check import (
    spec_check_command as spec_check_command,
)
from .start import (
    start_command as start_command,
)
from .tune import (
    tune_command as tune_command,
)

__all__ = [
    "SpeedOptions",
    "break_even_command",
    "configurations",
    "figures_of",
    "loads",
    "numbers",
    "put",
    "spec_check_command",
    "speed_command",
    "start_command",
    "temperature_of",
    "tune_command",
]
