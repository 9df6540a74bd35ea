from .closing import (
    closing_words as closing_words,
)
from .engines import (
    RoleEngines as RoleEngines,
)
from .identity import (
    identity_of as identity_of,
    merge_run as merge_run,
)
from .interruption import (
    INTERRUPTED as INTERRUPTED,
    stop_at_once as stop_at_once,
)
from .lengths import (
    EarlierLengths as EarlierLengths,
    read_lengths as read_lengths,
)
from .order import (
    Order as Order,
)
from .plan import (
    Assignment as Assignment,
    Work as Work,
    outcome_of as outcome_of,
    steps_of as steps_of,
)
from .regrade import (
    NotKept as NotKept,
    check_same as check_same,
    regrade_run as regrade_run,
)
from .rehearsal import (
    Asked as Asked,
    rehearse as rehearse,
    stages as stages,
    switches_set_by_user as switches_set_by_user,
)
from .runner import (
    Runner as Runner,
)
from .verify import (
    Verification as Verification,
    verify_run as verify_run,
)

__all__ = [
    "INTERRUPTED",
    "Asked",
    "Assignment",
    "EarlierLengths",
    "NotKept",
    "Order",
    "RoleEngines",
    "Runner",
    "Verification",
    "Work",
    "check_same",
    "closing_words",
    "identity_of",
    "merge_run",
    "outcome_of",
    "read_lengths",
    "regrade_run",
    "rehearse",
    "stages",
    "steps_of",
    "stop_at_once",
    "switches_set_by_user",
    "verify_run",
]
