"""Call a recipe or a solver, which may be a user's, and insist on a response."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from k2eval.errors import EngineError, JournalError, NoResponse, RecipeFailed
from k2eval.records import Response
from k2eval.tasks import in_words, kind_of


async def response_of(function: Callable[..., Any], name: str, *arguments: Any, is_ours: bool) -> Response:
    """Return the response that a recipe or a solver makes.

    Args:
        function: The recipe or solver.
        name: Its name, the subject of error messages.
        *arguments: Its arguments.
        is_ours: Whether it is k2eval's own. An error of it is a bug, which ends the run.

    Raises:
        EngineError: If an engine has given up.
        NoResponse: If it returns anything but a response.
        RecipeFailed: If it is a user's and raises an error of its own.
    """
    try:
        waiting = function(*arguments)
        response = await waiting if inspect.isawaitable(waiting) else waiting
    except (EngineError, JournalError):
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RecipeFailed(f"{name} cancelled itself. Correct it.") from None
    except (Exception, SystemExit) as error:
        if is_ours:
            raise
        raise RecipeFailed(f"{name} raised {in_words(error)}. Correct it.") from error
    if inspect.iscoroutine(response):
        response.close()
    if not inspect.isawaitable(waiting) or not isinstance(response, Response):
        raise NoResponse(
            f"{name}: expected an async function that returns a k2eval.Response, as sample.solve() gives it, "
            f"got {kind_of(response)}. Correct it."
        )
    return response
