"""Recipes by name. A recipe of one's own is named by its import path, ``package.module:name``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from k2eval.errors import ConfigError, did_you_mean
from k2eval.recipes.plain import plain
from k2eval.recipes.sample import Sample
from k2eval.records import Response
from k2eval.tasks import import_object

Recipe = Callable[[Sample], Awaitable[Response]]
"""Makes one response of one sample. It may await several generations, also at once."""


class Entry(NamedTuple):
    """A recipe in the list that users see."""

    name: str
    summary: str
    recipe: Recipe


BUILT_IN = (Entry("plain", "ask the question and take the answer", plain),)


def recipe_for(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        ConfigError: When there is none.
    """
    if ":" in name:
        recipe: Recipe = import_object(name, "recipe")
        return recipe
    for entry in BUILT_IN:
        if entry.name == name:
            return entry.recipe
    raise ConfigError(
        f"Unknown recipe {name!r}. {did_you_mean(name, [entry.name for entry in BUILT_IN])} "
        "`k2eval recipes` lists them."
    )
