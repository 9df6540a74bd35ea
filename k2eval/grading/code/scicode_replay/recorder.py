"""Run reduced tests, and emit the result of each call of the submission. This code runs inside the sandbox.

Records, in order: ``("test", number)`` before each test; ``("call", name, result, changes)`` for a call;
``("get", name, value)`` for an attribute or item of an object; ``("raised", text)`` when a test stops. Data stand for
themselves. Objects are replaced by ``("object", number)``, and what tests do with them is recorded
likewise, under the name ``#number.attribute``. ``changes`` lists arguments that the call changed, with
their new values.

All of this is only the submission's claim, as the submission shares the process. The replay takes every record for no
more than a value that the submission wishes to return.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Emit = Callable[[tuple[Any, ...]], None]

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS = (list, tuple, dict, set, frozenset)


def record(space: dict[str, Any], tests: Sequence[str], called: Sequence[str], emit: Emit) -> None:
    """Run ``tests`` in one namespace beside the submission's.

    Args:
        space: The submission's namespace.
        tests: Reduced tests.
        called: The names in ``space`` whose use by tests is recorded.
        emit: Function that takes one record.
    """
    tape = _Tape(emit)
    names = {name: _Stand(tape, name, space[name]) for name in called if name in space}
    mine = {**space, **names}
    for number, test in enumerate(tests):
        emit(("test", number))
        try:
            exec(compile(test, f"<test {number + 1}>", "exec"), mine)
        except Exception as error:
            emit(("raised", f"{type(error).__name__}: {error}"[:400]))
            return


class _Tape:
    """Emits records, and keeps the objects that tests hold."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.objects: list[Any] = []
        self.depth = 0

    def give(self, value: Any) -> tuple[Any, Any]:
        """Return ``value`` as recorded, and as the test gets it: data as they are, objects as stand-ins."""
        if _is_data(value):
            return _form(value), value
        if type(value) in (list, tuple):
            pairs = [self.give(item) for item in value]
            kind = type(value)
            return kind(pair[0] for pair in pairs), kind(pair[1] for pair in pairs)
        if type(value) is dict and all(_is_data(key) for key in value):
            pairs = [self.give(item) for item in value.values()]
            keys = [_form(key) for key in value]
            forms = dict(zip(keys, (pair[0] for pair in pairs), strict=True))
            return forms, dict(zip(value, (pair[1] for pair in pairs), strict=True))
        self.objects.append(value)
        number = len(self.objects) - 1
        return ("object", number), _Stand(self, f"#{number}", value)


class _Stand:
    """Stands in a test for a function, a class or an object of the submission."""

    def __init__(self, tape: _Tape, name: str, real: Any) -> None:
        self.__dict__.update(_tape=tape, _name=name, _real=real)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(_real(value) for value in args)
        kwargs = {name: _real(value) for name, value in kwargs.items()}
        if self._tape.depth:
            return self._real(*args, **kwargs)
        arguments: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        before = {key: _snapshot(value) for key, value in arguments.items()}
        self._tape.depth += 1
        try:
            result = self._real(*args, **kwargs)
        finally:
            self._tape.depth -= 1
        changes = [
            (key, _form(arguments[key]))
            for key, old in before.items()
            if old is not None and old != _snapshot(arguments[key])
        ]
        form, shown = self._tape.give(result)
        self._tape.emit(("call", self._name, form, changes))
        return shown

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if callable(value) and not _is_data(value):
            return _Stand(self._tape, f"{self._name}.{name}", value)
        return self._got(f"{self._name}.{name}", value)

    def __getitem__(self, key: Any) -> Any:
        return self._got(f"{self._name}[]", self._real[_real(key)])

    def __len__(self) -> int:
        return int(self._got(f"{self._name}.len", len(self._real)))

    def __float__(self) -> float:
        return float(self._got(f"{self._name}.float", float(self._real)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._got(f"{self._name}.iter", list(self._real)))

    def _got(self, name: str, value: Any) -> Any:
        if self._tape.depth:
            return value
        form, shown = self._tape.give(value)
        self._tape.emit(("get", name, form))
        return shown


def _real(value: Any) -> Any:
    """Return ``value`` with stand-ins replaced by the submission's objects."""
    if isinstance(value, _Stand):
        return value._real
    if type(value) in (list, tuple) and any(isinstance(item, (_Stand, list, tuple, dict)) for item in value):
        items = [_real(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return type(value)(items)
    if type(value) is dict and any(isinstance(item, _Stand) for item in value.values()):
        return {key: _real(item) for key, item in value.items()}
    return value


def _is_data(value: Any) -> bool:
    if type(value) in _PLAIN or type(value) is range:
        return True
    if type(value) is dict:
        return all(_is_data(key) and _is_data(item) for key, item in value.items())
    if type(value) in _CONTAINERS:
        return all(_is_data(item) for item in value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        return numpy.asarray(value).dtype.kind in "biufcU"
    sparse = sys.modules.get("scipy.sparse")
    return (sparse is not None and sparse.issparse(value)) or _is_symbol(value)


def _form(value: Any) -> Any:
    """Return data as they are emitted: subclasses of arrays as arrays, sympy's symbols as their names."""
    if type(value) is dict:
        return {_form(key): _form(item) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_form(item) for item in value)
    if _is_symbol(value):
        return str(value)
    numpy = sys.modules.get("numpy")
    return numpy.asarray(value) if numpy is not None and isinstance(value, numpy.ndarray) else value


def _is_symbol(value: Any) -> bool:
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Symbol)


def _snapshot(value: Any) -> bytes | None:
    """Return a text that differs if a call changes its argument; None for objects and immutable values."""
    if type(value) in _PLAIN or not _is_data(value):
        return None
    return pickle.dumps(_form(value), protocol=5)
