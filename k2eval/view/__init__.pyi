from .found import (
    Found as Found,
    RunsFolder as RunsFolder,
)
from .server import (
    Viewer as Viewer,
    bind as bind,
    serve as serve,
)

__all__ = [
    "Found",
    "RunsFolder",
    "Viewer",
    "bind",
    "serve",
]
