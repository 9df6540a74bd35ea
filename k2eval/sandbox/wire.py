"""Tagged plain data, in which values cross between the sandbox and the grader. Never pickle.

JSON, in which None, bool, int, float, str and list stand for themselves and everything else is an object with
one key, its tag: ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``, ``{"ndarray": [dtype, shape, base64]}``
and so on, in ASCII. The writer looks at exact types, so a class with a lying ``__eq__`` becomes `Opaque`; the reader
builds only builtins and numeric arrays, within limits, and takes nothing else. No tag declares a size whose bytes are
not there, so that reading costs a small multiple of the bytes. This file is used on both sides of the wall and imports
only the standard library (numpy and scipy when a value needs them).
"""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from k2eval.sandbox.allowance import ITEM_COST, Budget as Budget, Malformed as Malformed, check_depth

MAX_DEPTH = 64
"""Nesting of lists, tuples, sets and dictionaries."""
MAX_DIGITS = sys.int_info.default_max_str_digits
"""Digits up to which an integer is written in decimals."""
MAX_INT_BITS = 1 << 22
"""Size of an integer."""
MAX_RATIONAL_BITS, MAX_DECIMAL = 1 << 14, 4000
"""Size of a fraction's two integers; characters and exponent of a decimal."""
MAX_ELEMENTS = 1 << 24
"""Rows times columns of a sparse matrix, every side of an array, and the length of a range."""

ARRAY_KINDS = {
    *("|b1", "|i1", "|u1"),
    *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)),
    *("<f2", "<f4", "<f8", "<c8", "<c16"),
}


class Opaque:
    """Stands for a value that is not plain data (an instance, a function, a generator). Equal to nothing."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Opaque({self.type_name!r})"


# ---------------------------------------------------------------------------------------------------- writing

NATURAL = {int, str, bool, float, type(None)}
DICTS = {dict, defaultdict, Counter, OrderedDict}


def dumps(value: object) -> bytes:
    """Return the tagged form of ``value``; a value that is not plain data becomes ``{"opaque": type name}``.

    ``dict`` subclasses of the standard library become plain dictionaries, numpy scalars keep their dtype.
    """
    digits = sys.get_int_max_str_digits()
    if digits != MAX_DIGITS:  # the program's own choice, which the reader does not share
        sys.set_int_max_str_digits(MAX_DIGITS)
    try:
        return json.dumps(plain(value, 0)).encode()
    except ValueError:  # an int with more digits than Python converts
        return json.dumps(plain(value, 0, tag_ints=True)).encode()
    finally:
        if digits != MAX_DIGITS:
            sys.set_int_max_str_digits(digits)


def plain(value: Any, depth: int, tag_ints: bool = False) -> Any:
    """Return ``value`` as a structure that `json` can write."""
    kind = type(value)
    if kind in NATURAL:
        return {"int": hex(value)} if tag_ints and kind is int else value
    if depth >= MAX_DEPTH:
        return {"opaque": "nested too deeply"}
    if kind is list or kind is tuple:
        if not tag_ints and set(map(type, value)) <= NATURAL:
            items = list(value) if kind is tuple else value
        else:
            items = [plain(item, depth + 1, tag_ints) for item in value]
        return items if kind is list else {"tuple": items}
    if kind in DICTS:
        pairs = dict.items(value)
        return {"dict": [[plain(k, depth + 1, tag_ints), plain(v, depth + 1, tag_ints)] for k, v in pairs]}
    if kind is set or kind is frozenset:
        return {kind.__name__: [plain(item, depth + 1, tag_ints) for item in value]}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if kind is bytes or kind is bytearray:
        return {kind.__name__: base64.b64encode(value).decode()}
    if kind is range:
        return {"range": [plain(part, depth + 1, tag_ints) for part in (value.start, value.stop, value.step)]}
    if kind.__module__ in ("fractions", "decimal"):
        return rational(value, depth, tag_ints)
    simpler = simplify(value)
    return numeric(value) if simpler is value else plain(simpler, depth, tag_ints)


def simplify(value: Any) -> Any:
    """Return the plain value that ``value`` is equal to. The box puts a function of its own here."""
    return value


def rational(value: Any, depth: int, tag_ints: bool) -> Any:
    """Return the tagged form of a fraction or a finite decimal of bounded size."""
    kind = type(value)
    decimal, fractions = sys.modules.get("decimal"), sys.modules.get("fractions")
    if fractions is not None and kind is fractions.Fraction:
        parts = [value.numerator, value.denominator]
        if max(part.bit_length() for part in parts) <= MAX_RATIONAL_BITS:
            return {"fraction": [plain(part, depth + 1, tag_ints) for part in parts]}
    elif decimal is not None and kind is decimal.Decimal and value.is_finite():
        text = str(value)
        if len(text) <= MAX_DECIMAL and abs(value.adjusted()) <= MAX_DECIMAL:
            return {"decimal": text}
    simpler = simplify(value)
    return numeric(value) if simpler is value else plain(simpler, depth, tag_ints)


def numeric(value: Any) -> Any:
    """Return the tagged form of a numpy array or scalar or a scipy sparse matrix; anything else is opaque."""
    kind = type(value)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray) and kind in (numpy.ndarray, numpy.matrix, numpy.memmap):
            return array("ndarray", numpy.asarray(value))
        if isinstance(value, numpy.generic):
            return value.item() if kind is numpy.str_ else array("scalar", numpy.asarray(value))
        if kind.__module__.startswith("scipy.sparse.") and hasattr(value, "tocsr") and len(value.shape) == 2:
            return sparse(value)
    return {"opaque": f"{kind.__module__}.{kind.__qualname__}"[:200]}


def array(tag: str, value: Any) -> Any:
    """Return the tagged form of an array whose dtype is allowed; long doubles become doubles."""
    numpy: Any = sys.modules["numpy"]
    if value.dtype == numpy.longdouble and value.dtype.itemsize > 8:
        value = value.astype(numpy.float64)
    elif value.dtype == numpy.clongdouble and value.dtype.itemsize > 16:
        value = value.astype(numpy.complex128)
    if value.dtype.byteorder == ">":
        value = value.astype(value.dtype.newbyteorder("<"))
    name = value.dtype.str
    if name not in ARRAY_KINDS and value.dtype.kind != "U":
        return {"opaque": f"numpy.ndarray of {value.dtype}"[:200]}
    return {tag: [name, list(value.shape), base64.b64encode(value.tobytes()).decode()]}


def sparse(value: Any) -> Any:
    """Return the tagged form of a scipy sparse matrix: its arrays, so that no size is only declared."""
    numpy: Any = sys.modules["numpy"]
    if value.format == "coo":
        parts = [value.data, value.row, value.col]
    else:
        value = value if value.format in ("csr", "csc") else value.tocsr()
        used = int(value.indptr[-1])
        parts = [value.data[:used], value.indices[:used], value.indptr]
    is_array, shape = type(value).__name__.endswith("_array"), [int(side) for side in value.shape]
    return {"sparse": [value.format, is_array, shape, *(numeric(numpy.asarray(part)) for part in parts)]}


# ---------------------------------------------------------------------------------------------------- reading


def loads(data: bytes, budget: Budget | None = None) -> Any:
    """Return the value of a tagged form: builtins, numpy arrays and scalars, scipy sparse matrices, `Opaque`.

    Args:
        data: One tagged value.
        budget: The budget that the values of one run share.

    Raises:
        Malformed: If the bytes are none that `dumps` writes, or exceed a limit.
        MemoryError: If the machine has no more. No other exception.
    """
    budget = budget or Budget()
    budget.charge(data)
    if budget.decoder is None:
        budget.decoder = json.JSONDecoder(object_hook=partial(untag, budget))
    try:
        value = budget.decoder.decode(data.decode("ascii"))
        check_depth(value, MAX_DEPTH)
        return value
    except Malformed:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise Malformed(f"not tagged plain data: {type(error).__name__}: {error}"[:300]) from None


def untag(budget: Budget, item: dict[str, Any]) -> Any:
    """Return the value of one tagged object whose parts are already values."""
    if len(item) != 1:
        raise Malformed("an object must have exactly one key, its tag")
    ((tag, body),) = item.items()
    reader = READERS.get(tag)
    if reader is not None:
        return reader(body)
    costly = COSTLY_READERS.get(tag)
    if costly is None:
        raise Malformed(f"unknown tag {tag[:40]!r}")
    return costly(body, budget)


def read_list(body: Any) -> list[Any]:
    """Return ``body`` if it is a list."""
    if type(body) is not list:
        raise Malformed("expected a list")
    return body


def read_text(body: Any) -> str:
    """Return ``body`` if it is a string."""
    if type(body) is not str:
        raise Malformed("expected a string")
    return body


def read_int(body: Any) -> int:
    """Read an integer in hexadecimal."""
    if len(read_text(body)) > MAX_INT_BITS // 4:
        raise Malformed("integer too large")
    return int(body, 16)


def read_dict(body: Any, budget: Budget) -> dict[Any, Any]:
    """Read a dictionary from pairs."""
    pairs = read_list(body)
    if not all(type(pair) is list and len(pair) == 2 for pair in pairs):
        raise Malformed("expected pairs")
    return budget.dict_of(pairs)


def read_fraction(body: Any) -> Any:
    """Read a fraction from numerator and denominator."""
    from fractions import Fraction

    above, below = read_list(body)
    if {type(above), type(below)} != {int} or below <= 0:
        raise Malformed("expected two integers")
    if max(above.bit_length(), below.bit_length()) > MAX_RATIONAL_BITS:
        raise Malformed("fraction too large")
    return Fraction(above, below)


def read_decimal(body: Any) -> Any:
    """Read a finite decimal from its digits."""
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(read_text(body)) if len(read_text(body)) <= MAX_DECIMAL else Decimal("NaN")
    except InvalidOperation:
        raise Malformed("expected a decimal") from None
    if not value.is_finite() or abs(value.adjusted()) > MAX_DECIMAL:
        raise Malformed("decimal too large")
    return value


def read_complex(body: Any) -> complex:
    """Read a complex number from two floats."""
    real, imaginary = read_list(body)
    if type(real) is not float or type(imaginary) is not float:
        raise Malformed("expected two floats")
    return complex(real, imaginary)


def read_bytes(body: Any) -> bytes:
    """Read bytes from base64."""
    return base64.b64decode(read_text(body), validate=True)


def read_range(body: Any, budget: Budget) -> range:
    """Read a range from start, stop and step."""
    start, stop, step = read_list(body)
    if {type(start), type(stop), type(step)} != {int}:
        raise Malformed("expected three integers")
    value = range(start, stop, step)
    if len(value) > MAX_ELEMENTS:
        raise Malformed("range too long")
    budget.pay(ITEM_COST * len(value))
    return value


def read_array(body: Any) -> Any:
    """Read a writable numpy array of an allowed dtype."""
    import numpy

    name, shape, data = read_list(body)
    if not (read_text(name) in ARRAY_KINDS or (name.startswith("<U") and name[2:].isdecimal())):
        raise Malformed(f"dtype {name[:40]!r} is not allowed")
    sides = read_list(shape)
    if len(sides) > 32 or not all(type(side) is int and 0 <= side <= MAX_ELEMENTS for side in sides):
        raise Malformed("shape out of range")
    raw = read_bytes(data)
    if name == "|b1":
        return (numpy.frombuffer(raw, "|u1") != 0).reshape(shape)
    dtype = numpy.dtype(name)
    if dtype.kind == "U":
        if dtype.itemsize == 0:
            raise Malformed("strings of no length")
        points = numpy.frombuffer(raw, "<u4")
        if points.size and points.max() > 0x10FFFF:
            raise Malformed("not a code point")
    return numpy.frombuffer(raw, dtype).reshape(shape).copy()


def read_scalar(body: Any) -> Any:
    """Read a numpy scalar."""
    value = read_array(body)
    if value.shape != ():
        raise Malformed("expected a scalar")
    return value[()]


def read_sparse(body: Any) -> Any:
    """Read a scipy sparse matrix or array from the arrays that it consists of."""
    from scipy import sparse

    name, is_array, shape, data, first, second = read_list(body)
    rows, columns = read_list(shape)
    if name not in ("csr", "csc", "coo") or type(is_array) is not bool:
        raise Malformed("expected a sparse matrix")
    if {type(rows), type(columns)} != {int} or min(rows, columns) < 0:
        raise Malformed("expected two sides")
    if max(rows, columns, rows * columns) > MAX_ELEMENTS:
        raise Malformed("sparse matrix too large")
    if not all(getattr(part, "ndim", None) == 1 for part in (data, first, second)) or data.dtype.kind == "U":
        raise Malformed("expected three vectors")
    if {first.dtype.str, second.dtype.str} - {"<i4", "<i8"}:
        raise Malformed("expected integer coordinates")
    make = getattr(sparse, f"{name}_{'array' if is_array else 'matrix'}")
    if name == "coo":
        return make((data, (first, second)), shape=(rows, columns))
    matrix = make((data, first, second), shape=(rows, columns))
    matrix.check_format(full_check=True)
    return matrix


READERS: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda body: tuple(read_list(body)),
    "int": read_int,
    "fraction": read_fraction,
    "decimal": read_decimal,
    "complex": read_complex,
    "bytes": read_bytes,
    "bytearray": lambda body: bytearray(read_bytes(body)),
    "ndarray": read_array,
    "scalar": read_scalar,
    "sparse": read_sparse,
    "opaque": lambda body: Opaque(read_text(body)[:200]),
}
COSTLY_READERS: dict[str, Callable[[Any, Budget], Any]] = {
    "dict": read_dict,
    "set": lambda body, budget: budget.set_of(read_list(body)),
    "frozenset": lambda body, budget: frozenset(budget.set_of(read_list(body))),
    "range": read_range,
}
