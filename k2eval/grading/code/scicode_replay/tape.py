"""Play records back: stand-ins for a submission's functions, classes and objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

RECORDER, TESTS, NAMES = "__k2eval_recorder__", "__k2eval_tests__", "__k2eval_names__"
"""Inputs of the recording run: the recorder's text, the reduced tests, the names to record."""

MESSAGE = 400
"""Characters of a message, which the submission may have written."""


class SubmissionFailed(Exception):
    """The submission raised here, or gave nothing more."""


@cache
def recorder_driver() -> tuple[str, str]:
    """Return the driver of the recording run, and the text of the recorder that it loads from its inputs.

    The recorder has its own namespace, so that it neither hides nor uses a name of the submission.
    """
    text = resources.files(__package__).joinpath("recorder.py").read_text("utf-8")
    space = "__k2eval_space__"
    driver = (
        f"{space} = {{'__name__': 'k2eval_recorder', '__builtins__': __import__('builtins')}}\n"
        f"__import__('builtins').exec({RECORDER}, {space})\n"
        f"{space}['record'](globals(), {TESTS}, {NAMES}, emit)\n"
    )
    return driver, text


def _texts_only(record: Any) -> Any:
    """Return the first fields of a record, those that are no text or number as None: matching compares no arrays."""
    if not isinstance(record, tuple):
        return None
    return tuple(field if isinstance(field, str | int) else None for field in record[:3])


class Tape:
    """The records of one step, test by test."""

    def __init__(self, records: Sequence[Any]) -> None:
        self._tests: dict[int, list[tuple[Any, ...]]] = {}
        current: list[tuple[Any, ...]] = []
        for record in records:
            match _texts_only(record):
                case ("test", int(number)) if number not in self._tests:
                    current = self._tests[number] = []
                case tuple():
                    current.append(record)
        self._left: Iterator[tuple[Any, ...]] = iter(())
        self._next: tuple[Any, ...] | None = None
        self.results: list[Any] = []
        """The results of calls that the current test has been given."""

    def start(self, test: int) -> None:
        """Go to the records of a test.

        Raises:
            SubmissionFailed: If the recording did not reach this test.
        """
        if test not in self._tests:
            raise SubmissionFailed("the program ended before this test")
        self._left = iter(self._tests[test])
        self._next = next(self._left, None)
        self.results = []

    def peek(self) -> tuple[Any, ...] | None:
        """Return the next record."""
        return self._next

    def take(self, kind: str, name: str) -> tuple[Any, ...]:
        """Take the next record, which must have this kind and name; return the rest of its fields.

        Raises:
            SubmissionFailed: If it has another: the submission raised, or ended, or tampered with its records.
        """
        record = self._next
        self._next = next(self._left, None)
        match _texts_only(record):
            case ("raised", str(text)):
                raise SubmissionFailed(text[:MESSAGE])
            case (str(recorded), str(of), *_) if record is not None and recorded == kind and of == name:
                return record[2:]
            case None:
                raise SubmissionFailed(f"{name} gave nothing")
            case _:
                raise SubmissionFailed(f"{name} was expected next, got {str(_texts_only(record))[:MESSAGE]}")

    def revive(self, value: Any) -> Any:
        """Return a recorded value with stand-ins in place of objects."""
        match value:
            case (str("object"), int(number)):
                return Stand(self, f"#{number}")
            case list() | tuple():
                return type(value)(self.revive(item) for item in value)
            case dict():
                return {key: self.revive(item) for key, item in value.items()}
        return value


class Stand:
    """Stands for a function, a class or an object of the submission, and gives what was recorded.

    It equals nothing, has no truth value and takes part in no arithmetic.
    """

    def __init__(self, tape: Tape, name: str) -> None:
        self._tape = tape
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the recorded result; change the arguments as the recorded call changed them."""
        fields = self._tape.take("call", self._name)
        if len(fields) != 2 or not isinstance(fields[1], list):
            raise SubmissionFailed(f"{self._name} has a record that is none")
        result, changes = fields
        arguments: Mapping[Any, Any] = {**dict(enumerate(args)), **kwargs}
        for change in changes:
            if isinstance(change, tuple) and len(change) == 2 and isinstance(change[0], (int, str)):
                _change(arguments.get(change[0]), change[1])
        revived = self._tape.revive(result)
        self._tape.results.append(revived)
        return revived

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self._name}.{name}"
        match _texts_only(self._tape.peek()):
            case ("get", str(of), *_) if of == full:
                return self._got(full)
        return Stand(self._tape, full)

    def __getitem__(self, key: Any) -> Any:
        return self._got(f"{self._name}[]")

    def __len__(self) -> int:
        return int(self._got(f"{self._name}.len"))

    def __float__(self) -> float:
        return float(self._got(f"{self._name}.float"))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._got(f"{self._name}.iter"))

    def __bool__(self) -> bool:
        raise TypeError(f"{self._name} is an object of the submission and has no truth value here")

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # no set holds it

    def _got(self, name: str) -> Any:
        fields = self._tape.take("get", name)
        return self._tape.revive(fields[0] if fields else None)


def _change(argument: Any, new: Any) -> None:
    """Change an argument as the call changed it, if both are containers of the same kind."""
    if isinstance(argument, np.ndarray) and isinstance(new, np.ndarray) and argument.shape == new.shape:
        argument[...] = new
    elif isinstance(argument, list) and isinstance(new, list):
        argument[:] = new
    elif isinstance(argument, dict | set) and type(new) is type(argument):
        argument.clear()
        argument.update(new)
