from .page import (
    PAGE as PAGE,
)
from .watcher import (
    Evaluator as Evaluator,
    Watcher as Watcher,
    WatchSettings as WatchSettings,
)

__all__ = [
    "PAGE",
    "Evaluator",
    "WatchSettings",
    "Watcher",
]
