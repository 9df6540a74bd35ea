"""Imitate how LiveCodeBench's own grader runs programs. This code runs inside the sandbox, beside a submission.

The imitation has the quirks that published numbers contain (``testing_util.py`` at revision 28fef95). A program for
standard input becomes a function that is called once per test in one process, with a stand-in for ``sys.stdin`` that
has only some of its methods. A wall alarm bounds each test. ``SystemExit`` with any status is fine.

No expected output is here: the output or the result of each test is emitted, and compared outside.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import types
import unittest.mock
from collections.abc import Callable, Iterator
from typing import Any

Emit = Callable[[tuple[str, Any]], None]

_REMOVED_FROM_OS = (
    *("kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork", "forkpty"),
    *("killpg", "rename", "renames", "truncate", "replace", "unlink", "fchmod", "fchown", "chmod", "chown"),
    *("chroot", "lchflags", "lchmod", "lchown", "getcwd", "chdir"),
)


class OutOfTime(Exception):
    """The wall alarm rang. A program that catches every exception goes on, as it does there."""


def main(code: str, prelude: str, tests: list[str], function: str | None, seconds: int, emit: Emit) -> None:
    """Run ``code`` on all ``tests`` until one does not answer, and emit the result of each."""
    signal.signal(signal.SIGALRM, _ring)
    _take_away()
    try:
        if function is None:
            _run_programs(code, prelude, tests, seconds, emit)
        else:
            _run_calls(code, prelude, tests, function, seconds, emit)
    except Exception as error:
        emit(("error", _message(error)))


def _ring(number: int, frame: object) -> None:
    raise OutOfTime


def _take_away() -> None:
    builtins.__dict__["quit"] = None
    for name in _REMOVED_FROM_OS:
        os.__dict__[name] = None
    for name in ("rmtree", "move", "chown"):
        shutil.__dict__[name] = None
    subprocess.__dict__["Popen"] = None
    for name in ("ipdb", "joblib", "resource", "psutil", "tkinter"):
        sys.modules[name] = None  # type: ignore[assignment]  # so that its import fails


def _load(code: str, seconds: int) -> Any:
    """Load the module; return it, or its ``Solution()`` if the text contains ``class Solution``."""
    module = types.ModuleType("submission")
    signal.alarm(seconds)
    try:
        exec(code, module.__dict__)
        return module.Solution() if "class Solution" in code else module
    finally:
        signal.alarm(0)


def _run_calls(code: str, prelude: str, tests: list[str], function: str, seconds: int, emit: Emit) -> None:
    called = getattr(_load(f"{prelude}\n{code}", seconds), function)
    arguments = [[json.loads(line) for line in test.split("\n")] for test in tests]
    for values in arguments:
        if not _answered(lambda values=values: ("value", called(*values)), seconds, emit):  # type: ignore[misc]  # mypy infers no lambda with defaults
            return


def _run_programs(code: str, prelude: str, tests: list[str], seconds: int, emit: Emit) -> None:
    wrapped = _load(_as_function(code, prelude), seconds).wrapped_function
    for test in tests:
        if not _answered(lambda test=test: ("value", _printed(wrapped, test)), seconds, emit):  # type: ignore[misc]  # mypy infers no lambda with defaults
            return


def _answered(run: Callable[[], tuple[str, Any]], seconds: int, emit: Emit) -> bool:
    signal.alarm(seconds)
    try:
        answer = run()
        signal.alarm(0)
    except Exception as error:
        signal.alarm(0)
        emit(("timeout" if "outoftime" in repr(error).lower() else "error", _message(error)))
        return False
    emit(answer)
    return True


def _as_function(code: str, prelude: str) -> str:
    """Return the program as ``wrapped_function``, with its imports in front; unchanged if it does not parse."""
    try:
        body = ast.parse(_without_guard(code)).body
        imports: list[ast.stmt] = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        rest = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
        no_arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        wrapped = ast.FunctionDef("wrapped_function", no_arguments, rest, [], lineno=-1)
        return "\n".join([prelude, ast.unparse(ast.Module(imports, [])), ast.unparse(wrapped)])
    except Exception:
        return code


def _without_guard(code: str) -> str:
    """Return ``code`` with a last ``if __name__ == '__main__'`` replaced by its body."""
    try:
        *before, last = ast.parse(code).body
        if isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'":
            return ast.unparse(ast.Module([*before, *last.body], []))
    except Exception:
        pass
    return code


def _printed(wrapped: Callable[[], object], text: str) -> str:
    """Return the output of one call to ``sys.stdout``, with ``text`` in the stand-in for standard input."""
    original, sys.stdout = sys.stdout, io.StringIO()
    printed = sys.stdout
    printed.close = lambda: None  # type: ignore[method-assign]  # a program may close it
    try:
        with (
            unittest.mock.patch("builtins.open", unittest.mock.mock_open(read_data=text)),
            unittest.mock.patch("sys.stdin", _Stdin(text)),
            contextlib.suppress(SystemExit),
        ):
            wrapped()
        return printed.getvalue()
    finally:
        sys.stdout = original


class _Stdin:
    """Can be read whole, as a list of lines or line by line, each on its own account; nothing iterates it."""

    def __init__(self, text: str) -> None:
        lines: Iterator[str] = iter(text.split("\n"))
        self.read = lambda *args: text
        self.readline = lambda *args: next(lines)
        self.readlines = lambda *args: text.split("\n")
        self.buffer = _Buffer(text.encode())
        self._rest = io.StringIO(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rest, name)


class _Buffer:
    """Gives its first line again and again."""

    def __init__(self, data: bytes) -> None:
        self.read = lambda *args: data
        self.readline = lambda *args: data.split(b"\n")[0] + b"\n"


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:400]
