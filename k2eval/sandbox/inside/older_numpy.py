"""Names of numpy 1 that numpy 2 has removed, beyond mere aliases (`k2eval.sandbox.inside.shims`)."""

from __future__ import annotations

import ast
import ctypes
import gc
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any


def names(numpy: Any) -> dict[str, Any]:
    """Return the names that ``numpy`` had, with what they were."""
    return {
        **aliases(numpy),
        **{name: getattr(numpy.exceptions, name) for name in numpy.exceptions.__all__},
        **types(numpy),
        "asscalar": lambda a: a.item(),
        "alen": lambda a: len(numpy.array(a, ndmin=1)),
        "deprecate": deprecate,
        "disp": lambda mesg, device=None, linefeed=True: print(mesg, file=device, end="\n" * linefeed),
        "fastCopyAndTranspose": lambda a: numpy.asarray(a).T.copy(),
    }


def aliases(numpy: Any) -> dict[str, Any]:
    """Return the names that stand for something which is still there."""
    return {
        "mat": numpy.asmatrix,
        "math": math,
        "warnings": warnings,
        "rank": numpy.ndim,
        "safe_eval": ast.literal_eval,
        "byte_bounds": numpy.lib.array_utils.byte_bounds,
        "DataSource": numpy.lib.npyio.DataSource,
        "unicode": str,
        "bool8": numpy.bool_,
        "int0": numpy.intp,
        "uint0": numpy.uintp,
        "object0": numpy.object_,
        "str0": numpy.str_,
        "bytes0": numpy.bytes_,
        "void0": numpy.void,
        "longcomplex": numpy.clongdouble,
        "clongfloat": numpy.clongdouble,
        "typeDict": numpy.sctypeDict,
    }


def types(numpy: Any) -> dict[str, Any]:
    """Return the tables and functions about types of numbers."""
    kinds = {
        "int": [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
        "uint": [numpy.uint8, numpy.uint16, numpy.uint32, numpy.uint64],
        "float": [numpy.float16, numpy.float32, numpy.float64, numpy.longdouble],
        "complex": [numpy.complex64, numpy.complex128, numpy.clongdouble],
        "others": [bool, object, bytes, str, numpy.void],
    }

    def type_of(rep: Any, default: Any = None) -> Any:
        try:
            return numpy.dtype(rep).type
        except TypeError:
            return default

    numbers = [kind for group in ("int", "uint", "float", "complex") for kind in kinds[group]]
    return {
        "sctypes": kinds,
        "nbytes": {kind: numpy.dtype(kind).itemsize for kind in numbers},
        "cast": Casts((kind, casting(kind)) for kind in numbers),
        "obj2sctype": type_of,
        "issctype": lambda rep: (
            isinstance(rep, type | numpy.dtype) and type_of(rep) not in (None, numpy.object_)
        ),
        "issubsctype": numpy.issubdtype,
        "sctype2char": lambda sctype: numpy.dtype(sctype).char,
        "maximum_sctype": lambda t: next(
            (group[-1] for group in kinds.values() if type_of(t) in group), type_of(t)
        ),
    }


class Casts(dict[Any, Callable[[Any], Any]]):
    """Functions that cast to a type, also by other names of the type (``np.cast[float]``)."""

    def __missing__(self, key: Any) -> Callable[[Any], Any]:
        """Return the function for the type that ``key`` stands for."""
        return casting(key)


def casting(kind: Any) -> Callable[[Any], Any]:
    """Return the function that casts to ``kind``."""
    numpy: Any = sys.modules["numpy"]
    return lambda x: numpy.asarray(x).astype(kind)


def deprecate(*marked: Any, **_: Any) -> Any:
    """Return a function as it is; numpy's own decorator warned when it was called."""
    return marked[0] if marked and callable(marked[0]) else lambda function: function


def restore_methods(numpy: Any) -> None:
    """Put back the methods of arrays that numpy 2 has removed. Classes written in C let only this way in."""

    def itemset(self: Any, *args: Any) -> None:
        """Set one item: ``itemset(place, value)``, or ``itemset(value)`` for an array of one."""
        *place, value = args
        if len(place) == 1 and not isinstance(place[0], tuple):
            self.flat[place[0]] = value
        else:
            self[tuple(place[0]) if len(place) == 1 else tuple(place) or (0,) * self.ndim] = value

    methods: dict[str, Callable[..., Any]] = {
        "ptp": lambda self, axis=None, out=None, **options: numpy.ptp(
            numpy.asarray(self), axis, out, **options
        ),
        "itemset": itemset,
        "newbyteorder": lambda self, order="S": self.view(self.dtype.newbyteorder(order)),
        "tostring": lambda self, order="C": self.tobytes(order),
    }
    for kind, example in ((numpy.ndarray, numpy.zeros(1)), (numpy.generic, numpy.float64())):
        [attributes] = gc.get_referents(kind.__dict__)
        attributes.update({name: method for name, method in methods.items() if not hasattr(example, name)})
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
