from .api import (
    ComparisonTable as ComparisonTable,
    LeaderboardTable as LeaderboardTable,
    Responses as Responses,
    Run as Run,
    StoredResponse as StoredResponse,
    build_leaderboard as build_leaderboard,
    compare_runs as compare_runs,
    evaluate as evaluate,
    evaluate_async as evaluate_async,
    grade as grade,
    load_run as load_run,
)
from .config.run import RunConfig as RunConfig
from .engines.protocol import Engine as Engine, EngineInfo as EngineInfo
from .engines.scripted import ScriptedEngine as ScriptedEngine
from .errors import (
    ConfigError as ConfigError,
    DataError as DataError,
    EngineError as EngineError,
    EngineStopped as EngineStopped,
    JournalError as JournalError,
    K2EvalError as K2EvalError,
    PromptTooLong as PromptTooLong,
    SandboxUnavailable as SandboxUnavailable,
)
from .journal.run_record import RunRecord as RunRecord
from .recipes.sample import Sample as Sample
from .records import (
    Generation as Generation,
    Grade as Grade,
    Message as Message,
    Outcome as Outcome,
    Question as Question,
    Request as Request,
    Response as Response,
    Sampling as Sampling,
    Verdict as Verdict,
)

__all__: list[str]
__version__: str
