"""Plain values for values of other kinds that are equal to one: subclasses, fractions, decimals, named tuples.

This module decides what a value is equal to, by its kind and by the methods of the base type: a subclass with its own
``==`` is read as the data that it holds. Modules that the program has not imported are not imported for this.
"""

from __future__ import annotations

import sys
from collections import ChainMap, UserDict, UserList, UserString
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__index__),
    (str, str.__str__),
    (float, float.__float__),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (list, lambda value: list(list.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bytearray, lambda value: bytearray.__getitem__(value, slice(None))),
    (complex, complex.__complex__),
    (UserList, lambda value: list(value.data)),
    (UserDict, lambda value: dict(value.data)),
    (UserString, lambda value: str(value.data)),
    (type({}.keys()), set),
    (type({}.items()), set),
    (MappingProxyType, dict),
    (ChainMap, dict),
)
MOST_BITS = 1 << 14
"""Size of a numerator or denominator."""


def natural(value: Any) -> Any:
    """Return the value of a builtin type, or the fraction or decimal, that ``value`` is equal to; else ``value``."""
    kind = type(value)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        return value
    for base, convert in BASES:
        if issubclass(kind, base):
            try:
                return convert(value)
            except (TypeError, AttributeError):  # items that cannot be in a set, an object half made
                return value
    for module, reader in READERS.items():
        loaded = sys.modules.get(module)
        read = value if loaded is None else reader(loaded, value)
        if read is not value:
            return read
    return value


def read_fraction(fractions: Any, value: Any) -> Any:
    """Return a fraction without what a subclass adds."""
    kind = fractions.Fraction
    if not isinstance(value, kind) or type(value) is kind:
        return value
    return kind(kind._numerator.__get__(value), kind._denominator.__get__(value))


def read_decimal(decimal: Any, value: Any) -> Any:
    """Return a decimal without what a subclass adds; a float for infinity and not-a-number."""
    kind = decimal.Decimal
    if not isinstance(value, kind) or kind.is_snan(value):
        return value
    if not kind.is_finite(value):
        return float(kind.__str__(value))
    return value if type(value) is kind else kind(kind.as_tuple(value))


def read_sympy(sympy: Any, value: Any) -> Any:
    """Return the number or truth value that one of sympy's stands for."""
    if isinstance(value, sympy.Integer):
        return int(value.p)
    if isinstance(value, sympy.Rational):
        return sys.modules["fractions"].Fraction(int(value.p), int(value.q))
    if isinstance(value, sympy.Float):
        return exactly(value._mpf_, value)
    if value is sympy.true or value is sympy.false:
        return value is sympy.true
    return value


def read_mpmath(mpmath: Any, value: Any) -> Any:
    """Return the number that one of mpmath's stands for."""
    return exactly(value._mpf_, value) if isinstance(value, mpmath.mpf) else value


def exactly(parts: tuple[int, Any, int, int], otherwise: Any) -> Any:
    """Return a binary number of sign, mantissa and exponent as a float if it is one, or as a fraction."""
    sign, mantissa, exponent, _ = parts
    mantissa = int(mantissa)
    if abs(exponent) > MOST_BITS or mantissa.bit_length() > MOST_BITS or (mantissa == 0 and exponent):
        return otherwise
    fractions: Any = sys.modules["fractions"]
    number = fractions.Fraction(-mantissa if sign else mantissa) * fractions.Fraction(2) ** exponent
    try:
        return float(number) if fractions.Fraction(float(number)) == number else number
    except OverflowError:
        return number


def read_sorted(sortedcontainers: Any, value: Any) -> Any:
    """Return the list or set that a sorted one holds."""
    if isinstance(value, sortedcontainers.SortedList):
        return list(value)
    return set(value) if isinstance(value, sortedcontainers.SortedSet) else value


READERS: dict[str, Callable[[Any, Any], Any]] = {
    "fractions": read_fraction,
    "decimal": read_decimal,
    "sympy": read_sympy,
    "mpmath": read_mpmath,
    "sortedcontainers": read_sorted,
}
