from .contest import (
    LOOKS as LOOKS,
    Contest as Contest,
    Entry as Entry,
    Rules as Rules,
)
from .gate import (
    Answer as Answer,
    Gate as Gate,
    Gated as Gated,
    Ruling as Ruling,
    gate_of_runs as gate_of_runs,
)
from .gate_files import (
    gate_json as gate_json,
    gate_junit as gate_junit,
    gate_markdown as gate_markdown,
    gate_notes as gate_notes,
    gate_table as gate_table,
    gate_words as gate_words,
    summary_lines as summary_lines,
)
from .live import (
    Contestant as Contestant,
    LiveRace as LiveRace,
)
from .policy import (
    Policy as Policy,
    Rule as Rule,
    read_policy as read_policy,
)
from .power import (
    EXPLANATION as EXPLANATION,
    Bench as Bench,
    Power as Power,
    amount as amount,
    benches_of as benches_of,
    power_of as power_of,
    power_table as power_table,
)
from .race import (
    Result as Result,
    aligned as aligned,
    race_of_runs as race_of_runs,
    race_table as race_table,
    race_words as race_words,
)
from .until import (
    UntilPrecise as UntilPrecise,
)

__all__ = [
    "EXPLANATION",
    "LOOKS",
    "Answer",
    "Bench",
    "Contest",
    "Contestant",
    "Entry",
    "Gate",
    "Gated",
    "LiveRace",
    "Policy",
    "Power",
    "Result",
    "Rule",
    "Rules",
    "Ruling",
    "UntilPrecise",
    "aligned",
    "amount",
    "benches_of",
    "gate_json",
    "gate_junit",
    "gate_markdown",
    "gate_notes",
    "gate_of_runs",
    "gate_table",
    "gate_words",
    "power_of",
    "power_table",
    "race_of_runs",
    "race_table",
    "race_words",
    "read_policy",
    "summary_lines",
]
