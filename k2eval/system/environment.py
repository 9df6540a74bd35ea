"""Variables of the environment for the time of a block."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping


@contextlib.contextmanager
def variables(settings: Mapping[str, str], also: Collection[str] = ()) -> Iterator[None]:
    """Set variables of this process's environment, which its children inherit; restore them when the block ends.

    Args:
        settings: The variables.
        also: Names of others that the block may change.

    >>> with variables({"K2EVAL_EXAMPLE": "1"}):
    ...     os.environ["K2EVAL_EXAMPLE"]
    '1'
    >>> "K2EVAL_EXAMPLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in (*settings, *also)}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
