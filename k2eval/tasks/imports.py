"""Functions that users name by an import path: adapters, solvers, graders and recipes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from k2eval.errors import ConfigError
from k2eval.system import told


def import_object(path: str, purpose: str) -> Any:
    """Import the object at ``package.module:name``.

    >>> import_object("math:sqrt", "example")(9)
    3.0

    Args:
        path: The import path.
        purpose: Purpose of the object, for the error message.

    Raises:
        ConfigError: If there is no such object, or its module cannot be imported.
    """
    module, separator, name = path.partition(":")
    try:
        if not separator:
            raise ImportError("no ':' in it")
        with told(f"the import of {module} ({purpose})"):
            return getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # a module of the user's may raise anything
        raise ConfigError(
            f"Cannot import {path!r} ({purpose}): expected package.module:name; {in_words(error)}."
        ) from error


def in_words(error: BaseException) -> str:
    """Return the kind and the first line of an error, limited in length.

    >>> in_words(KeyError("answer")), in_words(ValueError())
    ("KeyError: 'answer'", 'ValueError')
    """
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__


def check_call(function: Any, purpose: str, arguments: Sequence[str]) -> None:
    """Make sure that an object can be called with so many arguments.

    Args:
        function: The object.
        purpose: Its purpose and path, the subject of the error message.
        arguments: The names of the positional arguments that it will get.

    Raises:
        ConfigError: If it is no function, or takes other arguments.

    >>> check_call(len, "Adapter builtins:len", ["rows"])
    """
    expected = f"{purpose}: expected a function of ({', '.join(arguments)})"
    if not callable(function):
        raise ConfigError(f"{expected}, got {kind_of(function)}. Correct the path or the function.")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise ConfigError(f"{expected}, got one that does not take them: {error}. Correct it.") from error
    except ValueError:  # some functions in C do not tell their arguments
        return


def kind_of(value: object) -> str:
    """Return the kind of a value for a message.

    >>> kind_of(5), kind_of(None), kind_of(int)
    ('an object of type int', 'None', 'the class int')
    """
    if value is None:
        return "None"
    return (
        f"the class {value.__name__}"
        if isinstance(value, type)
        else f"an object of type {type(value).__name__}"
    )
