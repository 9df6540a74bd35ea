"""All regular expressions of a package, and short texts that their parts match."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from re import (
    _constants as codes,  # type: ignore[attr-defined]
    _parser as parser,  # type: ignore[attr-defined]
)
from typing import Any


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


def pieces(pattern: re.Pattern[str]) -> list[str]:
    """Short texts that the parts of a pattern match, as far as its syntax says so."""
    parts: set[str] = set()
    example(parser.parse(pattern.pattern, pattern.flags), parts)
    return sorted(part for part in parts if part) or ["a"]


def example(tree: Any, parts: set[str]) -> str:
    """A text that the syntax tree matches; those of its parts are added to ``parts``."""
    text = "".join(example_of(code, value, parts) for code, value in tree)
    if len(text) <= 30:
        parts.add(text)
    return text


def example_of(code: Any, value: Any, parts: set[str]) -> str:
    """A text for one node of a syntax tree."""
    text = ""
    if code in (codes.LITERAL, codes.NOT_LITERAL):
        text = chr(value) if code is codes.LITERAL else "x"
    elif code is codes.ANY:
        text = "x"
    elif code is codes.IN:
        members = [member(*item) for item in value if item[0] is not codes.NEGATE]
        parts.update(members)
        text = "x" if value[0][0] is codes.NEGATE else members[0]
    elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        text = example(value[2], parts) * max(1, min(value[0], 3))
    elif code is codes.SUBPATTERN:
        text = example(value[3], parts)
    elif code is codes.BRANCH:
        text = next(example(branch, parts) for branch in value[1])
    elif code is codes.ATOMIC_GROUP:
        text = example(value, parts)
    elif code in (codes.ASSERT, codes.ASSERT_NOT):
        example(value[1], parts)
    if text:
        parts.add(text)
    return text


def member(code: Any, value: Any) -> str:
    """A character of a set."""
    if code is codes.CATEGORY:
        return {"DIGIT": "1", "SPACE": " ", "WORD": "a"}.get(str(value).rpartition("_")[2], "x")
    return chr(value[0] if code is codes.RANGE else value)
