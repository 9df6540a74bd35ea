"""Recipes by name. The name of a user's own recipe is its import path, ``package.module:name``."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from k2eval.errors import ConfigError, did_you_mean
from k2eval.recipes.best_of_n import BestOfN
from k2eval.recipes.forced import Forced
from k2eval.recipes.majority import Majority
from k2eval.recipes.planning import plan
from k2eval.recipes.published import Published
from k2eval.recipes.sample import Sample
from k2eval.recipes.single import plain
from k2eval.records import Response
from k2eval.tasks import check_call, import_object

Recipe = Callable[[Sample], Awaitable[Response]]
"""An async function that makes one response to one sample. It may await several generations, even at once."""

MOST = 1024
"""Most candidates that a name may ask for."""


class Entry(NamedTuple):
    """A recipe in the list that users see."""

    name: str
    summary: str


BUILT_IN = (
    Entry("plain", "ask the question and take the answer"),
    Entry("plan", "a planner writes a plan without the answer, the solver sees it"),
    Entry("boN", "bo3, bo5 …: N candidates, the best by a pairwise judge asked in both orders"),
    Entry("majN", "maj3, maj8 …: N candidates, the answer that most of them give"),
    Entry(
        "adaptiveN", "adaptive8 …: as majN, but asks no more once the vote is settled; adaptive is adaptive8"
    ),
    Entry("k2", "a plan and a candidate, three times, then the best of them: plan-bo3"),
    Entry(
        "k2-published", "K2-Think's pipeline as published: champion first, one order, index before reasons"
    ),
    Entry("forcedN", "forced4096 …: as plain, but reasoning is cut at N tokens and an answer is asked for"),
    Entry("plan-…", "plan-boN, plan-majN, plan-adaptiveN: each candidate with a plan of its own"),
    Entry("…-tournament", "boN-tournament, k2-tournament: pairs candidates off instead of one after another"),
    Entry("module:name", "a recipe of your own, see docs/recipes.md"),
)

_EXAMPLES = [
    "plain", "plan", "bo3", "maj3", "adaptive", "k2", "k2-published", "k2-tournament", "plan-maj3", "forced4096",
]  # fmt: skip
_NAME = re.compile(r"(plan-)?(bo|maj|adaptive)(\d+)(-tournament)?")
_FORCED = re.compile(r"forced(\d{1,9})")
"""Matches "forced4096"."""
_SHORT = {"adaptive": "adaptive8", "k2": "plan-bo3", "k2-tournament": "plan-bo3-tournament"}


def recipe_for(name: str) -> Recipe:
    """Return the recipe of this name.

    >>> recipe_for("k2")
    BestOfN(n=3, planned=True, tournament=False)
    >>> recipe_for("maj8")
    Majority(n=8, planned=False, adaptive=False)

    Raises:
        ConfigError: If there is no such recipe.
    """
    if ":" in name:
        return _own(name)
    if name == "plain":
        return plain
    if name == "plan":
        return plan
    if name == "k2-published":
        return Published()
    if forced := _FORCED.fullmatch(name):
        return Forced(int(forced[1]))
    parsed = _NAME.fullmatch(_SHORT.get(name, name))
    if not parsed or (parsed[4] and parsed[2] != "bo"):
        raise ConfigError(
            f"Unknown recipe {name!r}. {did_you_mean(name, _EXAMPLES)} `k2eval recipes` lists them."
        )
    planned, kind, n = bool(parsed[1]), parsed[2], int(parsed[3])
    if not 1 <= n <= MOST:
        raise ConfigError(f"Recipe {name!r}: expected 1 to {MOST} candidates, got {n}.")
    if kind == "bo":
        return BestOfN(n, planned, tournament=bool(parsed[4]))
    return Majority(n, planned, adaptive=kind == "adaptive")


def _own(name: str) -> Recipe:
    """Import a user's recipe; its module may be in the working directory."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    recipe = import_object(name, "recipe")
    check_call(recipe, f"Recipe {name}", ["sample"])
    return recipe  # type: ignore[no-any-return]  # a user's, checked above
