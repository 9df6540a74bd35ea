import pytest

from k2eval.errors import ConfigError
from k2eval.recipes.best_of_n import BestOfN
from k2eval.recipes.majority import Majority
from k2eval.recipes.published import Published
from k2eval.recipes.registry import recipe_for


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("bo3", BestOfN(3)),
        ("bo12", BestOfN(12)),
        ("bo4-tournament", BestOfN(4, tournament=True)),
        ("k2", BestOfN(3, planned=True)),
        ("k2-tournament", BestOfN(3, planned=True, tournament=True)),
        ("plan-bo5", BestOfN(5, planned=True)),
        ("maj8", Majority(8)),
        ("plan-maj8", Majority(8, planned=True)),
        ("adaptive", Majority(8, adaptive=True)),
        ("adaptive16", Majority(16, adaptive=True)),
        ("k2-published", Published()),
    ],
)
def test_names(name: str, recipe: object) -> None:
    assert recipe_for(name) == recipe


@pytest.mark.parametrize("name", ["bo", "bo0", "maj0", "bo9999", "maj3-tournament", "k3", "", "planbo3"])
def test_names_that_mean_nothing(name: str) -> None:
    with pytest.raises(ConfigError, match=r"[Rr]ecipe"):
        recipe_for(name)


def test_an_import_path_must_lead_somewhere() -> None:
    with pytest.raises(ConfigError, match="Cannot import"):
        recipe_for("no.such.module:recipe")
