from .cli import (
    app as app,
)
from .inside.warm import (
    STANDARD as STANDARD,
)
from .sandbox import (
    Sandbox as Sandbox,
)
from .selftest import (
    doctor_report as doctor_report,
    require as require,
    self_test as self_test,
)
from .types import (
    Call as Call,
    CallResult as CallResult,
    DoctorRow as DoctorRow,
    Limits as Limits,
    Profile as Profile,
    RunOutcome as RunOutcome,
    RunResult as RunResult,
)
from .wire import (
    Opaque as Opaque,
)

__all__ = [
    "STANDARD",
    "Call",
    "CallResult",
    "DoctorRow",
    "Limits",
    "Opaque",
    "Profile",
    "RunOutcome",
    "RunResult",
    "Sandbox",
    "app",
    "doctor_report",
    "require",
    "self_test",
]
