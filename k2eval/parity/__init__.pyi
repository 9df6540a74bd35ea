from .against import (
    read_against as read_against,
)
from .agreement import (
    Agreement as Agreement,
)
from .causes import (
    Cause as Cause,
)
from .parity import (
    Parity as Parity,
    ParityReport as ParityReport,
    parity_of as parity_of,
)
from .render import (
    EXPLANATION as EXPLANATION,
    causes_table as causes_table,
    scores_table as scores_table,
    sentences as sentences,
    to_json as to_json,
    to_markdown as to_markdown,
    write_parity as write_parity,
)
from .side import (
    CAUSES as CAUSES,
    Side as Side,
)

__all__ = [
    "CAUSES",
    "EXPLANATION",
    "Agreement",
    "Cause",
    "Parity",
    "ParityReport",
    "Side",
    "causes_table",
    "parity_of",
    "read_against",
    "scores_table",
    "sentences",
    "to_json",
    "to_markdown",
    "write_parity",
]
