"""k2eval: evaluate reasoning checkpoints on mathematics, code and science.

``evaluate`` makes a run, ``load_run`` reads one, ``build_leaderboard`` and ``compare_runs`` set runs side by side, and
``grade`` grades one response. Each name is imported when it is first used, so that ``import k2eval`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from k2eval.api import (
        ComparisonTable,
        LeaderboardTable,
        Responses,
        Run,
        StoredResponse,
        build_leaderboard,
        compare_runs,
        evaluate,
        evaluate_async,
        grade,
        load_run,
    )
    from k2eval.config.run import RunConfig
    from k2eval.engines.protocol import Engine, EngineInfo
    from k2eval.engines.scripted import ScriptedEngine
    from k2eval.errors import (
        ConfigError,
        DataError,
        EngineError,
        EngineStopped,
        JournalError,
        K2EvalError,
        PromptTooLong,
        SandboxUnavailable,
    )
    from k2eval.journal.run_record import RunRecord
    from k2eval.recipes.sample import Sample
    from k2eval.records import (
        Generation,
        Grade,
        Message,
        Outcome,
        Question,
        Request,
        Response,
        Sampling,
        Verdict,
    )

__version__ = "0.2.0"

_MODULES = {
    "k2eval.api": (
        "ComparisonTable", "LeaderboardTable", "Responses", "Run", "StoredResponse", "build_leaderboard",
        "compare_runs", "evaluate", "evaluate_async", "grade", "load_run",
    ),
    "k2eval.config.run": ("RunConfig",),
    "k2eval.engines.protocol": ("Engine", "EngineInfo"),
    "k2eval.engines.scripted": ("ScriptedEngine",),
    "k2eval.errors": (
        "ConfigError", "DataError", "EngineError", "EngineStopped", "JournalError", "K2EvalError", "PromptTooLong",
        "SandboxUnavailable",
    ),
    "k2eval.journal.run_record": ("RunRecord",),
    "k2eval.recipes.sample": ("Sample",),
    "k2eval.records": (
        "Generation", "Grade", "Message", "Outcome", "Question", "Request", "Response", "Sampling", "Verdict",
    ),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ComparisonTable",
    "ConfigError",
    "DataError",
    "Engine",
    "EngineError",
    "EngineInfo",
    "EngineStopped",
    "Generation",
    "Grade",
    "JournalError",
    "K2EvalError",
    "LeaderboardTable",
    "Message",
    "Outcome",
    "PromptTooLong",
    "Question",
    "Request",
    "Response",
    "Responses",
    "Run",
    "RunConfig",
    "RunRecord",
    "Sample",
    "Sampling",
    "SandboxUnavailable",
    "ScriptedEngine",
    "StoredResponse",
    "Verdict",
    "__version__",
    "build_leaderboard",
    "compare_runs",
    "evaluate",
    "evaluate_async",
    "grade",
    "load_run",
]

if not TYPE_CHECKING:  # else a misspelt name would pass for one of unknown type

    def __getattr__(name: str) -> object:
        """Import a name of ``__all__`` when it is first used."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names, imported or not."""
        return sorted({*globals(), *__all__})
