from . import (
    humaneval as humaneval,
    livecodebench as livecodebench,
    programs as programs,
    scicode as scicode,
)
from .blocks import (
    extract_code as extract_code,
)
from .functions import (
    function_code as function_code,
)
from .scicode_program import (
    container as container,
    step_code as step_code,
)

__all__ = [
    "container",
    "extract_code",
    "function_code",
    "humaneval",
    "livecodebench",
    "programs",
    "scicode",
    "step_code",
]
