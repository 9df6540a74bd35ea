"""Exception hierarchy, grouped by the part that failed.

    K2EvalError
    ├── ConfigError          the command line, a YAML file or a recipe says something impossible
    ├── DataError            questions or responses cannot be read, or are not what the task expects
    ├── JournalError         a run directory cannot be read, written or extended
    ├── EngineError          the engine cannot start, or cannot answer
    │   ├── EngineGaveUp     the engine has asked for one answer as often as it may
    │   ├── PromptTooLong    one prompt exceeds the engine's context; retrying will not help
    │   ├── RecipeFailed     a recipe or a solver of the user's made no response to one sample
    │   │   └── NoResponse   it returned something else, so it has a wrong kind
    │   └── EngineStopped    the engine has died; the run cannot go on, and can be resumed
    └── SandboxUnavailable   untrusted programs cannot be isolated here; nothing was run

Each message says what was expected, what was got and what to do. The command line prints it without
a traceback and exits with code 2.
"""


class K2EvalError(Exception):
    """Base of every error that k2eval raises on purpose."""


class ConfigError(K2EvalError):
    """The command line, a YAML file or a recipe says something impossible."""


class DataError(K2EvalError):
    """Questions or responses cannot be read, or are not what the task expects."""


class JournalError(K2EvalError):
    """A run directory cannot be read, written or extended."""


class EngineError(K2EvalError):
    """The engine cannot start, or cannot answer a request."""


class EngineGaveUp(EngineError):
    """The engine has asked for one answer as often as it may, or cannot get it by asking again."""


class PromptTooLong(EngineError):
    """One prompt exceeds the engine's context; retrying will not help."""


class RecipeFailed(EngineError):
    """A recipe or a solver of the user's made no response to a sample; only that sample fails."""


class NoResponse(RecipeFailed):
    """A recipe or a solver of the user's returned something other than a response."""


class EngineStopped(EngineError):
    """The engine has died; the run cannot go on, and can be resumed."""


class SandboxUnavailable(K2EvalError):
    """Untrusted programs cannot be isolated here; nothing was run."""


def did_you_mean(got: str, known: list[str]) -> str:
    """Return a sentence that names the near matches of ``got`` among ``known``, or all names if none is near.

    >>> did_you_mean("plian", ["plain", "plan", "k2"])
    'Did you mean plan or plain?'
    >>> did_you_mean("x", ["plain", "k2"])
    'Known: k2, plain.'
    """
    import difflib

    near = difflib.get_close_matches(got, known, n=3, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(near) + "?"
    return "Known: " + ", ".join(sorted(known)) + "."


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of the errors that ended a task group; the others follow from it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
