from .audit import (
    Audit as Audit,
    Column as Column,
    Difference as Difference,
    audit_run as audit_run,
)
from .harnesses import (
    HARNESSES as HARNESSES,
    Harness as Harness,
    harnesses_named as harnesses_named,
)
from .reasons import (
    LENIENCIES as LENIENCIES,
    How as How,
    Reason as Reason,
)
from .render import (
    EXPLANATION as EXPLANATION,
    audit_table as audit_table,
    reasons_table as reasons_table,
    to_json as to_json,
    to_markdown as to_markdown,
    write_audit as write_audit,
)

__all__ = [
    "EXPLANATION",
    "HARNESSES",
    "LENIENCIES",
    "Audit",
    "Column",
    "Difference",
    "Harness",
    "How",
    "Reason",
    "audit_run",
    "audit_table",
    "harnesses_named",
    "reasons_table",
    "to_json",
    "to_markdown",
    "write_audit",
]
