from .checkpoint import (
    checkpoint_config as checkpoint_config,
    checkpoint_file as checkpoint_file,
    weight_bytes as weight_bytes,
    weights_fault as weights_fault,
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
    hub_fingerprints as hub_fingerprints,
    pinned as pinned,
    pinned_config as pinned_config,
    pinned_draft as pinned_draft,
)
from .measured import (
    Load as Load,
    Prompt as Prompt,
    Target as Target,
)
from .opening import (
    open_engines as open_engines,
)
from .placing import (
    cards_of_configs as cards_of_configs,
)
from .protocol import (
    Anticipates as Anticipates,
    Demand as Demand,
    Engine as Engine,
    EngineInfo as EngineInfo,
    Previews as Previews,
    Reports as Reports,
    SharesProcessors as SharesProcessors,
    Succeeds as Succeeds,
)
from .scripted import (
    ScriptedEngine as ScriptedEngine,
)
from .template import (
    TemplateFiles as TemplateFiles,
)
from .thinking import (
    may_think as may_think,
    server_fields as server_fields,
)
from .warm import (
    WarmEngines as WarmEngines,
)
from .weights import (
    missing_part as missing_part,
)

__all__ = [
    "Anticipates",
    "CheckpointFacts",
    "Demand",
    "Engine",
    "EngineInfo",
    "Load",
    "Previews",
    "Prompt",
    "Reports",
    "ScriptedEngine",
    "Succeeds",
    "Target",
    "TemplateFiles",
    "WarmEngines",
    "cards_of_configs",
    "checkpoint_config",
    "checkpoint_facts",
    "checkpoint_file",
    "differing_sampling",
    "doubled_start",
    "hub_fingerprints",
    "longest_context",
    "may_think",
    "missing_part",
    "open_engines",
    "pinned",
    "pinned_config",
    "pinned_draft",
    "server_fields",
    "turn_end",
    "weight_bytes",
    "weights_fault",
]
