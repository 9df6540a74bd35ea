from .checkpoint import (
    checkpoint_config as checkpoint_config,
    checkpoint_file as checkpoint_file,
    weight_bytes as weight_bytes,
)
from .facts import (
    CheckpointFacts as CheckpointFacts,
    checkpoint_facts as checkpoint_facts,
    differing_sampling as differing_sampling,
    doubled_start as doubled_start,
    longest_context as longest_context,
    turn_end as turn_end,
)
from .hub import (
    pinned as pinned,
    pinned_config as pinned_config,
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
    Reports as Reports,
)
from .scripted import (
    ScriptedEngine as ScriptedEngine,
)
from .template import (
    TemplateFiles as TemplateFiles,
)
from .thinking import (
    server_fields as server_fields,
)

__all__ = [
    "CheckpointFacts",
    "Engine",
    "EngineInfo",
    "Load",
    "Previews",
    "Prompt",
    "Reports",
    "ScriptedEngine",
    "Target",
    "TemplateFiles",
    "checkpoint_config",
    "checkpoint_facts",
    "checkpoint_file",
    "differing_sampling",
    "doubled_start",
    "longest_context",
    "open_engines",
    "pinned",
    "pinned_config",
    "server_fields",
    "turn_end",
    "weight_bytes",
]
