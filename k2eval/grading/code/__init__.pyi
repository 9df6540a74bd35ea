from . import (
    humaneval as humaneval,
    livecodebench as livecodebench,
    programs as programs,
)
from .blocks import (
    extract_code as extract_code,
)
from .scicode_program import (
    container as container,
    step_code as step_code,
)

__all__ = [
    "container",
    "extract_code",
    "humaneval",
    "livecodebench",
    "programs",
    "step_code",
]
