"""Limits for the evaluation of an expression, and reasons why an expression has no value."""

from __future__ import annotations

from dataclasses import dataclass


class Undefined(ArithmeticError):
    """The expression has no value at this point, as 1/x has none at 0."""


class Unsupported(ArithmeticError):
    """The expression has a part that is not evaluated here, or costs more than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one evaluation."""

    bits: int
    """Longest integer that is computed exactly; beyond, a value is known to its leading digits."""
    terms: int
    """Most terms of a sum or product."""


NUMBER = Limits(bits=120_000, terms=3_000)
"""For expressions without variables, which are evaluated once."""
POINT = Limits(bits=8_000, terms=200)
"""For expressions that are evaluated at many points."""
SEARCH = Limits(bits=1_000, terms=50)
"""For expressions whose zeros are sought."""


class Budget:
    """Steps that the evaluation of one pair of expressions may take."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Take ``steps`` away.

        Raises:
            Unsupported: If none is left.
        """
        self.left -= steps
        if self.left < 0:
            raise Unsupported
