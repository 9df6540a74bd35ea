from .api import ComparisonTable as ComparisonTable
from .api import LeaderboardTable as LeaderboardTable
from .api import Responses as Responses
from .api import Run as Run
from .api import StoredResponse as StoredResponse
from .api import build_leaderboard as build_leaderboard
from .api import compare_runs as compare_runs
from .api import evaluate as evaluate
from .api import evaluate_async as evaluate_async
from .api import grade as grade
from .api import load_run as load_run
from .config.run import RunConfig as RunConfig
from .engines.protocol import Engine as Engine
from .engines.protocol import EngineInfo as EngineInfo
from .engines.scripted import ScriptedEngine as ScriptedEngine
from .errors import ConfigError as ConfigError
from .errors import DataError as DataError
from .errors import EngineError as EngineError
from .errors import EngineStopped as EngineStopped
from .errors import JournalError as JournalError
from .errors import K2EvalError as K2EvalError
from .errors import PromptTooLong as PromptTooLong
from .errors import SandboxUnavailable as SandboxUnavailable
from .journal.run_record import RunRecord as RunRecord
from .recipes.sample import Sample as Sample
from .records import Generation as Generation
from .records import Grade as Grade
from .records import Message as Message
from .records import Outcome as Outcome
from .records import Question as Question
from .records import Request as Request
from .records import Response as Response
from .records import Sampling as Sampling
from .records import Verdict as Verdict

__all__: list[str]
__version__: str
