from .export import (
    export_run as export_run,
)
from .exported import (
    HIDDEN as HIDDEN,
)
from .lm_eval import (
    add_to_path as add_to_path,
    with_chat as with_chat,
)
from .lm_eval_model import (
    no_protocol as no_protocol,
    register as register,
)
from .publication import (
    Published as Published,
    publish as publish,
)
from .track import (
    tracking as tracking,
)

__all__ = [
    "HIDDEN",
    "Published",
    "add_to_path",
    "export_run",
    "no_protocol",
    "publish",
    "register",
    "tracking",
    "with_chat",
]
