from .export import (
    export_run as export_run,
)
from .lm_eval import (
    add_to_path as add_to_path,
    with_chat as with_chat,
)
from .lm_eval_model import (
    register as register,
)
from .track import (
    tracking as tracking,
)

__all__ = [
    "add_to_path",
    "export_run",
    "register",
    "tracking",
    "with_chat",
]
