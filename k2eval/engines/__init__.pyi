from .checkpoint import (
    checkpoint_config as checkpoint_config,
    longest_context as longest_context,
    weight_bytes as weight_bytes,
)
from .measured import (
    Load as Load,
    Prompt as Prompt,
    Target as Target,
)
from .opening import (
    open_engines as open_engines,
)
from .protocol import (
    Engine as Engine,
    EngineInfo as EngineInfo,
    Previews as Previews,
)

__all__ = [
    "Engine",
    "EngineInfo",
    "Load",
    "Previews",
    "Prompt",
    "Target",
    "checkpoint_config",
    "longest_context",
    "open_engines",
    "weight_bytes",
]
