"""All regular expressions of a package, and texts on which they may backtrack without end."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

codes = importlib.import_module("re._constants")
parser = importlib.import_module("re._parser")


def patterns(package: str) -> dict[str, re.Pattern[str]]:
    """The regular expressions for texts in a package, by the place where they stand."""
    places: dict[str, re.Pattern[str]] = {}
    path = importlib.import_module(package).__path__
    for name in [module.name for module in pkgutil.walk_packages(path, f"{package}.")]:
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            places |= {f"{name}.{attribute}{place}": pattern for place, pattern in within(value)}
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            match node:
                case ast.Call(ast.Attribute(ast.Name("re")), [ast.Constant(str(text)), *_]):
                    with contextlib.suppress(re.error):
                        places[f"{name}:{node.lineno}"] = re.compile(text, re.DOTALL)
    unique = {pattern.pattern: place for place, pattern in reversed(places.items())}
    return {place: places[place] for place in sorted(unique.values())}


def within(value: Any, place: str = "") -> Iterator[tuple[str, re.Pattern[str]]]:
    """The patterns in a value and in the tuples, lists and dictionaries that it consists of."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield place, value
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from within(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from within(item, f"{place}[{key!r}]")


def pumped(pattern: re.Pattern[str], size: int) -> Iterator[str]:
    """Texts that go round a repetition of the pattern many times and then do not match.

    Each begins with what the pattern matches before the repetition, goes on with parts of what is repeated, alone and in
    pairs, and ends with something else.
    """
    loops: list[tuple[str, list[str]]] = []
    _sequence(parser.parse(pattern.pattern, pattern.flags), "", loops)
    for before, parts in loops:
        units = [*parts, *(first + second for first in parts for second in parts if first != second)]
        for unit in units[:80]:
            for end in ("", "\0", "5 x"):
                yield before + unit * (size // len(unit) + 1) + end


def _sequence(tree: Any, before: str, loops: list[tuple[str, list[str]]]) -> str:
    """A text that the syntax tree matches behind ``before``; its repetitions are added to ``loops``."""
    text = ""
    for code, value in tree:
        text += _node(code, value, before + text, loops)
    return text


def _node(code: Any, value: Any, before: str, loops: list[tuple[str, list[str]]]) -> str:
    if code in (codes.LITERAL, codes.NOT_LITERAL):
        return chr(value) if code is codes.LITERAL else "x"
    if code is codes.ANY:
        return "x"
    if code is codes.IN:
        return "x" if value[0][0] is codes.NEGATE else _member(*value[0])
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, body = value
        text = _sequence(body, before, loops)
        parts = [part for part in dict.fromkeys([text, *_parts(body)]) if part]
        if most == codes.MAXREPEAT and parts:
            loops.append((before, parts[:10]))
        times: int = min(max(least, 1), 3)
        return text * times
    if code is codes.SUBPATTERN:
        return _sequence(value[3], before, loops)
    if code is codes.BRANCH:
        texts: list[str] = [_sequence(branch, before, loops) for branch in value[1]]
        return texts[0]
    if code is codes.ATOMIC_GROUP:
        return _sequence(value, before, loops)
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        _sequence(value[1], before, loops)
    return ""


def _parts(tree: Any) -> Iterator[str]:
    """Texts that the parts of a repeated tree match, each in its own right."""
    for code, value in tree:
        if code is codes.IN:
            yield from (_member(*item) for item in value if item[0] is not codes.NEGATE)
            yield " "
        elif code is codes.BRANCH:
            for branch in value[1]:
                yield _sequence(branch, "", [])
                yield from _parts(branch)
        elif code is codes.SUBPATTERN:
            yield from _parts(value[3])
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            yield _sequence(value[2], "", [])
            yield from _parts(value[2])
        else:
            yield _node(code, value, "", [])


def _member(code: Any, value: Any) -> str:
    """A character of a set."""
    if code is codes.CATEGORY:
        return {"DIGIT": "1", "SPACE": " ", "WORD": "a"}.get(str(value).rpartition("_")[2], "x")
    if code is codes.NEGATE:
        return "x"
    return chr(value[0] if code is codes.RANGE else value)
