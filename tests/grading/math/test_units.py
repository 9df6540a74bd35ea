"""Units as products of powers."""

import pytest

from k2eval.grading.math import units


@pytest.mark.parametrize(
    ("first", "second"),
    [("km/h", "kilometers per hour"), ("km/h", "kph"), ("km/h", r"km \cdot h^{-1}"), ("m/s^{2}", "meters per second squared"),
     ("cm^{2}", "square centimetres"), ("ft^{3}", "cubic feet"), ("sq. in.", "inch^2"), ("a.m.", "AM"), ("min", "minutes"),
     ("N", "kg m/s^2"), ("mph", "miles per hour")],
)  # fmt: skip
def test_spellings_of_one_unit_are_one_unit(first: str, second: str) -> None:
    a, b = units.read(first), units.read(second)
    assert not units.clash(a, b) and units.ratio(a, b) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [("cm", "cm^2"), ("cm^2", "cm^3"), ("ft/s", "ft"), ("m/s", "m/s^2"), ("am", "pm"), ("celsius", "fahrenheit"), ("dollars", "euros"),
     ("units^2", "units^3"), ("square units", "cm^3"), ("kg", "m"), ("degrees", "cm")],
)  # fmt: skip
def test_units_of_different_dimensions_clash(first: str, second: str) -> None:
    assert units.clash(units.read(first), units.read(second)) and units.clash(
        units.read(second), units.read(first)
    )


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [("mm^2", "cm^2", 100), ("minutes", "hours", 60), ("cents", "dollars", 100), ("g", "kg", 1000)],
)
def test_units_of_one_dimension_are_converted(first: str, second: str, count: int) -> None:
    assert units.ratio(units.read(first), units.read(second)) == count


@pytest.mark.parametrize("word", ["apples", "ways", "points", "units"])
def test_an_unknown_word_is_no_unit_and_clashes_with_none(word: str) -> None:
    unit = units.read(word)
    assert (
        not unit.is_known
        and not units.clash(unit, units.read("cm"))
        and units.ratio(unit, units.read("cm")) == 1
    )
