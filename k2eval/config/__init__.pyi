from .fleet import (
    FleetConfig as FleetConfig,
)
from .reading import (
    read_yaml as read_yaml,
)
from .run import (
    RunConfig as RunConfig,
    TaskOverrides as TaskOverrides,
    explain as explain,
    load_config as load_config,
)
from .speculative import (
    METHODS_WITH_PATH as METHODS_WITH_PATH,
    SHORT_NAMES as SHORT_NAMES,
    parse as parse,
)

__all__ = [
    "METHODS_WITH_PATH",
    "SHORT_NAMES",
    "FleetConfig",
    "RunConfig",
    "TaskOverrides",
    "explain",
    "load_config",
    "parse",
    "read_yaml",
]
