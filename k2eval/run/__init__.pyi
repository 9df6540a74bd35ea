from .batches import (
    Batches as Batches,
)
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
    Interruption as Interruption,
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
from .progress import (
    Progress as Progress,
    TaskProgress as TaskProgress,
)
from .regrade import (
    NotKept as NotKept,
    check_same as check_same,
    regrade_run as regrade_run,
    work_of as work_of,
)
from .rehearsal import (
    Asked as Asked,
    rehearse as rehearse,
    stages as stages,
    switches_set_by_user as switches_set_by_user,
)
from .runner import (
    Runner as Runner,
    Summary as Summary,
)
from .trust import (
    check_recipe as check_recipe,
    hint as hint,
    hinting as hinting,
    trusted_config as trusted_config,
)
from .verify import (
    Verification as Verification,
    verify_run as verify_run,
)

__all__ = [
    "Asked",
    "Assignment",
    "Batches",
    "EarlierLengths",
    "Interruption",
    "NotKept",
    "Order",
    "Progress",
    "RoleEngines",
    "Runner",
    "Summary",
    "TaskProgress",
    "Verification",
    "Work",
    "check_recipe",
    "check_same",
    "closing_words",
    "hint",
    "hinting",
    "identity_of",
    "merge_run",
    "outcome_of",
    "read_lengths",
    "regrade_run",
    "rehearse",
    "stages",
    "steps_of",
    "switches_set_by_user",
    "trusted_config",
    "verify_run",
    "work_of",
]
