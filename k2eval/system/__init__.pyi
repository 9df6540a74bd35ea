from . import (
    cores as cores,
    load as load,
)
from .console import (
    CLOSED_PIPE as CLOSED_PIPE,
    ClosedPipe as ClosedPipe,
    lose_nothing as lose_nothing,
    silence as silence,
    terminal as terminal,
)
from .environment import (
    variables as variables,
)
from .files import (
    replacing as replacing,
    write_text as write_text,
)
from .shipped import (
    shipped_path as shipped_path,
)
from .temporary import (
    remove_leftovers as remove_leftovers,
    temporary_folder as temporary_folder,
)

__all__ = [
    "CLOSED_PIPE",
    "ClosedPipe",
    "cores",
    "load",
    "lose_nothing",
    "remove_leftovers",
    "replacing",
    "shipped_path",
    "silence",
    "temporary_folder",
    "terminal",
    "variables",
    "write_text",
]
