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
    AUTO as AUTO,
    METHODS_WITH_PATH as METHODS_WITH_PATH,
    SHORT_NAMES as SHORT_NAMES,
    WHEN as WHEN,
    Schedule as Schedule,
    is_scheduled as is_scheduled,
    parse as parse,
    schedule_in as schedule_in,
)

__all__ = [
    "AUTO",
    "METHODS_WITH_PATH",
    "SHORT_NAMES",
    "WHEN",
    "FleetConfig",
    "RunConfig",
    "Schedule",
    "TaskOverrides",
    "explain",
    "is_scheduled",
    "load_config",
    "parse",
    "read_yaml",
    "schedule_in",
]
