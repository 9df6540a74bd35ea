from .force import (
    forced_config as forced_config,
)
from .points import (
    BudgetPoint as BudgetPoint,
    budget_points as budget_points,
    notes_on as notes_on,
)
from .render import (
    budget_table as budget_table,
    explanation as explanation,
    write_budget as write_budget,
)

__all__ = [
    "BudgetPoint",
    "budget_points",
    "budget_table",
    "explanation",
    "forced_config",
    "notes_on",
    "write_budget",
]
