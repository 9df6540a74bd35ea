from . import (
    cores as cores,
    load as load,
)
from .collection import (
    no_collections as no_collections,
    rare_collections as rare_collections,
)
from .console import (
    CLOSED_PIPE as CLOSED_PIPE,
    ClosedPipe as ClosedPipe,
    lose_nothing as lose_nothing,
    silence as silence,
    terminal as terminal,
)
from .endings import (
    ENDED as ENDED,
    ENDING as ENDING,
    at_end as at_end,
    end_now as end_now,
    exit_code as exit_code,
    heed_signals as heed_signals,
    heeded as heeded,
    ignore_signals as ignore_signals,
)
from .environment import (
    variables as variables,
)
from .files import (
    FILES_OF_A_RUN as FILES_OF_A_RUN,
    is_of_run as is_of_run,
    open_file as open_file,
    real_path as real_path,
    remove_stale as remove_stale,
    replacing as replacing,
    write_text as write_text,
    write_texts as write_texts,
)
from .finishing import (
    finished as finished,
)
from .hang import (
    busy_with as busy_with,
    told as told,
    watched_loop as watched_loop,
)
from .modules import (
    die_with_parent as die_with_parent,
    module_command as module_command,
    start_module as start_module,
)
from .private import (
    private_folder as private_folder,
)
from .shipped import (
    shipped_path as shipped_path,
)
from .streams import hold_streams as hold_streams
from .temporary import (
    remove_leftovers as remove_leftovers,
    temporary_folder as temporary_folder,
    temporary_prefix as temporary_prefix,
)

__all__ = [
    "CLOSED_PIPE",
    "ENDED",
    "ENDING",
    "FILES_OF_A_RUN",
    "ClosedPipe",
    "at_end",
    "busy_with",
    "cores",
    "die_with_parent",
    "end_now",
    "exit_code",
    "finished",
    "heed_signals",
    "heeded",
    "hold_streams",
    "ignore_signals",
    "is_of_run",
    "load",
    "lose_nothing",
    "module_command",
    "no_collections",
    "open_file",
    "private_folder",
    "rare_collections",
    "real_path",
    "remove_leftovers",
    "remove_stale",
    "replacing",
    "shipped_path",
    "silence",
    "start_module",
    "temporary_folder",
    "temporary_prefix",
    "terminal",
    "told",
    "variables",
    "watched_loop",
    "write_text",
    "write_texts",
]
